"""Training and test parts: scikit-learn's in memory, and fair, lazy and in kind where data are chunked."""

from __future__ import annotations

from typing import Any

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from dask.base import is_dask_collection
from distributed import Client, LocalCluster, wait
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn import model_selection

from daskml_dist.linear_model import LogisticRegression
from daskml_dist.model_selection import train_test_split
from tests.model_selection.containers import (
    IN_MEMORY,
    LAZY,
    Data,
    N,
    arrays,
    assert_same,
    computed,
    cut,
    frame,
    made,
    mixed,
    rows_of,
)

WAYS: dict[str, dict[str, Any]] = {
    "default": {"random_state": 0},
    "sizes": {"random_state": 1, "test_size": 11, "train_size": 0.4},
    "in order": {"shuffle": False, "test_size": 0.3},
    "in order, less than all": {"shuffle": False, "test_size": 20, "train_size": 30},
    "stratified": {"random_state": 2, "test_size": 0.2, "stratify": True},
    "stratified, less than all": {"random_state": 3, "test_size": 9, "train_size": 0.5, "stratify": True},
}
every_way = pytest.mark.parametrize("how", WAYS.values(), ids=WAYS)


def given(how: dict[str, Any], data: Data) -> dict[str, Any]:
    """The parameters, with the labels to stratify by where that is asked for."""
    return how | {"stratify": data.y} if "stratify" in how else how


@every_way
@pytest.mark.parametrize("kind", IN_MEMORY)
def test_in_memory_it_is_scikit_learns(how: dict[str, Any], kind: str) -> None:
    data = IN_MEMORY[kind](made())
    ours = train_test_split(*data, **given(how, data))
    theirs = model_selection.train_test_split(*data, **given(how, data))
    assert len(ours) == len(theirs) == 6
    for a, b in zip(ours, theirs, strict=True):
        assert_same(a, b)


def test_other_things_in_memory_are_scikit_learns() -> None:
    X = sparse.csr_array(np.eye(10))
    labelled = xr.DataArray(np.arange(10), dims="time", coords={"time": np.arange(10) * 3})
    ours = train_test_split(X, labelled, random_state=0)
    theirs = model_selection.train_test_split(X, labelled, random_state=0)
    for a, b in zip(ours[:2], theirs[:2], strict=True):
        assert_array_equal(a.toarray(), b.toarray())
    for a, b in zip(ours[2:], theirs[2:], strict=True):
        xr.testing.assert_identical(a, b)


@pytest.mark.thinned(3)
@every_way
@pytest.mark.parametrize("kind", LAZY)
def test_chunked_rows_are_parted_in_kind(how: dict[str, Any], kind: str) -> None:
    data = made()
    lazy = LAZY[kind](data)
    parts = train_test_split(*lazy, np.arange(N), **given(how, lazy))
    *parts, train, test = parts
    check_rows(how, data, train, test)
    loaded = dask.compute(*parts)
    for position, values in enumerate(lazy):
        for side, index in ((0, train), (1, test)):
            part = parts[2 * position + side]
            assert is_dask_collection(part) == is_dask_collection(values)
            assert_same(loaded[2 * position + side], rows_of(values, index))
            if isinstance(part, (da.Array, xr.DataArray)):
                assert part.shape[0] == len(index)
            if isinstance(part, dd.DataFrame):
                assert part.known_divisions


def check_rows(how: dict[str, Any], data: Data, train: np.ndarray, test: np.ndarray) -> None:
    """Positions that scikit-learn could have drawn: disjoint, as many, and as many of each class."""
    theirs = model_selection.train_test_split(np.arange(N), **given(how, data))
    assert_array_equal(train, np.sort(train))
    assert_array_equal(test, np.sort(test))
    assert not np.isin(train, test).any()
    assert [len(train), len(test)] == [len(side) for side in theirs]
    if "shuffle" in how:
        assert_array_equal(train, theirs[0])
        assert_array_equal(test, theirs[1])
    if "stratify" in how:
        for side, expected in zip((train, test), theirs, strict=True):
            assert_array_equal(np.sort(data.y[side]), np.sort(data.y[expected]))


def test_the_cluster_parts_the_same_rows_and_keeps_data_where_they_are(cluster: LocalCluster) -> None:
    lazy = arrays(made(), cut(17))
    ways = [given(WAYS[name], lazy) for name in ("default", "stratified")]
    here = [dask.compute(*train_test_split(*lazy, **how)) for how in ways]
    with Client(cluster, set_as_default=True) as client:
        held = Data(*client.persist(list(lazy)))
        wait(list(held))
        for how, expected in zip(ways, here, strict=True):
            for a, b in zip(dask.compute(*train_test_split(*held, **how)), expected, strict=True):
                assert_array_equal(a, b)
        frames = dd.from_pandas(frame(made()), npartitions=5).persist()
        train, test = train_test_split(frames, random_state=0, stratify=frames["y"])
        assert len(train) + len(test) == N


def test_seeds_draw_other_rows() -> None:
    X = da.arange(N, chunks=20)
    drawn = [train_test_split(X, random_state=seed)[1].compute().tolist() for seed in (0, 0, 1, None, None)]
    assert drawn[0] == drawn[1]
    assert len({tuple(rows) for rows in drawn}) == 4
    state = np.random.RandomState(0)
    assert len({tuple(train_test_split(X, random_state=state)[1].compute().tolist()) for _ in range(2)}) == 2


def test_nothing_is_computed_where_lengths_are_known() -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("something computed")

    lazy = arrays(made(), cut(5))
    with dask.config.set(scheduler=refuse):
        for how in (WAYS["default"], WAYS["in order"]):
            train, test = train_test_split(lazy.X, **how)
            assert len(train) + len(test) == N


def test_rows_in_order_leave_chunks_alone() -> None:
    X = da.ones((100, 2), chunks=(10, 2))
    train, test = train_test_split(X, shuffle=False, test_size=0.25)
    assert (train.chunks[0], test.chunks[0]) == ((10,) * 7 + (5,), (5, 10, 10))


def test_a_frame_with_words_is_parted() -> None:
    whole = pd.DataFrame({"w": list("abcde") * 4, "n": range(20)})
    lazy = dd.from_pandas(whole, npartitions=3)
    w = lazy["w"]
    train, test, names, others = train_test_split(lazy, w, random_state=0, stratify=w, test_size=5)
    assert sorted(test["w"].compute()) == sorted(others.compute()) == list("abcde")
    assert train.columns.tolist() == ["w", "n"]
    assert train.index.compute().tolist() == names.index.compute().tolist()


def test_a_model_is_trained_and_scored(backend: str) -> None:
    data = made(2)
    lazy = mixed(data)
    X_train, X_test, y_train, y_test = train_test_split(lazy.X, lazy.y, random_state=0, stratify=lazy.y)
    model = LogisticRegression(verbose=0).fit(X_train, y_train)
    expected = LogisticRegression(verbose=0).fit(computed(X_train), computed(y_train))
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-6)
    assert model.score(X_test, y_test) == expected.score(computed(X_test), computed(y_test))
