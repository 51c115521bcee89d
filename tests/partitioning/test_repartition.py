"""Rows move to where the strategy says, in every container, on both backends; nothing is lost or doubled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import xarray as xr

from daskml_dist import repartition
from daskml_dist.errors import InvalidData, UnsupportedCombination, UnsupportedParameter
from daskml_dist.partition import (
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
from daskml_dist.partitioning import Columns, Grid
from tests.model_selection.containers import IN_MEMORY, LAZY, Data, N, computed, made

CONTAINERS = LAZY | IN_MEMORY
every_container = pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
RULES: dict[str, Callable[[Data], tuple[Strategy, Any]]] = {
    "even": lambda data: (Even(3), None),
    "random": lambda data: (Random(3, seed=1), None),
    "hash": lambda data: (Hash(3), data.groups),
    "stratified": lambda data: (Stratified(3), data.y),
    "by group": lambda data: (ByGroup(3), data.groups),
    "by cluster": lambda data: (ByCluster(3), None),
}
every_rule = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
LAZY_KINDS = (da.Array, dd.DataFrame, dd.Series)


def values_of(moved: Any) -> np.ndarray:
    """The numbers of a container, as an array."""
    found = computed(moved)
    return np.asarray(found.to_dataarray().T if isinstance(found, xr.Dataset) else found)


def lengths(moved: Any) -> tuple[int, ...]:
    """Rows of each chunk."""
    if isinstance(moved, xr.Dataset):
        return tuple(moved.chunks["time"])
    if isinstance(moved, xr.DataArray):
        return tuple(moved.chunks[0])
    if isinstance(moved, da.Array):
        return tuple(moved.chunks[0])
    return tuple(len(moved.partitions[i].compute()) for i in range(moved.npartitions))


def is_lazy(moved: Any) -> bool:
    if isinstance(moved, xr.Dataset):
        return all(is_lazy(variable) for variable in moved.data_vars.values())
    return isinstance(moved.data if isinstance(moved, xr.DataArray) else moved, LAZY_KINDS)


@pytest.mark.thinned(3)
@every_container
@every_rule
def test_rows_move_together_and_none_is_lost(
    container: Callable[[Data], Data], rule: Callable[[Data], tuple[Strategy, Any]]
) -> None:
    plain = made()
    data = container(plain)
    by, keys = rule(data)
    X, y, groups = repartition(*data, by=by, keys=keys)
    assert all(is_lazy(part) for part in (X, y, groups))
    assert lengths(X) == lengths(y) == lengths(groups)
    assert len(lengths(X)) == 3
    place = {tuple(row): i for i, row in enumerate(plain.X.tolist())}
    order = [place[tuple(row)] for row in values_of(X).astype(float).tolist()]
    assert sorted(order) == list(range(N))
    np.testing.assert_array_equal(values_of(y), plain.y[order])
    np.testing.assert_array_equal(values_of(groups), plain.groups[order])
    ends = np.cumsum((0, *lengths(X)))
    for start, end in zip(ends[:-1], ends[1:], strict=True):
        assert order[start:end] == sorted(order[start:end])  # rows keep their order


@pytest.mark.parametrize("rule", [Even(4), Sequential(3), Random(4), ByCluster(2)], ids=str)
def test_threads_and_a_cluster_agree(rule: Strategy, request: pytest.FixtureRequest) -> None:
    X = da.from_array(made().X, chunks=(10, 2))
    [here] = repartition(X, by=rule)
    expected = here.compute(scheduler="threads")
    request.getfixturevalue("client")
    [there] = repartition(X, by=rule)
    assert there.chunks == here.chunks
    assert there.compute().tobytes() == expected.tobytes()


def test_hash_puts_rows_where_its_formula_says() -> None:
    data = LAZY["3 chunks"](made())
    _, groups = repartition(data.X, data.groups, by=Hash(4), keys=data.groups)
    for i, part in enumerate(groups.blocks):
        assert (key_hash(part.compute()) % 4 == i).all()


def test_labels_and_names_go_with_the_rows() -> None:
    data = LAZY["xarray"](made())
    [X] = repartition(data.X, by=Random(3))
    at = X.coords["time"].to_numpy() // 2
    np.testing.assert_array_equal(X.coords["site"].to_numpy(), made().groups[at])
    np.testing.assert_array_equal(X.to_numpy(), made().X[at])
    assert X.dims == data.X.dims
    assert X.attrs == data.X.attrs
    assert X.name == data.X.name
    frame = IN_MEMORY["pandas"](made()).X
    [moved] = repartition(frame, by=Random(3))
    pd.testing.assert_frame_equal(moved.compute().sort_index(), frame)


def test_sparse_rows_stay_sparse() -> None:
    dense = np.where(np.random.default_rng(0).random((N, 5)) < 0.8, 0.0, 1.0) * np.arange(1, N + 1)[:, None]
    lazy = da.from_array(dense, chunks=(20, 5)).map_blocks(sp.csr_array)
    for X in (sp.csr_array(dense), lazy):
        [moved] = repartition(X, by=Even(3))
        assert all(sp.issparse(block.compute()) for block in moved.blocks)
        stacked = sp.vstack([block.compute() for block in moved.blocks]).toarray()
        np.testing.assert_array_equal(stacked, dense)


def test_chunks_that_stay_whole_are_not_copied() -> None:
    X = da.ones((40, 2), chunks=(10, 2)).persist(scheduler="synchronous")
    [moved] = repartition(X, by=Sequential(4))
    keys = [(moved.name, i, 0) for i in range(4)], [(X.name, i, 0) for i in range(4)]
    there, here = (dask.get(dict(array.dask), asked) for array, asked in zip((moved, X), keys, strict=True))
    assert all(ours is theirs for ours, theirs in zip(there, here, strict=True))


@pytest.mark.parametrize(
    "make", [np.asarray, lambda X: da.from_array(X, chunks=(10, 4))], ids=["numpy", "dask"]
)
def test_columns(make: Callable[[np.ndarray], Any]) -> None:
    X = np.arange(60.0).reshape(10, 6)
    y = np.arange(10)
    even, same = repartition(make(X), y, by=Columns(Even(3)))
    assert even.chunks[1] == (2, 2, 2)
    assert same is y
    np.testing.assert_array_equal(even.compute(), X)
    [grouped] = repartition(make(X), by=Columns(ByGroup(2)), column_keys=["a", "b", "a", "b", "b", "b"])
    assert grouped.chunks[1] == (4, 2)
    np.testing.assert_array_equal(grouped.compute(), X[:, [1, 3, 4, 5, 0, 2]])


def test_a_grid() -> None:
    X = xr.DataArray(np.arange(60.0).reshape(10, 6), dims=["t", "f"], coords={"f": list("abcdef")})
    moved, y = repartition(X, np.arange(10), by=Grid(Random(2), Hash(2)), column_keys=list("abcdef"))
    assert moved.chunks[0] == (5, 5)
    assert y.chunks == ((5, 5),)
    assert len(moved.chunks[1]) == 2
    back = moved.sel(f=list("abcdef")).to_numpy()
    np.testing.assert_array_equal(back, np.asarray(X)[y.compute()])


@pytest.mark.parametrize(
    ("call", "error", "told"),
    [
        (lambda X: repartition(by=Even(2)), InvalidData, "At least one array"),
        (lambda X: repartition(X, by="random"), UnsupportedParameter, "expected a strategy"),
        (lambda X: repartition(X, by=Hash(2)), UnsupportedParameter, "pass keys="),
        (lambda X: repartition(X, by=Even(2), keys=X[:, 0]), UnsupportedParameter, "does not look at them"),
        (lambda X: repartition(X, np.ones(3), by=Even(2)), InvalidData, "inconsistent numbers"),
        (lambda X: repartition(X, by=Even(2), column_keys=[1]), UnsupportedParameter, "use Columns or Grid"),
        (lambda X: repartition(X, by=Columns(Even(2)), keys=X[:, 0]), UnsupportedParameter, "moves no rows"),
        (lambda X: repartition(X, by=Columns(ByCluster(2))), UnsupportedParameter, "looks at rows"),
        (lambda X: repartition(X, by=Columns(Hash(2))), UnsupportedParameter, "one value for each column"),
        (lambda X: repartition(X, by=Columns(Even(9))), InvalidData, "n_partitions=9"),
        (
            lambda X: repartition(pd.DataFrame(X), by=Columns(Even(2))),
            UnsupportedCombination,
            "live together",
        ),
        (lambda X: repartition(X, by=Even(99)), InvalidData, "n_partitions=99"),
    ],
)
def test_what_cannot_be_is_said(call: Callable[[Any], Any], error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        call(np.ones((10, 4)))


def test_missing_keys_are_named_with_their_chunk() -> None:
    keys = da.from_array(np.array([1.0, 2.0, np.nan, 3.0]), chunks=2)
    with pytest.raises(InvalidData, match=r"1 missing values.*chunk 1"):
        repartition(da.ones((4, 2), chunks=(2, 2)), by=Hash(2), keys=keys)
