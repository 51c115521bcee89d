"""Which kind of container an object is, and why some are none."""

from __future__ import annotations

from typing import NoReturn

import numpy as np
import xarray as xr
from dask.base import is_dask_collection

from daskml_dist.inputs._base import Container, Kind
from daskml_dist.inputs.dask_array import DaskArray
from daskml_dist.inputs.dask_frame import DaskFrame
from daskml_dist.inputs.numpy_array import NumpyArray
from daskml_dist.inputs.pandas_frame import PandasFrame
from daskml_dist.inputs.sparse_matrix import SparseMatrix
from daskml_dist.inputs.xarray_array import XarrayArray
from daskml_dist.inputs.xarray_dataset import XarrayDataset
from daskml_dist.types import AnyArray

CONTAINERS: tuple[Container, ...] = (
    NumpyArray(),
    SparseMatrix(),
    PandasFrame(),
    DaskArray(),
    DaskFrame(),
    XarrayArray(),
    XarrayDataset(),
)

_NUMPY = CONTAINERS[0]
_LIKE = (
    "numpy arrays and what converts to one, scipy.sparse, pandas, dask arrays and dataframes, and xarray "
    "DataArrays and Datasets are supported"
)


def container_of(values: object, name: str = "X") -> Container:
    """The container that an object is; see ``kind_of``."""
    for container in CONTAINERS:
        if container.recognises(values):
            _refuse_lazy_items(values, name)
            return container
    if _is_array_like(values):
        return _NUMPY
    _refuse(values, name)


def kind_of(X: object) -> Kind:
    """The kind of container that an object is; nothing is computed.

    Parameters
    ----------
    X : any object.

    Returns
    -------
    "numpy" (whatever ``numpy.asarray`` makes an array of: lists too), "scipy sparse", "pandas",
    "dask array", "dask dataframe" or "xarray".

    Raises
    ------
    TypeError
        It is none of them; the message names a cure where there is one.
    """
    return container_of(X).kind


def features_of(X: object) -> tuple[int, AnyArray | None]:
    """The number of features and their names; cheap, nothing is computed.

    Parameters
    ----------
    X : any supported container of two dimensions; a list is converted.

    Returns
    -------
    n_features : the number of columns.
    feature_names : object array of the names when all of them are strings, else None.

    Raises
    ------
    ValueError
        X is not 2-D.
    TypeError
        X is no supported container, or only some of the names are strings.
    """
    return container_of(X).features(X)


def _is_array_like(values: object) -> bool:
    """Say whether NumPy makes an array with rows of it, without computing anything."""
    if values is None or isinstance(values, (str, bytes, dict, set, frozenset, xr.Dataset)):
        return False
    if is_dask_collection(values):
        return False
    try:
        return np.asarray(values).ndim > 0
    except (TypeError, ValueError):
        return False


def _refuse_lazy_items(values: object, name: str) -> None:
    """Complain about a list of dask objects, which NumPy would compute one by one."""
    if isinstance(values, (list, tuple)) and len(values) > 0 and is_dask_collection(values[0]):
        raise TypeError(
            f"{name} is a {type(values).__name__} of dask objects. Join them first, for instance with "
            "dask.array.concatenate or dask.array.stack."
        )


def _refuse(values: object, name: str) -> NoReturn:
    """Say what was given and how to turn it into something supported."""
    given = f"{name} is a {type(values).__module__}.{type(values).__name__}".replace("builtins.", "")
    if is_dask_collection(values):
        raise TypeError(f"{given}; {_LIKE}. Use .to_dataframe() or dask.array.from_delayed.")
    raise TypeError(f"{given}; {_LIKE}.")
