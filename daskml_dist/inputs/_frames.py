"""What pandas columns become as NumPy arrays; the same in memory and in each dask partition."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from daskml_dist.errors import InvalidData
from daskml_dist.inputs._base import RowMap
from daskml_dist.inputs._complaints import REAL_KINDS, refuse_nonfinite
from daskml_dist.types import AnyArray

AnyDtype = np.dtype[Any]


def matrix_dtype(dtypes: Iterable[Any], names: Sequence[Any], *, objects: bool) -> AnyDtype:
    """The one dtype that holds all columns: NumPy's result type, float64 for nullable columns.

    Parameters
    ----------
    dtypes, names : of the columns.
    objects : whether columns of Python objects may still turn out to be numbers.

    Raises
    ------
    InvalidData
        A column is no real number; it is named, with the cure.
    TypeError
        A column is sparse.
    """
    columns = [_column_dtype(dtype, name, objects) for dtype, name in zip(dtypes, names, strict=True)]
    return np.result_type(*columns) if columns else np.dtype(np.float64)


def _column_dtype(dtype: Any, name: object, objects: bool) -> AnyDtype:
    """The NumPy dtype of one column of features."""
    if isinstance(dtype, pd.SparseDtype):
        raise TypeError(
            f"Sparse data was passed for X (column {name!r}), but dense data is required. Use "
            "X.sparse.to_dense()."
        )
    if dtype.kind == "c":
        raise InvalidData(f"Complex data not supported: column {name!r} of X is {dtype}.")
    if isinstance(dtype, np.dtype):
        if dtype.kind in REAL_KINDS and dtype != np.longdouble:
            return dtype
        if dtype.kind in REAL_KINDS or (dtype.kind == "O" and objects):
            return np.dtype(np.float64)
    elif dtype.kind in REAL_KINDS and not isinstance(dtype, pd.CategoricalDtype):
        return np.dtype(np.float64)
    raise InvalidData(f"Column {name!r} of X is of dtype {dtype}; numbers are expected. {_cure(dtype)}")


def _cure(dtype: Any) -> str:
    """What to do about a column of features that is no number."""
    if dtype.kind in "mM" or isinstance(dtype, (pd.PeriodDtype, pd.IntervalDtype)):
        return "Turn it into numbers, for instance seconds since a fixed day, or drop it."
    if isinstance(dtype, np.dtype):
        return "Convert it with .astype(float) if it holds numbers, else one-hot encode it."
    return "One-hot encode it (pandas.get_dummies, sklearn's OneHotEncoder), or drop it."


def to_matrix(frame: pd.DataFrame, dtype: AnyDtype) -> AnyArray:
    """A frame of numbers as a NumPy array; missing values of nullable columns become NaN."""
    if all(isinstance(column, np.dtype) and column.kind != "O" for column in frame.dtypes):
        return frame.to_numpy(dtype=dtype)
    _refuse_words(frame)
    return frame.to_numpy(dtype=dtype, na_value=np.nan)


def _refuse_words(frame: pd.DataFrame) -> None:
    """Complain about a column of objects that are no numbers, by name."""
    for position, dtype in enumerate(frame.dtypes):
        if isinstance(dtype, np.dtype) and dtype.kind == "O":
            try:
                frame.iloc[:, position].to_numpy(dtype=np.float64, na_value=np.nan)
            except (TypeError, ValueError) as problem:
                raise InvalidData(
                    f"Column {frame.columns[position]!r} of X holds objects that are no numbers "
                    f"({problem}). {_cure(dtype)}"
                ) from problem


def vector_dtype(dtype: Any) -> AnyDtype:
    """The NumPy dtype of a target or weight; labels keep theirs, strings become objects."""
    if isinstance(dtype, np.dtype):
        return dtype
    if isinstance(dtype, pd.SparseDtype):
        return np.dtype(dtype.subtype)
    if isinstance(dtype, pd.CategoricalDtype):
        return np.dtype(object) if dtype.categories is None else vector_dtype(dtype.categories.dtype)
    if dtype.kind in "mM":
        return np.dtype(f"{dtype.kind}8[ns]")
    if dtype.kind in "bf":
        return np.dtype(np.bool_ if dtype.kind == "b" else np.float64)
    if dtype.kind in "iu":
        return np.dtype(f"{dtype.kind}8")
    return np.dtype(object)


def to_vector(values: Any, dtype: AnyDtype, name: str) -> AnyArray:
    """A series, index or extension array as a NumPy array.

    Raises
    ------
    NonFiniteData
        A missing value in a column whose NumPy dtype has no place for it.
    """
    if isinstance(values.dtype, np.dtype):
        return np.asarray(values, dtype=dtype)
    if dtype.kind == "f":
        return np.asarray(pd.Series(values).to_numpy(dtype=dtype, na_value=np.nan))
    refuse_nonfinite(np.where(np.asarray(pd.isna(values)), np.nan, 0.0), name)
    return np.asarray(values, dtype=dtype)


def labelled(rows: AnyArray, index: Any, row_map: RowMap) -> Any:
    """A result as a series or frame over an index; a dtype that does not depend on the values."""
    dtype: Any = {"U": "str", "S": object}.get(rows.dtype.kind, rows.dtype)
    if row_map.outputs is None:
        return pd.Series(rows, index=index, name=row_map.name, dtype=dtype)
    return pd.DataFrame(rows, index=index, columns=list(row_map.outputs), dtype=dtype)
