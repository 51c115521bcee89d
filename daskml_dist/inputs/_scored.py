"""Targets, what was predicted for them, and weights as one Table; nothing is computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dask.array as da
import dask.dataframe as dd
import numpy as np

from daskml_dist.errors import InvalidData
from daskml_dist.inputs._align import aligned, known, rows_of, with_rows
from daskml_dist.inputs._columns import target, weight
from daskml_dist.inputs._complaints import REAL_KINDS, is_lazy
from daskml_dist.inputs._read import refuse_other_rows
from daskml_dist.inputs._recognise import container_of
from daskml_dist.inputs._rows import uncounted
from daskml_dist.inputs.dask_frame import partition_lengths
from daskml_dist.types import AnyArray, Table


def read_scored(
    y_true: Any,
    prediction: Any,
    sample_weight: Any = None,
    *,
    labels: tuple[bool, bool],
    name: str = "y_pred",
    lengths: Mapping[str, tuple[int, ...]] | None = None,
) -> Table:
    """Recognise, validate and align targets and predictions; nothing is computed.

    Parameters
    ----------
    y_true : (n,) labels, or (n,) or (n, t) numbers.
    prediction : (n,) labels, or (n,) or (n, k) numbers; it becomes the X of the table, (n, 1) or (n, k).
    sample_weight : (n,) or one number for all rows, or None.
    labels : whether the targets, and whether the predictions, are labels.
    name : what messages call the predictions.
    lengths : rows of each chunk of those that ``to_measure`` names, by name.

    Returns
    -------
    Table, as ``read`` makes it; its X has the dtype of the labels where predictions are labels.

    Raises
    ------
    InvalidData, NonFiniteData, ChunkMismatch, TypeError
        As ``read``; messages about how rows are cut call the predictions X.
    """
    given = {"X": prediction, "y_true": y_true, "sample_weight": sample_weight}
    X = _column(prediction, name) if labels[1] else _numbers(prediction, name)
    y = _column(y_true, "y_true") if labels[0] else _numbers(y_true, "y_true")
    parts = {"X": X[:, None] if X.ndim == 1 else X, "y_true": y}
    if sample_weight is not None:
        parts["sample_weight"] = weight(sample_weight, "sample_weight", sum(rows_of(X)))
    for part, counted in (lengths or {}).items():
        parts[part] = with_rows(parts[part], counted, part)
    for part in ("y_true", "sample_weight"):
        refuse_other_rows(prediction, given[part], part)
    matrix, others = aligned(parts.pop("X"), parts)
    rows = rows_of(matrix)
    return Table(
        X=matrix,
        y=others["y_true"],
        weight=others.get("sample_weight"),
        offset=None,
        chunks=tuple(int(n) for n in rows) if known(rows) else None,
        n_features=int(matrix.shape[1]),
        feature_names=None,
        lazy=is_lazy(matrix),
    )


def to_measure(y_true: Any, prediction: Any, sample_weight: Any = None) -> dict[str, Any]:
    """What must be counted before ``read_scored`` can cut all of them alike.

    Parameters
    ----------
    y_true, prediction, sample_weight : as ``read_scored`` takes them.

    Returns
    -------
    By name ("X" are the predictions), a lazy dask array (chunks,) of the rows of each chunk. It is empty
    where all chunks have known lengths, and where none has.
    """
    given = {"X": prediction, "y_true": y_true, "sample_weight": sample_weight}
    there = {name: part for name, part in given.items() if part is not None and not np.isscalar(part)}
    unknown = {name: part for name, part in there.items() if uncounted(part)}
    return {} if len(unknown) == len(there) else {name: _counts(part) for name, part in unknown.items()}


def _counts(values: Any) -> Any:
    """The rows of each chunk, as a lazy dask array of integers."""
    if isinstance(values, (dd.DataFrame, dd.Series, dd.Index)):
        return partition_lengths(values)
    array = container_of(values).column(values, "X")
    if array.ndim > 1:
        array = array[:, 0]
    return da.map_blocks(_count, array, chunks=((1,) * array.numblocks[0],), dtype=np.int64)


def _count(block: AnyArray) -> AnyArray:
    """The number of rows of one block."""
    return np.array([len(block)], dtype=np.int64)


def _column(values: Any, name: str) -> Any:
    """Labels as an array (n,)."""
    column = container_of(values, name).column(values, name)
    column = column if is_lazy(column) else np.asarray(column)
    if column.ndim == 2 and column.shape[1] == 1:
        column = column[:, 0]
    if column.ndim != 1:
        raise InvalidData(
            f"{name} should be a 1d array of labels, got an array of shape {column.shape} instead. Several "
            "labels a row (multilabel targets) are not supported: score each column on its own."
        )
    return target(column, multi_output=False, estimator=None, name=name)


def _numbers(values: Any, name: str) -> Any:
    """Numbers as an array (n,) or (n, k)."""
    array = target(values, multi_output=True, estimator=None, name=name)
    if array.ndim > 2:
        raise InvalidData(f"{name} should be a 1d or 2d array, got an array of shape {array.shape} instead.")
    if array.dtype.kind == "O" and not is_lazy(array):
        try:
            return array.astype(np.float64)
        except (TypeError, ValueError) as cause:
            raise InvalidData(f"{name} holds objects that are no numbers ({cause}).") from cause
    if array.dtype.kind not in REAL_KINDS + "O":
        raise InvalidData(f"{name} is of dtype {array.dtype}; numbers are expected.")
    return array
