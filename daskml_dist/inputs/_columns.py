"""Targets, weights and offsets: validated as far as is possible unread."""

from __future__ import annotations

import warnings
from numbers import Real
from typing import Any

import numpy as np
from sklearn.exceptions import DataConversionWarning
from sklearn.utils import check_array, column_or_1d

from daskml_dist.errors import InvalidData
from daskml_dist.inputs._complaints import REAL_KINDS, is_lazy, refuse_nonfinite
from daskml_dist.inputs._recognise import container_of
from daskml_dist.types import AnyArray

_COLUMN_VECTOR = (
    "A column-vector y was passed when a 1d array was expected. Please change the shape of y to "
    "(n_samples, ), for example using y[:, 0]."
)


def target(values: Any, *, multi_output: bool, estimator: object, name: str = "y") -> Any:
    """The target as a NumPy or dask array (n,), or (n, t) where ``multi_output`` allows it.

    ``name`` is what messages call it.

    Raises
    ------
    InvalidData
        Its shape or dtype is no target.
    NonFiniteData
        It is in memory and contains NaN, infinity or missing values.
    """
    array = container_of(values, name).column(values, name)
    if is_lazy(array):
        return _target_dtype(_lazy_shape(array, multi_output, name), name)
    if multi_output:
        array = check_array(
            array,
            ensure_2d=False,
            dtype=None,
            ensure_all_finite=False,
            ensure_min_samples=0,
            input_name=name,
            estimator=estimator,
        )
        if array.ndim == 2 and array.dtype.kind == "O":
            array = array.astype(np.float64)
    else:
        array = column_or_1d(array, warn=True, input_name=name)
    array = _target_dtype(array, name)
    refuse_nonfinite(array, name)
    return array


def _lazy_shape(array: Any, multi_output: bool, name: str) -> Any:
    """A lazy target in the same shape as scikit-learn gives to one in memory."""
    if array.ndim == 1:
        return array
    if array.ndim == 2 and multi_output:
        return array if array.numblocks[1] == 1 else array.rechunk({1: -1}, method="tasks")
    if array.ndim == 2 and array.shape[1] == 1:
        warnings.warn(_COLUMN_VECTOR, DataConversionWarning, stacklevel=2)
        return array[:, 0]
    raise InvalidData(f"{name} should be a 1d array, got an array of shape {array.shape} instead.")


def _target_dtype(array: Any, name: str) -> Any:
    """Refuse what is no target: complex numbers, dates, and columns of words."""
    kind = array.dtype.kind
    if kind == "c":
        raise InvalidData(f"Complex data not supported: {name} is {array.dtype}.")
    if kind not in REAL_KINDS + "OUST":
        raise InvalidData(f"{name} is of dtype {array.dtype}; numbers or class labels are expected.")
    if array.ndim == 2 and (kind not in REAL_KINDS or array.shape[1] == 0):
        raise InvalidData(
            f"{name} has shape {array.shape} and dtype {array.dtype}; several targets must be numbers."
        )
    return array.astype(np.float64) if array.dtype == np.longdouble else array


def weight(values: Any, name: str, n_rows: float) -> Any:
    """Weights or an offset as a NumPy or dask array (n,) of float64 or float32.

    Parameters
    ----------
    values : 1-D numbers; for weights a single number is left as it is, to be repeated later.
    name : "sample_weight" or "offset".
    n_rows : n as far as it is known, for the message.

    Raises
    ------
    InvalidData
        Not 1-D, no numbers, or all weights are zero.
    NonFiniteData
        It is in memory and contains NaN or infinity.
    """
    if isinstance(values, Real):
        return _scalar(float(values), name)
    array = container_of(values, name).column(values, name)
    if not is_lazy(array):
        if np.asarray(array).dtype.kind in "US":
            raise InvalidData(f"{name} is of dtype {np.asarray(array).dtype}; real numbers are expected.")
        array = check_array(
            np.asarray(array),
            ensure_2d=False,
            allow_nd=True,
            dtype=[np.float64, np.float32],
            ensure_all_finite=False,
            ensure_min_samples=0,
            input_name=name,
        )
        refuse_nonfinite(array, name)
    if array.ndim != 1:
        raise InvalidData(_not_1d(name, array.ndim, n_rows))
    if array.dtype.kind not in REAL_KINDS:
        raise InvalidData(f"{name} is of dtype {array.dtype}; real numbers are expected.")
    if name == "sample_weight" and not is_lazy(array):
        _refuse_zeros(array)
    return array if array.dtype in (np.float64, np.float32) else array.astype(np.float64)


def _scalar(value: float, name: str) -> float:
    """One weight for all rows."""
    if name == "offset":
        raise InvalidData(
            "offset must hold one number a row, a single number was given. An offset that is the same "
            "for all rows is what the intercept learns."
        )
    refuse_nonfinite(np.array([value]), name)
    _refuse_zeros(np.array([value]))
    return value


def _not_1d(name: str, ndim: int, n_rows: float) -> str:
    """The complaint about a weight or offset that is not 1-D."""
    length = "" if np.isnan(n_rows) else f" of length {int(n_rows)}"
    if name == "offset":
        return f"offset must be a 1D array, got {ndim}D array. Expected a 1D array{length}."
    return (
        f"Sample weights must be 1D array or scalar, got {ndim}D array. Expected either a scalar value "
        f"or a 1D array{length}."
    )


def _refuse_zeros(array: AnyArray) -> None:
    """Complain when no row counts."""
    if array.size and not array.any():
        raise InvalidData("Sample weights must contain at least one non-zero number.")
