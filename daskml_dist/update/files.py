"""Rows of a file as features and targets of a model that is there already."""

from __future__ import annotations

from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd

from daskml_dist import edge
from daskml_dist.batch.answers import features
from daskml_dist.errors import InvalidData
from daskml_dist.files import Piece, Source, as_numbers, as_text, find, kind_of, missing

_TARGET, _WEIGHT = "(target)", "(weight)"


def rows_of(source: Source, model: edge.Model, target: str, weight: str | None) -> tuple[Any, Any, Any]:
    """X, y and weights (or None), read piece by piece when they are needed; without rows that have no target.

    Raises
    ------
    InvalidData
        A column is not there; when a piece is read: values that the model or a target cannot have.
    """
    wanted = [column.name for column in model.columns] + [target] + ([] if weight is None else [weight])
    for name in wanted:
        find(source.columns, name, "columns", source.name)
    text = [column.name for column in model.columns if column.kind == "category"]
    dtype = np.dtype(np.float64) if model.classes is None else model.outputs["prediction"]
    if dtype.kind in "UO":
        text.append(target)
    meta = _frame(model, pd.DataFrame({name: [] for name in wanted}), target, weight, dtype)
    table = dd.from_map(_read, source.pieces, args=(model, wanted, text, target, weight, dtype), meta=meta)
    y = table[_TARGET]
    return table[model.features], y, None if weight is None else table[_WEIGHT]


def _read(
    piece: Piece,
    model: edge.Model,
    wanted: list[str],
    text: list[str],
    target: str,
    weight: str | None,
    dtype: Any,
) -> pd.DataFrame:
    frame = piece.read(list(dict.fromkeys(wanted)), text)
    return _frame(model, frame[~missing(frame[target])], target, weight, dtype)


def _frame(
    model: edge.Model, frame: pd.DataFrame, target: str, weight: str | None, dtype: Any
) -> pd.DataFrame:
    found = pd.DataFrame(features(model, frame), columns=model.features)
    found[_TARGET] = _labels(frame[target], dtype)
    if weight is not None:
        found[_WEIGHT] = as_numbers(frame[weight])
    return found


def _labels(values: pd.Series[Any], dtype: np.dtype[Any]) -> Any:
    """Labels as the model has them, or numbers."""
    if dtype.kind in "UO":
        return as_text(values).to_numpy()
    if kind_of(values) not in ("number", "bool", "empty"):
        raise InvalidData(f"the target {values.name!r} holds no numbers, and the model learned numbers")
    numbers = as_numbers(values)
    if dtype.kind == "b":
        if not np.isin(numbers, (0.0, 1.0)).all():
            raise InvalidData(f"the target {values.name!r} has other values than true and false")
        return numbers.astype(bool)
    whole = dtype.kind in "iu" and bool((numbers == np.floor(numbers)).all())
    return numbers.astype(dtype) if whole else numbers
