"""Some rows of every container, in its kind; rows counted and labelled whatever is in them."""

from __future__ import annotations

from typing import Any

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from dask.task_spec import DataNode
from numpy.testing import assert_array_equal

from daskml_dist.errors import ChunkMismatch, InvalidData
from daskml_dist.inputs import (
    Chosen,
    chunk_rows,
    column_in_chunks,
    index_needed,
    kind_of,
    measure_needed,
    read,
    row_counts,
    take,
)
from tests.inputs.test_every_container import loaded, numbers

MASKS = {
    "some": [1, 0, 1, 0, 0, 1, 1],
    "whole chunks": [0, 0, 1, 1, 1, 1, 1],
    "one": [0, 0, 1, 0, 0, 0, 0],
    "all": [1] * 7,
    "none": [0] * 7,
}


def chosen(mask: Any, rows: tuple[int, ...]) -> Chosen:
    """The rows where the mask is 1, of chunks of these lengths."""
    fold = np.asarray(mask, dtype=np.int32)
    parts = np.split(fold, np.cumsum(rows)[:-1])
    return Chosen(
        da.from_array(fold, chunks=(rows,)),
        np.array([False, True]),
        rows,
        tuple(int(part.sum()) for part in parts),
        np.flatnonzero(fold),
    )


def lengths(X: Any) -> tuple[int, ...]:
    known = chunk_rows(X)
    return tuple(row_counts(X).compute().tolist()) if known is None else known


def positions(X: Any, mask: Any) -> Any:
    """The same rows, taken by NumPy, pandas or xarray itself."""
    index = np.flatnonzero(mask)
    whole = loaded(X)
    if isinstance(whole, list):
        return [whole[i] for i in index]
    if isinstance(whole, xr.Dataset):
        return whole.isel(time=index)
    return whole.iloc[index] if isinstance(whole, (pd.DataFrame, pd.Series)) else whole[index]


def assert_same(result: Any, expected: Any) -> None:
    assert type(result) is type(expected)
    if isinstance(result, xr.DataArray | xr.Dataset):
        xr.testing.assert_identical(result, expected)
        assert result.attrs == expected.attrs
    elif isinstance(result, pd.DataFrame):
        pd.testing.assert_frame_equal(result, expected)
    elif isinstance(result, pd.Series):
        pd.testing.assert_series_equal(result, expected)
    else:
        assert_array_equal(result, expected)


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_rows_are_taken_in_the_kind_of_the_container(container, mask, nothing_computes):
    kind, make = container
    X = make(numbers())
    these = chosen(mask, lengths(X))
    with nothing_computes:
        result = take(X, these)
        assert kind_of(result) == kind
    assert dask.is_dask_collection(result) == dask.is_dask_collection(X)
    assert_same(loaded(result), positions(X, mask))
    if isinstance(result, (da.Array, xr.DataArray)) and dask.is_dask_collection(result):
        taken = [n for n in these.taken if n] or [0]
        assert list((result if isinstance(result, da.Array) else result.data).chunks[0]) == taken


def test_lazy_rows_without_coords_need_no_index(container):
    kind, make = container
    X = make(numbers())
    assert index_needed(X) == (kind != "dask array" and kind != "dask dataframe")
    assert not index_needed(xr.DataArray(da.ones((7, 3), chunks=2)))


def test_divisions_still_bound_the_index():
    frame = dd.from_pandas(pd.DataFrame({"a": np.arange(20)}, index=np.arange(20) * 10), npartitions=5)
    mask = np.isin(np.arange(20), [0, 1, 9, 10, 11])
    result = take(frame, chosen(mask, lengths(frame)))
    assert result.divisions == (0, 80, 120)
    parts = [part.compute().index.tolist() for part in result.partitions]
    assert parts == [[0, 10], [90, 100, 110]]
    unsorted = frame.clear_divisions()
    assert take(unsorted, chosen(mask, lengths(unsorted))).divisions == (None,) * 3


def _block(i: int, broken: tuple[int, ...]) -> np.ndarray:
    if i in broken:
        raise RuntimeError(f"chunk {i} was loaded")
    return np.full((3, 2), float(i))


def _array(*broken: int) -> da.Array:
    blocks = [da.from_delayed(dask.delayed(_block)(i, broken), (3, 2), dtype=float) for i in range(4)]
    return da.concatenate(blocks)


def test_chunks_that_nobody_wants_are_not_loaded():
    mask = np.repeat([0, 1, 0, 1], 3)
    result = take(_array(0, 2), chosen(mask, (3,) * 4))
    assert_array_equal(result.compute()[:, 0], [1, 1, 1, 3, 3, 3])
    with pytest.raises(RuntimeError, match="chunk 2 was loaded"):
        take(_array(2), chosen(mask[::-1], (3,) * 4)).compute()


def test_whole_chunks_are_not_copied():
    blocks = [np.ones((3, 2)), np.zeros((2, 2))]
    graph = {("kept", i, 0): DataNode(("kept", i, 0), block) for i, block in enumerate(blocks)}
    for rows in ((3, 2), (np.nan, np.nan)):
        array = da.Array(graph, "kept", (rows, (2,)), dtype=float)
        result = take(array, chosen([1, 1, 1, 0, 1], (3, 2)))
        first, second = dask.get(dict(result.dask), [(result.name, i, 0) for i in range(2)])
        assert np.shares_memory(first, blocks[0])
        assert second.shape == (1, 2)


@pytest.mark.parametrize("shape", [(7,), (7, 1), (7, 2, 3), (7, 2, 2, 2)])
def test_any_number_of_dims_and_any_dtype(shape):
    for dtype in (np.int8, "U3", object, "datetime64[D]", bool):
        values = np.arange(np.prod(shape)).astype(np.int64).reshape(shape).astype(dtype)
        array = da.from_array(values, chunks=(3, *(1,) * (len(shape) - 1)))
        mask = MASKS["some"]
        assert row_counts(array).compute().tolist() == [3, 3, 1]
        assert_array_equal(take(array, chosen(mask, (3, 3, 1))).compute(), values[np.flatnonzero(mask)])
        assert_array_equal(take(array, chosen(mask, (4, 3))).compute(), values[np.flatnonzero(mask)])


def test_series_words_and_categories():
    frame = pd.DataFrame({"w": pd.Series(list("abcdefg")), "c": pd.Categorical(list("aabbccd"))})
    lazy = dd.from_pandas(frame, npartitions=3)
    mask = MASKS["some"]
    for column in ("w", "c"):
        these = chosen(mask, lengths(lazy[column]))
        pd.testing.assert_series_equal(take(frame[column], these), frame[column].iloc[these.index])
        assert take(lazy[column], these).compute().tolist() == frame[column].iloc[these.index].tolist()
    assert take(frame.index, these).tolist() == these.index.tolist()
    assert lengths(lazy) == lengths(lazy.index) == (3, 2, 2)


def test_other_coords_and_lazy_ones_are_kept():
    coords = {"time": np.arange(7), "lazy": ("time", da.arange(7, chunks=3)), "one": 5, "f": ["a", "b", "c"]}
    array = xr.DataArray(da.from_array(numbers(), chunks=(3, 2)), dims=["time", "f"], coords=coords)
    array = array.assign_coords(pair=("time", pd.MultiIndex.from_product([[0], range(7)]).to_numpy()))
    mask = MASKS["some"]
    result = take(array, chosen(mask, (3, 3, 1)))
    assert result.coords["lazy"].chunks is not None
    xr.testing.assert_identical(result.compute(), array.compute()[np.flatnonzero(mask)])


def test_other_rows_than_were_split_are_refused(container):
    _, make = container
    X = make(numbers())
    rows = lengths(X)
    with pytest.raises((InvalidData, ChunkMismatch), match=r"inconsistent numbers of samples: \[8, 7\]|rows"):
        loaded(take(X, chosen([1] * 8, (*rows[:-1], rows[-1] + 1))))


def test_chunks_of_unknown_lengths_must_be_cut_alike():
    array = da.from_array(numbers(), chunks=((2, 5), 3))
    unknown = da.Array(array.dask, array.name, ((np.nan, np.nan), (3,)), dtype=float)
    with pytest.raises(ChunkMismatch, match="split in 3 chunks, and the data have 2 chunks"):
        take(unknown, chosen([1] * 7, (2, 2, 3)))
    with pytest.raises(ChunkMismatch, match="rows where [34] were split"):
        take(unknown, chosen([1] * 7, (3, 4))).compute()
    frame = dd.from_pandas(pd.DataFrame({"a": range(7)}), npartitions=2)
    with pytest.raises(ChunkMismatch, match="split in 3 chunks, and the data have 2 chunks"):
        take(frame, chosen([1] * 7, (2, 2, 3)))
    with pytest.raises(ChunkMismatch, match="rows where [34] were split"):
        take(frame, chosen([1] * 7, (3, 4))).compute()


# ------------------------------------------------------------------------- labels and groups

NAMES = np.array(list("abbacab"))


@pytest.mark.parametrize(
    "values",
    [
        NAMES,
        NAMES.tolist(),
        NAMES[:, None],
        pd.Series(NAMES),
        pd.DataFrame({"g": NAMES}),
        da.from_array(NAMES, chunks=3),
        da.from_array(NAMES[:, None], chunks=3),
        dd.from_pandas(pd.Series(NAMES, dtype="category"), npartitions=2),
        xr.DataArray(NAMES, dims="time"),
    ],
    ids=lambda values: type(values).__name__,
)
def test_a_column_is_cut_into_chunks(values, nothing_computes):
    rows = (4, 3) if isinstance(values, dd.Series) else (5, 0, 2)
    with nothing_computes:
        column = column_in_chunks(values, "groups", rows)
    assert column.chunks == (rows,)
    assert column.compute().tolist() == NAMES.tolist()


def test_what_is_no_column_is_refused():
    with pytest.raises(InvalidData, match=r"groups should be a 1d array, got an array of shape \(7, 3\)"):
        column_in_chunks(numbers(), "groups", (7,))
    with pytest.raises(InvalidData, match=r"inconsistent numbers of samples: \[6, 7\]"):
        column_in_chunks(NAMES, "groups", (3, 3))


def test_groups_are_read_with_the_table(container):
    _, make = container
    X = make(numbers())
    if measure_needed(X, None, None, None, NAMES):
        table = read(X, groups=NAMES, lengths=lengths(X), y_required=False)
    else:
        table = read(X, groups=NAMES, y_required=False)
    assert set(table.columns) == {"X", "groups"}
    assert loaded(table.groups).tolist() == NAMES.tolist()
    if table.lazy:
        assert table.groups.chunks[0] == table.X.chunks[0]
    given = lengths(X) if dask.is_dask_collection(X) else None
    with pytest.raises(ValueError, match=r"\[7, 6\]"):
        read(X, groups=NAMES[:6], lengths=given, y_required=False)


@pytest.mark.parametrize("filesystem", ["fsspec", "arrow"])
def test_partitions_of_parquet_files_are_taken_alike(tmp_path, filesystem, nothing_computes):
    wide = pd.DataFrame(np.arange(400.0).reshape(20, 20), columns=[f"c{i}" for i in range(20)])
    for i in range(10):
        wide[2 * i : 2 * i + 2].to_parquet(tmp_path / f"part.{i}.parquet")
    frame = dd.read_parquet(tmp_path, filesystem=filesystem)
    x, y = frame[[f"c{i}" for i in range(12)]], frame["c15"]
    these = chosen([1, 0] * 3 + [1] * 4 + [0] * 10, (2,) * 10)
    with nothing_computes:
        x_part, y_part = take(x, these), take(y, these)
    assert x_part.npartitions == y_part.npartitions == 5
    assert len(x_part) == len(y_part) == 7
    np.testing.assert_array_equal(x_part.compute()["c0"] + 15, y_part.compute())
    assert sorted(read(x_part, y_part).y.compute()) == sorted(y_part.compute())
    if filesystem == "fsspec":  # of the other one, dask persists fewer partitions than it says
        kept = take(frame.persist(), these)
        np.testing.assert_array_equal(kept["c0"].compute() + 15, kept["c15"].compute())
