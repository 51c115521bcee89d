"""A function of the rows of X, given back in the kind of X: what ``predict`` uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from daskml_dist.inputs._base import BlockFunction, RowMap
from daskml_dist.inputs._recognise import container_of


def apply(
    X: Any,
    function: BlockFunction,
    *,
    n_features: int,
    outputs: Sequence[Any] | None,
    dtype: DTypeLike,
    name: str | None = None,
    output_dim: str = "class",
) -> Any:
    """Map each row of X to one value or k values, in the kind of container that X is.

    Lazy containers give lazy results of the same chunks; nothing is computed here. Rows keep their
    index (pandas, dask dataframes, with the divisions) and their dim and coords (xarray). Chunks
    without rows give results without rows.

    Parameters
    ----------
    X : (n, p) numpy, pandas, dask array or dataframe, or xarray.
    function : maps a C-contiguous block (m, p), m > 0, to (m,) or (m, k); pure NumPy and picklable.
    n_features : p, what the function expects.
    outputs : labels of the k columns of a 2-D result (columns in pandas, coords in xarray), or None
        for a 1-D result.
    dtype : of the result; strings become pandas strings in pandas.
    name : of a 1-D pandas result, and of an xarray result.
    output_dim : the second dim of a 2-D xarray result.

    Returns
    -------
    (n,) or (n, k), in the kind of X.

    Raises
    ------
    InvalidData
        X is no matrix of p columns of real numbers.
    NonFiniteData
        X contains NaN or infinity: at once where X is in memory, else when the chunk is computed.
    TypeError
        X is no supported container.
    """
    container = container_of(X)
    row_map = RowMap(
        function=function,
        n_features=n_features,
        outputs=None if outputs is None else tuple(outputs),
        dtype=np.dtype(dtype),
        name=name,
        output_dim=output_dim,
        feature_names=container.features(X)[1],
    )
    return container.apply(X, row_map)
