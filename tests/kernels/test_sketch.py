"""Sketches, against sorting all numbers: keys keep the order, bins what is in them, and few are enough."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from daskml_dist.kernels import ExactSum, LabelPairs, Question, ScoreSketch, Sketch, Window, answer
from daskml_dist.kernels.sketch import LAST_KEY, folded, keys, merged, numbers, sketch
from daskml_dist.types import Chunk

FINITE = st.floats(allow_nan=False, allow_infinity=False)
EXTREMES = np.array(
    [-np.finfo(float).max, -1.0, -5e-324, -0.0, 0.0, 5e-324, 0.5, np.nextafter(0.5, 1), 1e308]
)


def random_parts(seed: int, most: int, sizes: tuple[int, ...] = (300, 1, 40, 900, 7)) -> list[Sketch]:
    """Sketches of numbers with ties, of several scales, in three groups."""
    rng = np.random.default_rng(seed)
    parts = []
    for size in sizes:
        values = np.round(rng.standard_normal(size) * 10.0 ** rng.integers(-3, 4, size), 2)
        group = rng.integers(0, 3, size).astype(np.int32)
        parts.append(sketch(keys(values), group, rng.random(size), most))
    return parts


def fields(one: Sketch) -> list[Any]:
    return [one.shift, *(part.tobytes() for part in (one.group, one.low, one.high, one.rows, one.weights))]


@given(st.lists(FINITE, min_size=1, max_size=50))
@settings(max_examples=100, deadline=None)
def test_keys_are_in_the_order_of_the_numbers_and_lead_back(values: list[float]) -> None:
    given_ = np.array([*values, *EXTREMES])
    assert_array_equal(numbers(keys(given_)), given_)
    order = np.argsort(keys(given_), kind="stable")
    assert_array_equal(given_[order], np.sort(given_))
    assert keys(np.array([0.0]))[0] == keys(np.array([-0.0]))[0]
    assert keys(given_).max() <= LAST_KEY


@pytest.mark.parametrize("most", [6, 7, 50, 10_000])
@pytest.mark.parametrize("seed", range(5))
def test_any_grouping_gives_the_same_sketch(seed: int, most: int) -> None:
    rng, parts = np.random.default_rng(seed), random_parts(seed, most)
    expected = fields(merged(parts, most))
    for _ in range(10):
        left = [parts[i] for i in rng.permutation(len(parts))]
        while len(left) > 1:
            left = (
                [merged(left[:2], most), *left[2:]]
                if rng.random() < 0.5
                else [*left[2:], merged(left[:2], most)]
            )
        assert fields(left[0]) == expected
    kept = folded(dict(enumerate(parts)), most)
    assert sum(len(part.low) for part in kept.values()) <= 2 * most
    assert fields(merged([kept[key] for key in sorted(kept)], most)) == expected


@pytest.mark.parametrize("most", [6, 64, 10_000])
def test_bins_hold_what_is_in_them(most: int) -> None:
    rng = np.random.default_rng(3)
    values, group, weight = rng.standard_normal(2000).round(2), rng.integers(0, 2, 2000), rng.random(2000)
    found = sketch(keys(values), group.astype(np.int32), weight, most)
    assert len(found.low) <= most
    assert (found.shift == 0) == (most == 10_000)
    assert found.rows.sum() == 2000
    for g, low, high, rows, total in zip(
        found.group, numbers(found.low), numbers(found.high), found.rows, found.weights, strict=True
    ):
        inside = (group == g) & (values >= low) & (values <= high)
        assert (values[inside].min(), values[inside].max(), inside.sum()) == (low, high, rows)
        assert total == pytest.approx(weight[inside].sum(), rel=1e-13)


def test_as_few_bits_are_dropped_as_must_be() -> None:
    values = keys(np.arange(1.0, 101.0))
    group = np.zeros(100, dtype=np.int32)
    for most in (2, 3, 10, 37, 64, 99, 100):
        shift = sketch(values, group, None, most).shift
        assert len(np.unique(values >> np.uint64(shift))) <= most
        assert shift == 0 or len(np.unique(values >> np.uint64(shift - 1))) > most


def test_a_window_is_what_all_of_it_would_be() -> None:
    rng = np.random.default_rng(5)
    X, y, weight = rng.standard_normal((500, 3)).round(1), rng.integers(0, 2, 500) * 1.0, rng.random(500)
    chunks = [
        Chunk(i, X[s : s + 100], y[s : s + 100], weight[s : s + 100])
        for i, s in enumerate(range(0, 500, 100))
    ]
    low, high = keys(np.array([-0.5, 0.7])).tolist()
    found = answer(Question(ScoreSketch(2, window=Window(1, low, high))), chunks, 5)
    inside = (X[:, 1] >= -0.5) & (X[:, 1] <= 0.7)
    assert set(found.group) == {2, 3}
    assert found.rows.sum() == inside.sum()
    assert found.weights.sum() == pytest.approx(weight[inside].sum(), rel=1e-14)


def test_runs_of_exact_sums_are_sums() -> None:
    rng = np.random.default_rng(7)
    addends = rng.standard_normal(200) * 10.0 ** rng.integers(-30, 30, 200)
    addends[::17] = 0.0
    order, starts = rng.permutation(200), np.array([0, 3, 4, 90, 150])
    halves = ExactSum.side_by_side([ExactSum.of(addends[None, :120]), ExactSum.of(addends[None, 120:])])
    sums = halves.runs(order, starts).value()
    for total, run in zip(sums, np.split(addends[order], starts[1:]), strict=True):
        assert total == ExactSum.of(run[:, None]).value()[0]
    assert_allclose(sums, np.add.reduceat(addends[order], starts), rtol=1e-10)


def test_labels_of_any_type_are_paired() -> None:
    """1, 1.0, True and "1": the first three are one label."""
    chunks = [
        Chunk(0, np.array([[1], [0]]), np.array([1.0, 2.0])),
        Chunk(1, np.array([[True], [False]]), np.array([1, 0], dtype=np.uint8)),
        Chunk(2, np.array([[2**60 + 1]]), np.array([2**60], dtype=object)),
    ]
    found = answer(Question(LabelPairs()), chunks, 3)
    assert found.y.tolist() == [0, 1, 2, 2**60]
    assert found.X.tolist() == [0, 1, 0, 2**60 + 1]
    assert found.rows.tolist() == [1, 2, 1, 1]
    assert found.weight is None
