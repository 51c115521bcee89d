"""Everything that is refused says what was given and what to do."""

from fractions import Fraction

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import xarray as xr

from daskml_dist.errors import InvalidData
from daskml_dist.inputs import apply, features_of, kind_of, read

X = np.arange(8.0).reshape(4, 2)
Y = np.arange(4)
LAZY = da.from_array(X, chunks=2)


@pytest.mark.parametrize("bad", [{"a": [1]}, "abc", b"abc", {1, 2}, None, 5, iter([1, 2]), object()])
def test_what_is_no_container_is_refused(bad):
    for refused in (kind_of, features_of, lambda bad: read(bad, Y)):
        with pytest.raises(TypeError, match=f"X is a {type(bad).__name__}; numpy arrays and what"):
            refused(bad)


def test_other_array_likes_are_numpy():
    class Foreign:
        def __array__(self, dtype=None, copy=None):
            return X

    assert kind_of(Foreign()) == "numpy"
    assert features_of(Foreign()) == (2, None)
    np.testing.assert_array_equal(read(Foreign(), Y).X, X)
    np.testing.assert_array_equal(
        apply(Foreign(), lambda b: b[:, 0], n_features=2, outputs=None, dtype=float), X[:, 0]
    )
    assert kind_of(((1, 2), (3, 4))) == "numpy"
    assert kind_of([[Fraction(1, 2)]]) == "numpy"


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (dask.delayed(X), "from_delayed"),
        ([LAZY, LAZY], r"list of dask objects.*dask\.array\.concatenate"),
    ],
)
def test_containers_that_need_a_step_first_name_it(bad, message):
    with pytest.raises(TypeError, match=message):
        kind_of(bad)
    with pytest.raises(TypeError, match=message):
        read(bad, Y)


def test_datasets_are_columns_on_one_dim():
    fine = xr.Dataset({"a": ("t", [1.0, 2.0]), "b": ("t", [3.0, 4.0])})
    np.testing.assert_array_equal(read(fine, [0, 1]).X, [[1.0, 3.0], [2.0, 4.0]])
    with pytest.raises(InvalidData, match=r"'c' has dims \('u',\), and 'a' has \('t',\).*X\[\[\.\.\.\]\]"):
        read(fine.assign(c=("u", [1.0])), [0, 1])
    with pytest.raises(InvalidData, match=r"'c' has dims \(\)"):
        features_of(fine.assign(c=1.0))
    with pytest.raises(InvalidData, match="Dataset without variables"):
        features_of(xr.Dataset())
    with pytest.raises(TypeError, match=r"y is an xarray Dataset; .*for instance y\['a'\]"):
        read(fine, fine)
    with pytest.raises(InvalidData, match="rows of X lie on dim 't' and those of y on 'u'"):
        read(fine, xr.DataArray([0, 1], dims=["u"]))
    for word in (["x", "y"], np.array([1, 2], "M8[s]"), np.array([1j, 2])):
        with pytest.raises(InvalidData, match="Variable 'c' of X is of dtype .*real numbers are expected"):
            read(fine.assign(c=("t", word)), [0, 1])
    mixed = fine.assign(c=("t", da.ones(2, dtype=np.float32, chunks=1)))
    assert read(mixed, [0, 1]).X.chunks == ((1, 1), (3,))


def test_other_lazy_objects_are_not_computed(nothing_computes):
    with nothing_computes, pytest.raises(TypeError, match="X is a xarray.*Variable"):
        read(xr.Variable(["t", "f"], LAZY), Y)


def test_sparse_data_are_refused_where_they_are_not_allowed():
    for sparse in (
        scipy.sparse.csr_array(X),
        scipy.sparse.coo_matrix(X),
        LAZY.map_blocks(scipy.sparse.csr_matrix),
    ):
        with pytest.raises(TypeError, match=r"Sparse data was passed for X.*toarray"):
            read(sparse, Y, sparse=False)
        with pytest.raises(TypeError, match=r"Sparse data was passed for y.*toarray"):
            read(X, sparse)
        with pytest.raises(TypeError, match=r"Sparse data was passed for sample_weight.*toarray"):
            read(X, Y, sparse)


def test_sparse_columns_of_frames_are_refused():
    frame = pd.DataFrame({"a": pd.arrays.SparseArray([1.0, 0, 0, 0])})
    with pytest.raises(TypeError, match=r"Sparse data was passed for X \(column 'a'\).*to_dense"):
        read(frame, Y)


@pytest.mark.parametrize("masked", [np.ma.masked_equal(X, 3.0), da.ma.masked_equal(LAZY, 3.0)])
def test_masks_are_not_ignored(masked):
    with pytest.raises(InvalidData, match="X is a masked array"):
        read(masked, Y)
    with pytest.raises(InvalidData, match="y is a masked array"):
        read(X, masked[:, 0])


@pytest.mark.parametrize("bad", [X[:, 0], X[:, 0].tolist(), LAZY[:, 0], xr.DataArray(X[:, 0], dims=["t"])])
def test_one_dimension_is_refused(bad):
    with pytest.raises(ValueError, match="(?s)Expected 2D array.*Reshape your data"):
        read(bad, Y)
    with pytest.raises(ValueError, match="(?s)Expected 2D array.*Reshape your data"):
        features_of(bad)
    with pytest.raises(ValueError, match="(?s)Expected 2D array.*Reshape your data"):
        apply(bad, lambda b: b, n_features=2, outputs=None, dtype=float)


def test_a_series_is_no_matrix():
    for bad in (pd.Series(Y), dd.from_pandas(pd.Series(Y), npartitions=2)):
        with pytest.raises(ValueError, match="Expected a 2-dimensional container but got"):
            read(bad, Y)
        with pytest.raises(ValueError, match="Expected a 2-dimensional container but got"):
            apply(bad, lambda b: b, n_features=2, outputs=None, dtype=float)


def test_three_dimensions_are_refused():
    with pytest.raises(ValueError, match="Found array with dim 3"):
        read(X[None], Y)
    with pytest.raises(InvalidData, match=r"got 3D array of shape \(1, 4, 2\)"):
        read(LAZY[None], Y)
    with pytest.raises(InvalidData, match=r"X\.stack\(sample"):
        read(xr.DataArray(X[None], dims=["u", "v", "f"]), Y)


@pytest.mark.parametrize("make", [np.asarray, pd.DataFrame, lambda a: da.from_array(a, chunks=-1)])
def test_no_rows_and_no_columns_are_refused(make):
    with pytest.raises(ValueError, match=r"0 sample\(s\) \(shape=\(0, 2\)\) while a minimum of 1"):
        read(make(np.empty((0, 2))), [])
    with pytest.raises(ValueError, match=r"0 feature\(s\) \(shape=\(4, 0\)\) while a minimum of 1"):
        read(make(np.empty((4, 0))), Y)


def test_a_dask_dataframe_without_columns_is_refused():
    frame = dd.from_pandas(pd.DataFrame(X, columns=["a", "b"]), npartitions=2)
    with pytest.raises(InvalidData, match=r"0 feature\(s\) \(shape=\(\?, 0\)\)"):
        read(frame[[]], frame["a"])


def test_an_unknown_number_of_columns_is_refused():
    x = da.Array(LAZY.dask, LAZY.name, ((2, 2), (np.nan,)), dtype=float)
    with pytest.raises(InvalidData, match="number of columns of X is not known"):
        features_of(x)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (X.astype(complex), "Complex data not supported"),
        (pd.DataFrame(X.astype(complex)), "Complex data not supported: column 0"),
        (LAZY.astype(complex), "Complex data not supported"),
        (LAZY.astype(object), r"X is of dtype object.*astype\(float\)"),
        (LAZY.astype("U3"), "One-hot encode"),
        (X.astype("M8[s]"), "X is of dtype datetime64"),
        ([["a", "b"]] * 4, "not compatible with arrays of bytes/strings"),
        (np.array([["a", "b"]] * 4, dtype=object), "could not convert string to float"),
    ],
)
def test_what_is_no_real_number_is_refused(bad, message):
    with pytest.raises(ValueError, match=message):
        read(bad, Y)


COLUMNS = [
    (["a", "b"], "'word' of X is of dtype str.*One-hot encode"),
    (pd.Categorical([1, 2]), "'word' of X is of dtype category.*One-hot encode"),
    (pd.to_datetime(["2020", "2021"]), "'word' of X is of dtype datetime.*Turn it into numbers"),
    (pd.to_datetime(["2020", "2021"]).tz_localize("UTC"), "'word' of X is of dtype datetime.*Turn it"),
    (pd.to_timedelta([1, 2], unit="s"), "'word' of X is of dtype timedelta.*Turn it into numbers"),
    (pd.period_range("2020", periods=2, freq="D"), "'word' of X is of dtype period.*Turn it into numbers"),
]


@pytest.mark.parametrize(("column", "message"), COLUMNS)
def test_columns_that_are_no_numbers_are_named(column, message):
    frame = pd.DataFrame({"fine": [1.0, 2.0], "word": column})
    with pytest.raises(InvalidData, match=message):
        read(frame, [0, 1])
    lazy = dd.from_pandas(frame, npartitions=1)
    with pytest.raises(InvalidData, match=message):
        read(lazy, lazy["fine"])
    with pytest.raises(InvalidData, match=message):
        apply(lazy, lambda b: b, n_features=2, outputs=None, dtype=float)


def test_objects_in_a_frame_are_named():
    frame = pd.DataFrame({"fine": [1.0, 2.0], "odd": pd.Series([1, "x"], dtype=object)})
    with pytest.raises(InvalidData, match=r"Column 'odd' of X holds objects .*could not convert string"):
        read(frame, [0, 1])
    numbers = pd.DataFrame({"odd": pd.Series([Fraction(1), Fraction(2)], dtype=object)})
    with dask.config.set({"dataframe.convert-string": False}):
        lazy = dd.from_pandas(numbers, npartitions=1)
    with pytest.raises(InvalidData, match=r"Column 'odd' of X is of dtype object.*astype\(float\)"):
        read(lazy, lazy.index)


def test_names_must_be_all_strings_or_none():
    frame = pd.DataFrame(X, columns=["a", 1])
    coords = {"f": np.array(["a", 1], dtype=object)}
    lazy = dd.from_pandas(frame, npartitions=2)
    for x in (frame, lazy, xr.DataArray(X, dims=["t", "f"], coords=coords)):
        with pytest.raises(TypeError, match="Feature names are only supported if all input features have"):
            features_of(x)
    assert features_of(pd.DataFrame(X)) == (2, None)
    assert features_of(xr.DataArray(X, dims=["t", "f"], coords={"f": [3, 4]})) == (2, None)
    assert features_of(xr.DataArray(X, dims=["t", "f"])) == (2, None)
    many = pd.DataFrame(X, columns=pd.MultiIndex.from_tuples([("a", "b"), ("a", "c")]))
    assert features_of(many) == (2, None)


def test_equal_names_are_read_by_position():
    frame = pd.DataFrame(X, columns=["a", "a"]).astype({"a": "Float64"})
    np.testing.assert_array_equal(read(frame, Y).X, X)


def test_other_blocks_inside_xarray_are_refused():
    class Foreign(np.lib.mixins.NDArrayOperatorsMixin):
        shape, dtype, ndim = (4, 2), np.dtype(float), 2

        def __array_function__(self, func, types, args, kwargs):
            return NotImplemented

        def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
            return NotImplemented

        def __array__(self, dtype=None, copy=None):
            raise AssertionError("converted without being asked")

    with pytest.raises(TypeError, match="X is a DataArray over .*Foreign; NumPy or dask"):
        read(xr.DataArray(Foreign(), dims=["t", "f"]), Y)
