"""What every container promises: the same numbers in, the same numbers out, nothing computed between."""

import pickle

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from daskml_dist.errors import NonFiniteData
from daskml_dist.inputs import apply, features_of, kind_of, measure_needed, read, row_counts

DTYPES = [np.float32, np.float64, np.int32, np.bool_]


def numbers(dtype=np.float64):
    return (np.arange(21).reshape(7, 3) % 5).astype(dtype)


def like(X, y):
    """A target in the container that goes with X."""
    if isinstance(X, dd.DataFrame):
        return dd.from_pandas(pd.Series(y, index=np.arange(10, 17)), npartitions=3)
    if isinstance(X, da.Array) and np.isnan(X.shape[0]):
        array = da.from_array(y, chunks=((2, 1, 0, 4),))
        return da.Array(array.dask, array.name, ((np.nan,) * 4,), dtype=y.dtype)
    return y


def loaded(result):
    return result.compute() if dask.is_dask_collection(result) else result


def row_sums(block):
    assert len(block) > 0
    assert block.flags.c_contiguous
    return block.sum(axis=1, dtype=np.float64)


def two_columns(block):
    return np.column_stack([block[:, 0], block[:, 1]]).astype(np.float64)


@pytest.mark.parametrize("dtype", DTYPES)
def test_read_gives_the_same_numbers_and_dtype(container, dtype, nothing_computes):
    kind, make = container
    given = numbers(dtype)
    X = make(given)
    y = np.arange(7)
    with nothing_computes:
        assert kind_of(X) == kind
        assert features_of(X)[0] == 3
        table = read(X, like(X, y))
    assert table.n_features == 3
    assert table.lazy == dask.is_dask_collection(X)
    assert isinstance(table.X, da.Array if table.lazy else np.ndarray)
    assert table.X.dtype == (np.asarray(X).dtype if isinstance(X, list) else dtype)
    np.testing.assert_array_equal(loaded(table.X), given)
    np.testing.assert_array_equal(loaded(table.y), y)


def test_chunks_are_those_of_the_container(container):
    _, make = container
    X = make(numbers())
    table = read(X, like(X, np.arange(7)))
    if isinstance(X, dd.DataFrame) or (isinstance(X, da.Array) and np.isnan(X.shape[0])):
        assert table.chunks is None
    elif table.lazy:
        data = X["a"].data if isinstance(X, xr.Dataset) else X.data if isinstance(X, xr.DataArray) else X
        assert table.chunks == data.chunks[0]
    else:
        assert table.chunks == (7,)
    if table.lazy:
        assert table.X.numblocks == (table.X.numblocks[0], 1)
        assert table.y.numblocks == table.X.numblocks[:1]
        blocks = [block.compute() for block in table.X.blocks]
        ys = [block.compute() for block in table.y.blocks]
        assert [len(b) for b in blocks] == [len(b) for b in ys]
        assert all(type(b) is np.ndarray for b in blocks + ys)


def test_feature_names_are_those_of_the_container(container):
    kind, make = container
    X = make(numbers())
    names = features_of(X)[1]
    np.testing.assert_array_equal(read(X, like(X, np.arange(7))).feature_names, names)
    if kind in ("pandas", "dask dataframe", "xarray"):
        assert names.dtype == object
        assert names.tolist() == ["a", "b", "c"]
        assert [type(name) for name in names] == [str] * 3
    else:
        assert names is None


@pytest.mark.parametrize("dtype", DTYPES)
def test_apply_gives_one_value_a_row_in_the_same_kind(container, dtype, nothing_computes):
    kind, make = container
    given = numbers(dtype)
    X = make(given)
    with nothing_computes:
        result = apply(X, row_sums, n_features=3, outputs=None, dtype=np.float64, name="sum")
    assert kind_of(result) == kind
    assert dask.is_dask_collection(result) == dask.is_dask_collection(X)
    assert result.dtype == np.float64
    computed = loaded(result)
    assert computed.dtype == np.float64
    np.testing.assert_array_equal(np.asarray(computed), given.sum(axis=1, dtype=float))


def test_apply_gives_columns_in_the_same_kind(container, nothing_computes):
    kind, make = container
    given = numbers()
    X = make(given)
    with nothing_computes:
        result = apply(X, two_columns, n_features=3, outputs=["no", "yes"], dtype=np.float64)
    assert kind_of(result) == kind
    computed = loaded(result)
    np.testing.assert_array_equal(np.asarray(computed), given[:, :2])
    if isinstance(X, da.Array):
        assert result.numblocks == (X.numblocks[0], 1)
        np.testing.assert_array_equal(result.chunks[0], X.chunks[0])


def test_apply_promises_the_dtype_of_labels_that_it_keeps(container):
    _, make = container
    X = make(numbers())
    for dtype in ("<U6", object):
        labels = np.array(["maybe", "no"], dtype=dtype)
        result = apply(X, lambda block, labels=labels: labels[block[:, 0].astype(int) % 2], n_features=3,
                       outputs=None, dtype=dtype)  # fmt: skip
        computed = loaded(result)
        assert computed.dtype == result.dtype
        np.testing.assert_array_equal(np.asarray(computed), labels[numbers()[:, 0].astype(int) % 2])


def test_what_is_not_finite_in_the_rows_is_named(container):
    kind, make = container
    given = numbers()
    given[4, 1] = np.nan
    X = make(given)
    with pytest.raises(NonFiniteData, match="Input X contains NaN") as caught:
        loaded(apply(X, row_sums, n_features=3, outputs=None, dtype=float))
    message = str(caught.value)
    assert ("chunk" in message) == dask.is_dask_collection(X)
    assert "column 1" in message
    assert ("'b'" in message) == (kind in ("pandas", "dask dataframe", "xarray"))
    given[4, 1] = np.inf
    with pytest.raises(NonFiniteData, match="Input X contains infinity"):
        loaded(apply(make(given), row_sums, n_features=3, outputs=None, dtype=float))


def test_rows_of_another_width_are_refused(container):
    _, make = container
    with pytest.raises(ValueError, match="X has 3 features, but 4 features"):
        apply(make(numbers()), row_sums, n_features=4, outputs=None, dtype=float)


def test_measuring_is_needed_where_a_known_target_meets_unknown_chunks(container, nothing_computes):
    _, make = container
    X = make(numbers())
    y = np.arange(7)
    with nothing_computes:
        needed = measure_needed(X, y)
        assert not measure_needed(X, like(X, y), 2.0)
    assert needed == (read(X, like(X, y)).chunks is None)
    if not needed:
        return
    with nothing_computes:
        counts = row_counts(X)
    lengths = tuple(int(n) for n in counts.compute())
    with nothing_computes:
        table = read(X, y, lengths=lengths)
    assert table.chunks == lengths
    assert sum(lengths) == 7
    np.testing.assert_array_equal(table.y.compute(), y)
    for i, rows in enumerate(lengths):
        assert len(table.X.blocks[i].compute()) == len(table.y.blocks[i].compute()) == rows


def test_the_graph_travels(container):
    _, make = container
    X = make(numbers())
    table = read(X, like(X, np.arange(7)))
    again = pickle.loads(pickle.dumps(table))
    np.testing.assert_array_equal(loaded(again.X), numbers())
