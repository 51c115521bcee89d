"""X, y, sample_weight, offset and groups as one Table; nothing is computed."""

from __future__ import annotations

from typing import Any

import dask.array as da
import dask.dataframe as dd
import numpy as np
import xarray as xr

from daskml_dist.errors import ChunkMismatch, InvalidData
from daskml_dist.inputs._align import aligned, known, measured, rows_of
from daskml_dist.inputs._columns import target, weight
from daskml_dist.inputs._complaints import is_lazy, refuse_sparse
from daskml_dist.inputs._recognise import container_of
from daskml_dist.inputs._rows import column, uncounted
from daskml_dist.inputs.xarray_array import refuse_other_labels
from daskml_dist.inputs.xarray_dataset import joined
from daskml_dist.types import AnyArray, Table


def read(
    X: Any,
    y: Any = None,
    sample_weight: Any = None,
    offset: Any = None,
    *,
    groups: Any = None,
    multi_output: bool = False,
    lengths: tuple[int, ...] | None = None,
    estimator: object = None,
    y_required: bool = True,
    sparse: bool = True,
) -> Table:
    """Recognise, validate and align the data of a fit; nothing is computed.

    If anything is lazy, everything becomes lazy: dask arrays with the row chunks of X (of the first
    lazy one where X is in memory) and a single column chunk. Rows belong together by position.
    Where neither X nor y has known chunk lengths, equal numbers of chunks are taken to have equal rows,
    which kernels verify.

    Parameters
    ----------
    X : (n, p) numpy, list, scipy.sparse, pandas, dask array or dataframe, or xarray.
    y : (n,) numbers or labels; a column (n, 1) is raveled with scikit-learn's warning.
    sample_weight : (n,) or one number for all rows, or None.
    offset : (n,) or None.
    groups : (n,) numbers or labels, or None.
    multi_output : whether y may be (n, t) numbers; (n, 1) then stays as it is.
    lengths : rows of each chunk of X, measured by the caller (``row_counts``) where
        ``measure_needed`` says so.
    estimator : name or instance, for scikit-learn's messages.
    y_required : whether y None is refused.
    sparse : whether X may be scipy.sparse, or a dask array of such blocks; it then stays sparse.

    Returns
    -------
    Table.

    Raises
    ------
    InvalidData
        Shapes, dtypes or numbers of rows that cannot be used; a ValueError, as scikit-learn's are.
    NonFiniteData
        NaN or infinity in a target, weight or offset in memory.
    ChunkMismatch
        Rows that cannot be brought together; the message says what to call first.
    TypeError
        No supported container, sparse data where they are not allowed, or column names of which only some
        are strings.
    """
    if y is None and y_required:
        raise InvalidData(f"{_name(estimator)} requires y to be passed, but the target y is None")
    container = container_of(X)
    n_features, names = container.features(X)
    if not sparse:
        refuse_sparse(X, "X")
    matrix = measured(container.matrix(X, estimator=estimator, min_rows=1), lengths)
    n_rows = sum(rows_of(matrix))
    parts = {
        "y": None if y is None else target(y, multi_output=multi_output, estimator=estimator),
        "sample_weight": None if sample_weight is None else weight(sample_weight, "sample_weight", n_rows),
        "offset": None if offset is None else weight(offset, "offset", n_rows),
        "groups": None if groups is None else column(groups, "groups"),
    }
    given_parts = {"y": y, "sample_weight": sample_weight, "offset": offset, "groups": groups}
    for name, given in given_parts.items():
        refuse_other_rows(X, given, name)
    matrix, parts = aligned(matrix, parts)
    return _table(matrix, parts, n_features, names)


def uncut(X: Any, table: Table) -> Any:
    """X of a lazy table with the column chunks that it was given with, which the table has merged."""
    data = X.data if isinstance(X, xr.DataArray) else X
    if isinstance(data, da.Array) and data.numblocks[0] == table.X.numblocks[0]:
        return data
    return table.X


def measure_needed(
    X: Any, y: Any = None, sample_weight: Any = None, offset: Any = None, groups: Any = None
) -> bool:
    """Say whether the chunks of X must be counted before ``read`` can cut the others like X.

    Parameters
    ----------
    X, y, sample_weight, offset, groups : as ``read`` takes them.

    Returns
    -------
    True where X is lazy with unknown chunk lengths and one of the others has known ones, or is in
    memory. Then compute ``row_counts(X)`` and pass the result to ``read`` as ``lengths``.
    """
    if not uncounted(X):
        return False
    others = (y, sample_weight, offset, groups)
    return not all(uncounted(part) for part in others if part is not None and not np.isscalar(part))


def refuse_other_rows(X: Any, given: Any, name: str) -> None:
    """Complain where labels say that the rows of two containers do not belong together."""
    if isinstance(X, xr.Dataset):
        X = joined(X)
    if isinstance(X, xr.DataArray) and isinstance(given, xr.DataArray):
        refuse_other_labels(X, given, name)
    frames = (dd.DataFrame, dd.Series)
    if not (isinstance(X, frames) and isinstance(given, frames)):
        return
    if X.known_divisions and given.known_divisions and X.divisions != given.divisions:
        raise ChunkMismatch(
            f"The partitions of X and {name} are divided differently by their index. Use "
            f"{name}.repartition(divisions=X.divisions)."
        )


def _name(estimator: object) -> str:
    """How an estimator is called in messages."""
    if estimator is None:
        return "estimator"
    return estimator if isinstance(estimator, str) else type(estimator).__name__


def _table(matrix: Any, parts: dict[str, Any], n_features: int, names: AnyArray | None) -> Table:
    """The aligned arrays with what is known about them."""
    rows = rows_of(matrix)
    return Table(
        X=matrix,
        y=parts["y"],
        weight=parts["sample_weight"],
        offset=parts["offset"],
        groups=parts["groups"],
        chunks=tuple(int(n) for n in rows) if known(rows) else None,
        n_features=n_features,
        feature_names=names,
        lazy=is_lazy(matrix),
    )
