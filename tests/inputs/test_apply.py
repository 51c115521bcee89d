"""Results come back with the labels of the rows they belong to."""

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from daskml_dist.errors import InvalidData, NonFiniteData
from daskml_dist.inputs import apply

X = np.arange(14.0).reshape(7, 2)


def first(block):
    return block[:, 0]


def proba(block):
    return np.column_stack([block[:, 0], 1 - block[:, 0], block[:, 1]])


def one(X, **options):
    return apply(X, first, n_features=2, outputs=None, dtype=float, **options)


def three(X, **options):
    return apply(X, proba, n_features=2, outputs=["u", "v", "w"], dtype=float, **options)


def test_pandas_keeps_index_and_takes_names():
    index = pd.MultiIndex.from_arrays([list("abcdefg"), range(7)], names=["letter", "number"])
    frame = pd.DataFrame(X, columns=["a", "b"], index=index)
    expected = pd.Series(X[:, 0], index=index, name="prediction")
    pd.testing.assert_series_equal(one(frame, name="prediction"), expected)
    pd.testing.assert_frame_equal(three(frame), pd.DataFrame(proba(X), index=index, columns=["u", "v", "w"]))
    labels = apply(frame, proba, n_features=2, outputs=np.array([3, 5, 7]), dtype=float)
    assert labels.columns.tolist() == [3, 5, 7]


def test_a_dask_dataframe_keeps_index_divisions_and_meta(nothing_computes):
    frame = pd.DataFrame(X, columns=["a", "b"], index=pd.Index(np.arange(7) * 10, name="when"))
    lazy = dd.from_pandas(frame, npartitions=3)
    with nothing_computes:
        series, table = one(lazy, name="prediction"), three(lazy)
    for result in (series, table):
        assert result.divisions == lazy.divisions
        assert result.known_divisions
    assert isinstance(series, dd.Series)
    assert isinstance(table, dd.DataFrame)
    assert (series.name, series.dtype) == ("prediction", np.dtype(float))
    assert table.columns.tolist() == ["u", "v", "w"]
    pd.testing.assert_series_equal(series.compute(), one(frame, name="prediction"))
    pd.testing.assert_frame_equal(table.compute(), three(frame))
    pd.testing.assert_series_equal(series.partitions[1].compute(), one(frame[3:5], name="prediction"))


def test_partitions_without_rows_give_none():
    lazy = dd.from_pandas(pd.DataFrame(X, columns=["a", "b"]), npartitions=3)
    lazy = lazy[lazy.a > 5]
    result = one(lazy)
    assert len(result.partitions[0].compute()) == 0
    assert result.partitions[0].compute().dtype == float
    np.testing.assert_array_equal(result.compute(), X[3:, 0])
    empty = pd.DataFrame(X[:0], columns=["a", "b"])
    assert one(empty).shape == (0,)
    assert three(empty).shape == (0, 3)
    assert three(X[:0]).shape == (0, 3)


def test_dask_keeps_unknown_chunks_and_meta():
    known = da.from_array(X, chunks=((3, 0, 4), (1, 1)))
    unknown = known[known[:, 0] >= 0]
    for x in (known, unknown):
        result = three(x)
        assert result.numblocks == (3, 1)
        assert result.shape[1] == 3
        assert [len(block.compute()) for block in result.blocks] == [3, 0, 4]
        np.testing.assert_array_equal(one(x).compute(), X[:, 0])
    assert np.isnan(one(unknown).shape[0])
    assert one(known).chunks == ((3, 0, 4),)
    labels = apply(
        known, lambda b: np.full(len(b), "no", dtype="<U6"), n_features=2, outputs=None, dtype="<U6"
    )
    assert labels.dtype == np.dtype("<U6")
    assert labels._meta.dtype == np.dtype("<U6")


@pytest.mark.parametrize("lazy", [False, True])
def test_xarray_keeps_the_coords_of_the_rows(lazy):
    levels = pd.MultiIndex.from_product([["n", "s"], [1, 2, 3]], names=["half", "site"])[:6]
    data = da.from_array(X[:6], chunks=((4, 2), 1)) if lazy else X[:6]
    x = xr.DataArray(
        data,
        dims=["place", "feature"],
        coords={
            **xr.Coordinates.from_pandas_multiindex(levels, "place"),
            "height": ("place", np.arange(6.0)),
            "feature": ["a", "b"],
            "unit": ("feature", ["m", "s"]),
            "year": 2020,
        },
        attrs={"source": "satellite"},
    )
    result = one(x, name="prediction")
    assert result.dims == ("place",)
    assert result.name == "prediction"
    assert result.attrs == {}
    assert set(result.coords) == {"place", "half", "site", "height", "year"}
    assert result.indexes["place"].equals(x.indexes["place"])
    assert isinstance(result.data, da.Array if lazy else np.ndarray)
    np.testing.assert_array_equal(result, X[:6, 0])
    table = three(x)
    assert table.dims == ("place", "class")
    assert table.sel({"class": "w"}).values.tolist() == X[:6, 1].tolist()
    assert three(x, output_dim="target").dims == ("place", "target")
    if lazy:
        assert table.data.chunks == ((4, 2), (3,))


def test_an_output_dim_that_is_taken_is_refused():
    x = xr.DataArray(X, dims=["t", "f"], coords={"class": ("t", np.arange(7))})
    with pytest.raises(InvalidData, match=r"coord 'class'.*X\.rename\(class="):
        three(x)
    assert "class" in one(x).coords


def test_the_place_of_a_bad_value_is_named():
    bad = X.copy()
    bad[5, 1] = -np.inf
    expected = "Values that are not finite: 1, the first in row 5, column 1. Impute or drop"
    with pytest.raises(NonFiniteData, match=f"Input X contains infinity or .*\n{expected}"):
        one(bad)
    with pytest.raises(NonFiniteData, match="row 2 of chunk 1, column 1"):
        one(da.from_array(bad, chunks=(3, 1))).compute()
    with pytest.raises(NonFiniteData, match=r"row 5, column 1 \('b'\)"):
        one(pd.DataFrame(bad, columns=["a", "b"]))
    lazy = dd.from_pandas(pd.DataFrame(bad, columns=["a", "b"]), npartitions=3)
    with pytest.raises(NonFiniteData, match=r"row 0 of chunk 2, column 1 \('b'\)"):
        one(lazy).compute()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_finite_numbers_whose_sum_is_not_are_fine(dtype):
    large = np.full((4, 2), np.finfo(dtype).max)
    assert one(large).tolist() == [float(np.finfo(dtype).max)] * 4


def test_missing_values_of_nullable_columns_are_named():
    frame = pd.DataFrame({"a": pd.array([1, None], dtype="Int64"), "b": [1, 2]})
    with pytest.raises(NonFiniteData, match=r"row 1, column 0 \('a'\)"):
        one(frame)


def test_a_width_that_only_the_block_has_is_found():
    lying = da.map_blocks(lambda b: b[:, :1], da.ones((4, 2), chunks=2), meta=np.empty((0, 2)))
    with pytest.raises(ValueError, match="X has 1 features, but 2 features"):
        one(lying).compute()


def test_a_function_must_keep_its_promise():
    with pytest.raises(TypeError, match=r"\(7, 3\); float64 of shape \(7,\) was promised"):
        apply(X, proba, n_features=2, outputs=None, dtype=float)
    with pytest.raises(TypeError, match="<U9 of shape .* <U2 of shape"):
        apply(X, lambda b: np.full(len(b), "truncated"), n_features=2, outputs=None, dtype="<U2")


def test_a_narrower_result_is_widened():
    result = apply(X, lambda b: np.arange(len(b), dtype=np.int32), n_features=2, outputs=None, dtype=float)
    assert result.dtype == float


def test_equal_calls_have_equal_names():
    x = da.from_array(X, chunks=3)
    assert one(x).name == one(x).name
    assert one(x).name != one(x + 1).name
