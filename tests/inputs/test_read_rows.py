"""Rows that belong together are cut alike, or refused with a cure."""

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from daskml_dist.errors import ChunkMismatch, InvalidData
from daskml_dist.inputs import measure_needed, read, row_counts

X = np.arange(14.0).reshape(7, 2)
Y = np.arange(7)


def unknown(array, chunks):
    lazy = da.from_array(array, chunks=chunks)
    rows = (np.nan,) * lazy.numblocks[0]
    return da.Array(lazy.dask, lazy.name, (rows, *lazy.chunks[1:]), dtype=array.dtype)


def per_chunk(array):
    return [block.compute().tolist() for block in array.blocks]


@pytest.mark.parametrize("rows", [(7,), (1,) * 7, (3, 0, 4), (0, 7), (7, 0, 0), (2, 5)])
@pytest.mark.parametrize("other", [(7,), (1, 0, 6), (5, 2)])
def test_lazy_parts_are_cut_like_x(rows, other, nothing_computes):
    with nothing_computes:
        table = read(
            da.from_array(X, chunks=(rows, 2)),
            da.from_array(Y, chunks=(other,)),
            da.from_array(Y + 1.0, chunks=(other,)),
            (Y * 2.0).tolist(),
        )
    assert table.chunks == rows
    for part in (table.y, table.weight, table.offset):
        assert part.chunks == (rows,)
    starts = np.cumsum((0, *rows))
    expected = [Y[a:b].tolist() for a, b in zip(starts, starts[1:], strict=False)]
    assert per_chunk(table.y) == expected
    np.testing.assert_array_equal(table.weight.compute(), Y + 1.0)
    np.testing.assert_array_equal(table.offset.compute(), Y * 2.0)


@pytest.mark.parametrize("make", [np.asarray, pd.Series, list, pd.array])
def test_parts_in_memory_are_cut_like_a_lazy_x(make, nothing_computes):
    with nothing_computes:
        table = read(da.from_array(X, chunks=((3, 0, 4), 2)), make(Y), make(Y + 1.0))
    assert per_chunk(table.y) == [[0, 1, 2], [], [3, 4, 5, 6]]
    assert table.weight.chunks == ((3, 0, 4),)


def test_x_in_memory_is_cut_like_the_first_lazy_part(nothing_computes):
    with nothing_computes:
        table = read(pd.DataFrame(X), Y, da.ones(7, chunks=((4, 3),)))
    assert table.lazy
    assert table.chunks == (4, 3)
    assert table.y.chunks == ((4, 3),)
    np.testing.assert_array_equal(table.X.compute(), X)


def test_x_in_memory_goes_with_one_chunk_of_unknown_length():
    table = read(X, unknown(Y, 7))
    assert table.chunks == (7,)
    assert table.y.chunks == ((7,),)


def test_x_in_memory_cannot_be_cut_like_unknown_chunks():
    with pytest.raises(ChunkMismatch, match=r"y\.compute_chunk_sizes\(\)"):
        read(X, unknown(Y, 3))


def test_equal_numbers_of_unknown_chunks_are_taken_to_be_aligned():
    table = read(unknown(X, (3, 2)), unknown(Y, 3))
    assert table.chunks is None
    assert per_chunk(table.y) == [[0, 1, 2], [3, 4, 5], [6]]
    table = read(da.from_array(X, chunks=(3, 2)), unknown(Y, 3))
    assert table.y.chunks == table.X.chunks[:1] == ((3, 3, 1),)
    assert per_chunk(table.y) == [[0, 1, 2], [3, 4, 5], [6]]


def test_other_numbers_of_unknown_chunks_are_refused():
    for x in (unknown(X, (3, 2)), da.from_array(X, chunks=(3, 2))):
        assert not measure_needed(x, unknown(Y, 4))
        with pytest.raises(ChunkMismatch, match="X has 3 chunks and y has 2 of unknown lengths"):
            read(x, unknown(Y, 4))


@pytest.mark.parametrize("y", [Y, Y.tolist(), pd.Series(Y), da.from_array(Y, chunks=2)])
def test_unknown_chunks_of_x_must_be_counted_first(y):
    x = unknown(X, ((3, 0, 4), 2))
    assert measure_needed(x, y)
    assert measure_needed(x, unknown(Y, 3), y)
    with pytest.raises(ChunkMismatch, match=r"X\.compute_chunk_sizes\(\)"):
        read(x, y)
    table = read(x, y, 2.0, lengths=tuple(row_counts(x).compute()))
    assert table.chunks == (3, 0, 4)
    assert per_chunk(table.y) == [[0, 1, 2], [], [3, 4, 5, 6]]
    assert table.weight.chunks == ((3, 0, 4),)


def test_lengths_must_be_those_of_x():
    with pytest.raises(ChunkMismatch, match="2 lengths were given for the 3 chunks"):
        read(unknown(X, (3, 2)), Y, lengths=(3, 4))
    with pytest.raises(ChunkMismatch, match=r"lengths are \(3, 4\)"):
        read(da.from_array(X, chunks=((4, 3), 2)), Y, lengths=(3, 4))
    assert read(da.from_array(X, chunks=((4, 3), 2)), Y, lengths=(4, 3)).chunks == (4, 3)
    with pytest.raises(InvalidData, match=r"\[8, 7\]"):
        read(unknown(X, (3, 2)), Y, lengths=(3, 3, 2))
    with pytest.raises(InvalidData, match="in memory"):
        row_counts(X)


@pytest.mark.parametrize("lazy_x", [False, True])
@pytest.mark.parametrize("lazy_y", [False, True])
@pytest.mark.parametrize("part", ["y", "sample_weight", "offset"])
def test_numbers_of_rows_must_agree(lazy_x, lazy_y, part):
    short = da.ones(6, chunks=2) if lazy_y else np.ones(6)
    parts = {"y": Y, part: short}
    message = r"Found input variables with inconsistent numbers of samples: \[7, 6\]"
    with pytest.raises(ValueError, match=message):
        read(da.from_array(X, chunks=(3, 2)) if lazy_x else X, **parts)


def test_pandas_rows_are_taken_by_position():
    table = read(pd.DataFrame(X, index=range(7)), pd.Series(Y, index=range(7)[::-1]))
    np.testing.assert_array_equal(table.y, Y)


@pytest.mark.parametrize("lazy", [False, True])
def test_xarray_rows_must_have_the_same_labels(lazy):
    data = da.from_array(X, chunks=(3, 2)) if lazy else X
    x = xr.DataArray(data, dims=["t", "f"], coords={"t": np.arange(7)})
    y = xr.DataArray(Y, dims=["t"], coords={"t": np.arange(7)})
    np.testing.assert_array_equal(np.asarray(read(x, y).y), Y)
    np.testing.assert_array_equal(np.asarray(read(x, y.drop_vars("t")).y), Y)
    with pytest.raises(ChunkMismatch, match=r"xarray\.align\(X, y, join='inner'\)"):
        read(x, y.assign_coords(t=np.arange(1, 8)))
    with pytest.raises(ChunkMismatch, match="X and sample_weight have different labels"):
        read(x, y, y[::-1] + 1)
    with pytest.raises(InvalidData, match=r"rename\(\{'s': 't'\}\)"):
        read(x, y.rename(t="s"))
    with pytest.raises(InvalidData, match="inconsistent numbers of samples"):
        read(x, y[:6])


def test_xarray_parts_go_with_other_containers():
    y = xr.DataArray(da.from_array(Y, chunks=4), dims=["t"])
    assert read(X, y).chunks == (4, 3)


def test_dask_dataframes_with_other_divisions_are_refused():
    frame = dd.from_pandas(pd.DataFrame(X, columns=["a", "b"]), npartitions=3)
    y = dd.from_pandas(pd.Series(Y), npartitions=3)
    assert per_chunk(read(frame, y).y) == [[0, 1, 2], [3, 4], [5, 6]]
    moved = y.repartition(divisions=(0, 1, 2, 6))
    with pytest.raises(ChunkMismatch, match=r"y\.repartition\(divisions=X\.divisions\)"):
        read(frame, moved)


def test_partitions_without_rows_are_kept():
    frame = dd.from_pandas(pd.DataFrame({"a": X[:, 0], "y": Y}), npartitions=3)
    kept = frame[frame.a >= 6]
    table = read(kept[["a"]], kept["y"])
    assert per_chunk(table.y) == [[], [3, 4], [5, 6]]
    assert per_chunk(table.X) == [[], [[6.0], [8.0]], [[10.0], [12.0]]]
    assert row_counts(kept[["a"]]).compute().tolist() == [0, 2, 2]


@pytest.mark.parametrize("filesystem", ["fsspec", "arrow"])
def test_parquet_partitions_are_cut_alike(tmp_path, filesystem, nothing_computes):
    wide = pd.DataFrame(np.arange(400.0).reshape(20, 20), columns=[f"c{i}" for i in range(20)])
    for i in range(10):
        wide[2 * i : 2 * i + 2].to_parquet(tmp_path / f"part.{i}.parquet")
    frame = dd.read_parquet(tmp_path, filesystem=filesystem)
    columns = [f"c{i}" for i in range(12)]
    x, y = frame[columns], frame["c15"]
    assert y.values.numblocks[0] < 10  # what dask itself does, and not alike for x and y
    with nothing_computes:
        table = read(x, y, y + 1)
        counts = row_counts(x)
    assert table.X.numblocks[0] == table.y.numblocks[0] == 10
    np.testing.assert_array_equal(counts.compute(), [2] * 10)
    rows = np.argsort(table.X[:, 0].compute())  # one of the readers lists files in no order
    np.testing.assert_array_equal(table.X.compute()[rows], wide[columns].to_numpy())
    np.testing.assert_array_equal(table.y.compute()[rows], wide["c15"].to_numpy())
    np.testing.assert_array_equal(table.weight.compute()[rows], wide["c15"].to_numpy() + 1)
    for x_block, y_block in zip(table.X.blocks, table.y.blocks, strict=True):
        np.testing.assert_array_equal(x_block.compute()[:, 0] + 15, y_block.compute())


def test_a_persisted_frame_is_read():
    frame = dd.from_pandas(pd.DataFrame(X, columns=["a", "b"]), npartitions=2).persist()
    np.testing.assert_array_equal(read(frame, frame["a"]).X.compute(), X)


def test_layers_of_frames_that_are_gone_do_not_collide() -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [4.0, 5.0, 6.0]})
    for _ in range(20):
        columns = [dd.from_pandas(frame[name], npartitions=2) for name in frame]
        table = read(dd.from_pandas(frame, npartitions=2), columns[0], columns[1])
        layers = [set(part.dask.layers) for part in table.columns.values()]
        assert sum(map(len, layers)) == len(set().union(*layers))
