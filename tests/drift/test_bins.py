"""Bins and counts: NumPy's histogram, and the same counts however they are gathered."""

from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load, save

from daskml_dist import drift
from daskml_dist.errors import InvalidData

SEED = 20261122


def data(rows: int = 3000) -> np.ndarray:
    rng = np.random.default_rng(SEED)
    X = np.column_stack(
        [
            rng.normal(size=rows),
            rng.lognormal(size=rows),
            rng.integers(0, 3, rows),  # few distinct values
            np.where(rng.random(rows) < 0.7, 0.0, rng.exponential(size=rows)),  # one value fills many bins
            np.ones(rows),
        ]
    )
    X[::50, 0] = np.nan
    return X


NAMES = ["normal", "log-normal", "few", "zeros", "constant"]


def test_counts_are_those_of_numpys_histogram() -> None:
    X = data()
    reference = drift.reference(X, NAMES)
    for column, thresholds, counts in zip(X.T, reference.thresholds, reference.counts, strict=True):
        edges = thresholds[np.isfinite(thresholds)]
        expected = np.histogram(column[np.isfinite(column)], np.r_[-np.inf, edges, np.inf])[0]
        np.testing.assert_array_equal(counts[: len(expected)], expected)
        assert counts[-1] == np.isnan(column).sum()
        assert counts.sum() == len(X)
        assert counts[0] == 0  # nothing of the training is out of its own range
        assert counts[len(expected) - 1] == 0


def test_a_continuous_column_has_bins_of_equal_weight() -> None:
    counts = drift.reference(data(), NAMES).counts[0, 1:21]
    assert np.abs(counts - 2940 / 20).max() <= 1


def test_few_distinct_values_have_a_bin_each() -> None:
    X = data()
    counts = drift.reference(X, NAMES).counts[2]
    np.testing.assert_array_equal(counts[1:4], np.bincount(X[:, 2].astype(int)))


def test_a_value_that_fills_many_bins_has_its_own() -> None:
    X = data()
    assert drift.reference(X, NAMES).counts[3, 1] == np.count_nonzero(X[:, 3] == 0)


def test_neighbouring_numbers_are_told_apart() -> None:
    close = np.array([[1.0], [np.nextafter(1.0, 2.0)], [np.nextafter(1.0, 2.0)]])
    np.testing.assert_array_equal(drift.reference(close, ["x"]).counts[0, 1:3], [1, 2])


def test_out_of_range_and_missing() -> None:
    counter = drift.Counter(drift.reference(np.arange(10.0)[:, None], ["x"], bins=5))
    counter.add(np.array([[-0.001], [-np.inf], [0.0], [9.0], [9.001], [np.inf], [np.nan]]))
    np.testing.assert_array_equal(counter.take()[0], [2, 1, 0, 0, 0, 1, 2, 1])


def test_a_column_without_values_counts_what_comes_as_unseen() -> None:
    reference = drift.reference(np.full((5, 1), np.nan), ["x"], bins=2)
    counter = drift.Counter(reference)
    counter.add(np.array([[1.0], [np.nan]]))
    taken = counter.take()
    assert taken.sum() == 2
    assert taken[0, -1] == 1


@given(sizes=st.lists(st.integers(0, 700), max_size=8), split=st.integers(0, 8))
def test_counts_do_not_depend_on_how_rows_arrive(sizes: list[int], split: int) -> None:
    X = data(400)
    reference = drift.reference(X, NAMES)
    rows = np.random.default_rng(len(sizes)).choice(X, size=sum(sizes))
    counters = [drift.Counter(reference), drift.Counter(reference)]
    for i, (start, end) in enumerate(pairwise(np.cumsum([0, *sizes]))):
        counters[i >= split].add(rows[start:end])
    once = drift.Counter(reference)
    once.add(rows)
    np.testing.assert_array_equal(counters[0].take() + counters[1].take(), once.take())
    assert counters[0].take().sum() == 0  # taken is taken


def test_scores_are_watched_like_columns() -> None:
    X = data()
    scores = np.random.default_rng(SEED).random((len(X), 2))
    one = drift.reference(X, NAMES, scores=scores[:, 0])
    two = drift.reference(X, NAMES, scores=scores)
    assert one.names == (*NAMES, "(score)")
    assert two.names == (*NAMES, "(score) 0", "(score) 1")
    counter = drift.Counter(two)
    counter.add(X[:10], scores[:10])
    counter.add(X[10:], scores[10:])
    np.testing.assert_array_equal(counter.take(), two.counts)


def test_a_reference_survives_a_file() -> None:
    reference = drift.reference(data(), NAMES, scores=np.arange(3000.0))
    found = drift.Reference.from_arrays(load(save(reference.to_arrays())))
    assert found is not None and drift.Reference.from_arrays({"means": np.zeros(5)}) is None
    assert found.names == reference.names
    assert found.scores == reference.scores == 1
    np.testing.assert_array_equal(found.thresholds, reference.thresholds)
    np.testing.assert_array_equal(found.counts, reference.counts)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("names", np.frombuffer(b'["a", 1, "c", "d", "e"]', dtype=np.uint8)),
        ("names", np.frombuffer(b"[", dtype=np.uint8)),
        ("names", np.frombuffer(b"[]", dtype=np.uint8)),
        ("names", np.frombuffer(b"3", dtype=np.uint8)),
        ("scores", np.array([6])),
        ("scores", np.array([-1])),
        ("scores", np.array([1, 2])),
        ("thresholds", np.zeros((5, 21))),
        ("thresholds", np.zeros(5)),
        ("thresholds", np.tile(np.arange(22.0), (5, 1))),
        ("thresholds", np.tile(np.r_[np.nan, np.arange(20.0)], (5, 1))),
        ("counts", np.full((5, 23), -1)),
        ("counts", np.zeros((5, 23))),
        ("counts", np.zeros((5, 21), dtype=np.int64)),
    ],
)
def test_what_reference_cannot_have_made_is_refused(key: str, value: np.ndarray) -> None:
    arrays = drift.reference(data(), NAMES).to_arrays()
    key = f"drift.{key}"
    assert drift.Reference.from_arrays(arrays) is not None
    with pytest.raises(InvalidData, match="no reference of drift"):
        drift.Reference.from_arrays({**arrays, key: value})
    with pytest.raises(InvalidData, match="no reference of drift"):
        drift.Reference.from_arrays({k: array for k, array in arrays.items() if k != key})


def test_what_does_not_fit_is_refused_and_not_counted() -> None:
    X = data(10)
    with pytest.raises(InvalidData, match="4 names"):
        drift.reference(X, NAMES[:4])
    with pytest.raises(InvalidData, match="needs rows"):
        drift.reference(X[:0], NAMES)
    with pytest.raises(InvalidData, match="needs rows"):
        drift.reference(X[:, :0], [])
    with pytest.raises(InvalidData, match="bins=121"):
        drift.reference(X, NAMES, bins=121)
    plain = drift.Counter(drift.reference(X, NAMES))
    scored = drift.Counter(drift.reference(X, NAMES, scores=X[:, 4]))
    with pytest.raises(InvalidData, match="5 features"):
        plain.add(X[:, :4])
    with pytest.raises(InvalidData, match="5 features"):
        plain.add(X[0])
    with pytest.raises(InvalidData, match="scores"):
        plain.add(X, X[:, 0])
    with pytest.raises(InvalidData, match="give those"):
        scored.add(X)
    with pytest.raises(InvalidData, match="shape"):
        scored.add(X, X[:3, 0])
    assert plain.take().sum() == scored.take().sum() == 0


def test_the_widest_reference_counts_right() -> None:
    X = np.random.default_rng(SEED).normal(size=(5000, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reference = drift.reference(X, ["x"], bins=120)
        counter = drift.Counter(reference)
        counter.add(np.array([[np.inf], [np.nan], [-np.inf]]))
    assert counter.take()[0, [0, 121, 122]].tolist() == [1, 1, 1]
    assert reference.counts[0, 1:121].min() > 35
