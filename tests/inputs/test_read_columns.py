"""What becomes of targets, weights, offsets and the columns of frames."""

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import DataConversionWarning

from daskml_dist.errors import InvalidData, NonFiniteData
from daskml_dist.inputs import read

X = np.arange(8.0).reshape(4, 2)
LAZY = da.from_array(X, chunks=((1, 3), 2))


def partitions(series):
    return dd.from_pandas(series, npartitions=2)


def frame_of(series):
    """A lazy X with the partitions of a lazy y."""
    return dd.from_pandas(pd.DataFrame(X, columns=["a", "b"]), npartitions=2)


TARGETS = [
    (np.array([0, 1, 0, 1]), np.int64, [0, 1, 0, 1]),
    (np.float32([0.5, 1, 0, 1]), np.float32, [0.5, 1, 0, 1]),
    (np.longdouble([0.5, 1, 0, 1]), np.float64, [0.5, 1, 0, 1]),
    ([True, False, True, True], np.bool_, [True, False, True, True]),
    (["no", "yes", "no", "no"], np.dtype("<U3"), ["no", "yes", "no", "no"]),
    (np.array(["no", 1, 2, 3], dtype=object), object, ["no", 1, 2, 3]),
    (pd.Series(["no", "yes", "no", "no"]), object, ["no", "yes", "no", "no"]),
    (pd.Series(["no", "yes", "no", "no"], dtype="category"), object, ["no", "yes", "no", "no"]),
    (pd.Categorical([3, 1, 3, 1]), np.int64, [3, 1, 3, 1]),
    (pd.Series([3, 1, 3, 1], dtype="Int64"), np.int64, [3, 1, 3, 1]),
    (pd.Series([3, 1, 3, 1], dtype="int64[pyarrow]"), np.int64, [3, 1, 3, 1]),
    (pd.Series([True, False, True, True], dtype="boolean"), np.bool_, [True, False, True, True]),
    (pd.Series([0.5, 1, 3, 1], dtype="Float64"), np.float64, [0.5, 1, 3, 1]),
    (pd.Index([3, 1, 3, 1]), np.int64, [3, 1, 3, 1]),
]


@pytest.mark.parametrize(("y", "dtype", "expected"), TARGETS)
def test_targets_keep_their_labels(y, dtype, expected):
    read_now = read(X, y).y
    assert read_now.dtype == dtype
    assert read_now.tolist() == expected
    cut = read(LAZY, y).y
    assert cut.dtype == dtype
    assert cut.compute().tolist() == expected


@pytest.mark.parametrize(
    ("y", "dtype", "expected"), [case for case in TARGETS if isinstance(case[0], pd.Series)]
)
def test_lazy_targets_keep_their_labels(y, dtype, expected, nothing_computes):
    lazy = partitions(y)
    with nothing_computes:
        result = read(frame_of(y), lazy).y
    assert result.dtype == dtype
    assert result.compute().dtype == dtype
    assert result.compute().tolist() == expected


def test_unknown_categories_become_objects():
    y = partitions(pd.Series([1, 2, 1, 2], dtype="category"))
    result = read(frame_of(y), y.cat.as_unknown()).y.compute()
    assert result.dtype == object
    assert result.tolist() == [1, 2, 1, 2]


@pytest.mark.parametrize(
    "y", [X[:, :1], pd.DataFrame({"y": X[:, 0]}), X[:, :1].tolist(), da.from_array(X[:, :1], chunks=(2, 1))]
)
def test_a_column_is_raveled_with_a_warning(y):
    with pytest.warns(DataConversionWarning, match="column-vector y was passed"):
        table = read(X, y)
    np.testing.assert_array_equal(np.asarray(table.y), X[:, 0])


def test_a_column_of_labels_keeps_them():
    for y in (["no", "yes", "no", "no"], pd.array([1, 2, 1, 1], dtype="Int64")):
        with pytest.warns(DataConversionWarning):
            read_now = read(X, pd.DataFrame({"y": y})).y
        assert read_now.tolist() == list(y)
        assert read_now.dtype in (object, np.int64)


def test_a_column_of_a_dask_dataframe_is_raveled_with_a_warning():
    frame = dd.from_pandas(pd.DataFrame(X, columns=["a", "b"]), npartitions=2)
    with pytest.warns(DataConversionWarning, match="column-vector y was passed"):
        table = read(frame, frame[["b"]])
    np.testing.assert_array_equal(table.y.compute(), X[:, 1])


@pytest.mark.parametrize(
    "y", [X, pd.DataFrame(X), X.tolist(), X.astype(object), da.from_array(X, chunks=(2, 1))]
)
def test_several_targets_stay_columns(y):
    table = read(X, y, multi_output=True)
    assert table.y.shape == (4, 2)
    np.testing.assert_array_equal(np.asarray(table.y), X)
    with pytest.raises(ValueError, match=r"y should be a 1d array, got an array of shape \(4, 2\)"):
        read(X, y)


def test_several_targets_of_a_dask_dataframe_stay_columns():
    frame = dd.from_pandas(pd.DataFrame(X, columns=["a", "b"]), npartitions=2)
    np.testing.assert_array_equal(read(frame, frame, multi_output=True).y.compute(), X)


def test_one_target_of_several_stays_a_column():
    for y in (X[:, :1], pd.DataFrame(X[:, :1]), da.from_array(X[:, :1], chunks=2)):
        assert read(X, y, multi_output=True).y.shape == (4, 1)
    assert read(X, X[:, 0], multi_output=True).y.shape == (4,)


@pytest.mark.parametrize(
    "y",
    [
        [0.0, np.nan, 1.0, 0.0],
        np.array([0.0, None, 1.0, "a"], dtype=object),
        pd.Series(["a", None, "b", "c"]),
        pd.Series([1, None, 2, 3], dtype="Int64"),
        pd.Series([1.5, None, 2, 3], dtype="Float64"),
        pd.Categorical(["a", None, "b", "c"]),
    ],
)
def test_missing_targets_in_memory_are_refused(y):
    with pytest.raises(NonFiniteData, match="Input y contains NaN.\nValues that are not finite: 1, .* row 1"):
        read(X, y)


def test_infinite_targets_in_memory_are_refused():
    with pytest.raises(NonFiniteData, match="Input y contains infinity"):
        read(X, [0.0, np.inf, -np.inf, 1.0])
    large = np.full(4, 1e308)  # the sum overflows, the values do not
    np.testing.assert_array_equal(read(X, large).y, large)


@pytest.mark.parametrize("y", [pd.Series([1, None, 2, 3], dtype="Int64"), pd.Series(["a", None, "b", "c"])])
def test_missing_lazy_labels_are_refused_when_they_are_read(y):
    table = read(frame_of(y), partitions(y))
    with pytest.raises(NonFiniteData, match="Input y contains NaN"):
        table.y.compute()


def test_missing_lazy_numbers_are_left_to_the_kernels():
    y = partitions(pd.Series([1.5, None, 2, 3], dtype="Float64"))
    np.testing.assert_array_equal(read(frame_of(y), y).y.compute(), [1.5, np.nan, 2, 3])


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.array([1j, 0, 0, 1]), "Complex data not supported"),
        (da.from_array(np.array([1j, 0, 0, 1]), chunks=2), "Complex data not supported"),
        (np.array(["2020"] * 4, dtype="M8[D]"), "y is of dtype datetime64"),
        (da.zeros((4, 2, 1), chunks=2), "y should be a 1d array"),
        (None, "MyModel requires y to be passed, but the target y is None"),
    ],
)
def test_what_is_no_target_is_refused(y, message):
    with pytest.raises(ValueError, match=message):
        read(X, y, estimator="MyModel")


def test_several_targets_must_be_numbers():
    with pytest.raises(InvalidData, match="several targets must be numbers"):
        read(X, [["a", "b"]] * 4, multi_output=True)


def test_y_may_be_left_out_where_nothing_is_predicted():
    assert read(X, y_required=False).y is None


@pytest.mark.parametrize("name", ["sample_weight", "offset"])
@pytest.mark.parametrize(
    ("given", "dtype"),
    [
        ([1, 2, 3, 4], np.float64),
        (np.float32([1, 2, 3, 4]), np.float32),
        (np.float16([1, 2, 3, 4]), np.float64),
        (np.longdouble([1, 2, 3, 4]), np.float64),
        (pd.Series([1, 2, 3, 4], dtype="Int64", index=list("abcd")), np.float64),
        (da.from_array(np.arange(1, 5), chunks=3), np.float64),
        (da.from_array(np.arange(1, 5, dtype=np.float32), chunks=3), np.float32),
    ],
)
def test_weights_and_offsets_are_floats(name, given, dtype):
    for x in (X, LAZY):
        table = read(x, np.arange(4), **{name: given})
        part = table.weight if name == "sample_weight" else table.offset
        assert part.dtype == dtype
        np.testing.assert_array_equal(np.asarray(part), [1, 2, 3, 4])


def test_one_weight_is_repeated():
    unknown = da.Array(LAZY.dask, LAZY.name, ((np.nan, np.nan), (2,)), dtype=float)
    y = da.from_array(np.arange(4), chunks=((1, 3),))
    lazy_y = da.Array(y.dask, y.name, ((np.nan, np.nan),), dtype=int)
    for x, target in ((X, y), (X, np.arange(4)), (LAZY, y), (unknown, lazy_y)):
        np.testing.assert_array_equal(np.asarray(read(x, target, 2).weight), [2.0] * 4)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.ones((4, 2)), "Sample weights must be 1D array or scalar, got 2D array.*of length 4"),
        (da.ones((4, 2), chunks=2), "Sample weights must be 1D array or scalar, got 2D array"),
        (np.array(2.0), "Sample weights must be 1D array or scalar, got 0D array"),
        (np.zeros(4), "at least one non-zero number"),
        (0, "at least one non-zero number"),
        (np.nan, "Input sample_weight contains NaN"),
        ([1, np.nan, 1, 1], "Input sample_weight contains NaN"),
        ([1, np.inf, 1, 1], "Input sample_weight contains infinity"),
        ([1j, 1, 1, 1], "Complex data not supported"),
        (["a", "b", "c", "d"], "real numbers are expected"),
        (da.from_array(np.array(["a"] * 4), chunks=2), "sample_weight is of dtype <U1"),
    ],
)
def test_what_is_no_weight_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        read(X, np.arange(4), given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (2.0, "offset must hold one number a row"),
        (np.ones((4, 1)), "offset must be a 1D array, got 2D array"),
        ([1, np.nan, 1, 1], "Input offset contains NaN"),
    ],
)
def test_what_is_no_offset_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        read(X, np.arange(4), offset=given)


def test_an_offset_may_be_zero():
    np.testing.assert_array_equal(read(X, np.arange(4), offset=np.zeros(4)).offset, np.zeros(4))


COLUMNS = [
    ({"a": np.float32([1, 2]), "b": np.float32([3, 4])}, np.float32),
    ({"a": np.float32([1, 2]), "b": np.int8([3, 4])}, np.float32),
    ({"a": np.float32([1, 2]), "b": [3, 4]}, np.float64),
    ({"a": [True, False], "b": [0.5, 1]}, np.float64),
    ({"a": [True, False], "b": [True, False]}, np.bool_),
    ({"a": np.uint8([1, 2]), "b": np.int16([1, 2])}, np.int16),
    ({"a": np.float16([1, 2]), "b": np.float16([1, 2])}, np.float16),
    ({"a": pd.array([1, 2], dtype="Int64"), "b": [1, 2]}, np.float64),
    ({"a": pd.array([1, None], dtype="Int64"), "b": pd.array([True, None], dtype="boolean")}, np.float64),
    ({"a": pd.array([1.5, None], dtype="Float32"), "b": [1, 2]}, np.float64),
    ({"a": pd.array([1.5, None], dtype="double[pyarrow]"), "b": [True, False]}, np.float64),
]


@pytest.mark.parametrize(("columns", "dtype"), COLUMNS)
def test_columns_of_a_frame_share_one_dtype(columns, dtype):
    frame = pd.DataFrame(columns)
    expected = frame.to_numpy(dtype=float, na_value=np.nan)
    lazy = dd.from_pandas(frame, npartitions=2)
    table = read(lazy, lazy["b"] if frame["b"].notna().all() else lazy.index)
    for matrix in (read(frame, [0, 1]).X, table.X, table.X.compute()):
        assert matrix.dtype == dtype
    np.testing.assert_array_equal(read(frame, [0, 1]).X.astype(float), expected)
    np.testing.assert_array_equal(table.X.compute().astype(float), expected)


def test_objects_that_are_numbers_are_converted_in_memory():
    for x in (X.astype(object), pd.DataFrame(X.astype(object), dtype=object), X.astype(object).tolist()):
        table = read(x, np.arange(4))
        assert table.X.dtype == np.float64
        np.testing.assert_array_equal(table.X, X)


def test_extended_precision_becomes_double():
    wide = X.astype(np.longdouble)
    for x in (wide, pd.DataFrame(wide), da.from_array(wide, chunks=2)):
        assert read(x, np.arange(4)).X.dtype == np.float64
