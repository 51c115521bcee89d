"""Every strategy puts each row into one partition, and the same one wherever and whenever it is asked."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Any

import numpy as np
import pytest

from daskml_dist import partition
from daskml_dist.errors import ChunkMismatch, InvalidData, UnsupportedParameter
from daskml_dist.partition import (
    Assignment,
    ByCluster,
    ByGroup,
    Even,
    Hash,
    Random,
    Sequential,
    Strategy,
    Stratified,
    key_hash,
)
from daskml_dist.partition.hash import splitmix64
from daskml_dist.splits import Tally

ROWS = (40, 0, 1, 60, 33, 66)
N = sum(ROWS)
STRATEGIES = (ByCluster, ByGroup, Even, Hash, Random, Sequential, Stratified)
every_strategy = pytest.mark.parametrize("kind", STRATEGIES, ids=lambda kind: kind.__name__)

LABELS = np.array(["no", "yes", "maybe"])[np.random.default_rng(0).choice(3, N, p=[0.7, 0.25, 0.05])]
GROUPS = np.random.default_rng(1).integers(0, 23, N)
FEATURES = np.random.default_rng(2).standard_normal((N, 3)) + 4.0 * (np.arange(N) % 4)[:, None]
COLUMNS: dict[str, Any] = {
    "rows": None,
    "labels": LABELS,
    "groups": GROUPS,
    "keys": GROUPS,
    "features": FEATURES,
}


def chunks(column: Any) -> Iterator[tuple[int, int, Any]]:
    """The number, rows and column of each chunk."""
    start = 0
    for chunk, rows in enumerate(ROWS):
        yield chunk, rows, None if column is None else column[start : start + rows]
        start += rows


def tally(asks: str) -> Tally:
    """The rows of each chunk, by label or group where it is asked for: counted by hand."""
    if asks not in ("labels", "groups"):
        return Tally(np.array(ROWS)[:, None])
    values, first = np.unique(COLUMNS[asks], return_index=True)
    values = values[np.argsort(first)] if asks == "labels" else values
    counts = np.array([[(part == value).sum() for value in values] for _, _, part in chunks(COLUMNS[asks])])
    return Tally(counts if asks == "labels" else counts.sum(axis=0, keepdims=True), values)


def settled(strategy: Strategy) -> Assignment:
    return strategy.settle(tally(strategy.asks), FEATURES if strategy.asks == "features" else None)


def placed(strategy: Strategy) -> np.ndarray:
    """(n,) the partition of each row."""
    assignment = settled(strategy)
    return np.concatenate([assignment.of(*chunk) for chunk in chunks(COLUMNS[strategy.asks])])


def check_each_row_has_one_partition(place: Callable[[Strategy], np.ndarray], strategy: Strategy) -> None:
    parts = place(strategy)
    assert parts.shape == (N,)
    assert parts.dtype == np.int32
    assert set(parts.tolist()) == set(range(strategy.n_partitions))


def check_the_same_rows_have_the_same_place(
    place: Callable[[Strategy], np.ndarray], strategy: Strategy
) -> None:
    again = pickle.loads(pickle.dumps(strategy))
    assert again == strategy
    np.testing.assert_array_equal(place(again), place(strategy))


CHECKS = {name: check for name, check in list(globals().items()) if name.startswith("check_")}


@every_strategy
@pytest.mark.parametrize("n_partitions", [1, 2, 3])
@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_every_strategy_keeps_the_contract(
    check: Callable[..., None], kind: type[Strategy], n_partitions: int
) -> None:
    check(placed, kind(n_partitions))


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_a_lie_is_noticed(check: Callable[..., None]) -> None:
    def lie(strategy: Strategy) -> np.ndarray:
        return np.random.default_rng().integers(0, strategy.n_partitions + 1, N).astype(np.int32)

    with pytest.raises(AssertionError):
        check(lie, Even(3))


def test_every_strategy_is_asked() -> None:
    exported = [getattr(partition, name) for name in partition.__all__]
    strategies = {kind for kind in exported if inspect.isclass(kind) and issubclass(kind, Strategy)}
    assert strategies - {Strategy} == set(STRATEGIES)


@every_strategy
def test_a_settled_strategy_travels(kind: type[Strategy]) -> None:
    assignment = settled(kind(3))
    copy = pickle.loads(pickle.dumps(assignment))
    for chunk, rows, column in chunks(COLUMNS[kind.asks]):
        np.testing.assert_array_equal(copy.of(chunk, rows, column), assignment.of(chunk, rows, column))


@pytest.mark.parametrize("strategy", [Even(4), Random(4), Stratified(3)], ids=str)
def test_sizes_differ_by_one_row_at_most(strategy: Strategy) -> None:
    assert np.ptp(np.bincount(placed(strategy))) <= 1


def test_even_and_sequential_keep_the_order() -> None:
    for strategy in (Even(4), Sequential(3)):
        assert (np.diff(placed(strategy)) >= 0).all()


def test_sequential_cuts_no_chunk() -> None:
    assignment = settled(Sequential(3))
    assert all(len(set(assignment.of(*chunk).tolist())) <= 1 for chunk in chunks(None))


def test_stratified_has_each_class_everywhere() -> None:
    parts = placed(Stratified(3, seed=5))
    for label in np.unique(LABELS):
        assert np.ptp(np.bincount(parts[LABELS == label], minlength=3)) <= 1


@pytest.mark.parametrize("strategy", [ByGroup(4), Hash(4)], ids=str)
def test_a_group_is_together(strategy: Strategy) -> None:
    parts = placed(strategy)
    assert all(len(set(parts[GROUPS == group].tolist())) == 1 for group in np.unique(GROUPS))


def test_groups_are_balanced_as_graham_says() -> None:
    sizes = np.bincount(placed(ByGroup(4)))
    best = max(N / 4, np.bincount(GROUPS).max())  # no assignment is better than this
    assert sizes.max() <= (4 / 3) * best + np.bincount(GROUPS).max()
    assert sizes.max() <= 1.1 * N / 4


def test_clusters_that_are_far_apart_are_found() -> None:
    rows = np.random.default_rng(0).standard_normal((N, 2)) + 100.0 * (np.arange(N) % 3)[:, None]
    assignment = ByCluster(3, seed=1).settle(tally("rows"), rows)
    parts = assignment.of(0, N, rows)
    assert all(len(set(parts[start::3].tolist())) == 1 for start in range(3))
    assert len(set(parts.tolist())) == 3


def test_splitmix64_is_the_published_one() -> None:
    # the first two outputs for seed 1234567, as printed with its reference implementation
    seeds = np.array([1234567, (1234567 + 0x9E3779B97F4A7C15) % 2**64], dtype=np.uint64)
    assert splitmix64(seeds).tolist() == [6457827717110365317, 3203168211198807973]


def test_text_is_hashed_by_blake2b() -> None:
    expected = int.from_bytes(blake2b("Zürich".encode(), digest_size=8).digest(), "little")
    assert key_hash(np.array(["Zürich", "Bern"])).tolist()[0] == expected
    assert key_hash(np.array(["Zürich"], dtype=object)).tolist() == [expected]


def test_the_same_number_has_the_same_hash_in_each_type() -> None:
    numbers = [0, 1, -5, 2**40]
    hashes = key_hash(np.array(numbers))
    for other in (np.array(numbers, dtype=float), np.array(numbers, dtype=object)):
        np.testing.assert_array_equal(key_hash(other), hashes)
    np.testing.assert_array_equal(
        key_hash(np.array([True, False])), key_hash(np.array([1, 0], dtype=np.uint8))
    )
    assert key_hash(np.array([0.5]))[0] != key_hash(np.array([0]))[0]
    days = np.array(["2026-01-01", "2026-01-02"], dtype="datetime64[D]")
    np.testing.assert_array_equal(key_hash(days), key_hash(days.astype("datetime64[s]")))


def test_hashes_spread_neighbouring_numbers() -> None:
    parts = Hash(16).settle(tally("rows")).of(0, 100_000, np.arange(100_000))
    counts = np.bincount(parts, minlength=16)
    assert ((counts - 6250) ** 2 / 6250).sum() < 37.7  # chi-square of 15 degrees, p = 0.001


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        (np.array([1.0, np.nan]), "missing"),
        (np.array(["2020-01-01", "NaT"], dtype="datetime64[D]"), "missing"),
        (np.array(["a", None], dtype=object), "None of type NoneType"),
        (np.array([2**70], dtype=object), "int"),
        (np.array([1j]), "complex"),
    ],
    ids=["nan", "nat", "none", "large", "complex"],
)
def test_keys_that_have_no_hash_are_named(keys: np.ndarray, told: str) -> None:
    with pytest.raises(InvalidData, match=told) as caught:
        Hash(2).settle(tally("rows")).of(7, len(keys), keys)
    assert "chunk 7" in str(caught.value)


@every_strategy
@pytest.mark.parametrize("wrong", [0, -1, 2.0, True, None], ids=str)
def test_numbers_of_partitions_that_are_none(kind: type[Strategy], wrong: Any) -> None:
    with pytest.raises(UnsupportedParameter, match="n_partitions"):
        kind(wrong)


@every_strategy
def test_more_partitions_than_rows(kind: type[Strategy]) -> None:
    with pytest.raises(InvalidData, match="n_partitions=201"):
        settled(kind(N + 1))


def test_fewer_groups_members_chunks_or_different_rows_than_partitions() -> None:
    for strategy, told in [
        (ByGroup(24), "number of groups: 23"),
        (Stratified(60), "too few for one in each of n_partitions=60"),
        (Sequential(6), "Use Even"),
    ]:
        with pytest.raises(InvalidData, match=told):
            settled(strategy)
    with pytest.raises(InvalidData, match="fewer different rows than n_partitions=3"):
        ByCluster(3).settle(tally("rows"), np.repeat([[0.0, 1.0], [1.0, 0.0]], 50, axis=0))


def test_unseen_groups_and_other_chunks_are_refused() -> None:
    with pytest.raises(ChunkMismatch, match="99 was not among them"):
        settled(ByGroup(3)).of(0, 2, np.array([3, 99]))
    for strategy in (Even(3), Random(3), Sequential(3)):
        with pytest.raises(ChunkMismatch, match="Chunk 0"):
            settled(strategy).of(0, 41)


def test_rows_that_are_near_no_centre_are_named() -> None:
    rows = FEATURES[:40].copy()
    rows[7, 1] = np.inf
    with pytest.raises(InvalidData, match=r"chunk 0, row 7"):
        settled(ByCluster(3)).of(0, 40, rows)
