"""Rows of a file as features and targets of a model that is there already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, final

import dask.dataframe as dd
import numpy as np
import pandas as pd

from daskml_dist import edge
from daskml_dist.batch.answers import features
from daskml_dist.errors import InvalidData
from daskml_dist.files import Piece, Source, as_numbers, as_text, find, kind_of, missing

_TARGET, _WEIGHT, _OFFSET = "(target)", "(weight)", "(offset)"


@final
@dataclass(frozen=True)
class Roles:
    """What columns are for that are no features.

    Attributes
    ----------
    target, weight, exposure : their names; the last two may be None.
    """

    target: str
    weight: str | None = None
    exposure: str | None = None

    def names(self) -> list[str]:
        """Those that there are."""
        return [name for name in (self.target, self.weight, self.exposure) if name is not None]


class Rows(NamedTuple):
    """Features (n, p), targets, weights and logarithms of exposures; the last two may be None."""

    X: Any
    y: Any
    weight: Any
    offset: Any


def rows_of(source: Source, model: edge.Model, roles: Roles) -> Rows:
    """Rows that are read piece by piece when they are needed; without those that have no target.

    Raises
    ------
    InvalidData
        A column is not there; when a piece is read: values that the model, a target or an exposure cannot
        have.
    """
    wanted = [column.name for column in model.columns] + roles.names()
    for name in wanted:
        find(source.columns, name, "columns", source.name)
    text = [column.name for column in model.columns if column.kind == "category"]
    dtype = np.dtype(np.float64) if model.classes is None else model.outputs["prediction"]
    if dtype.kind in "UO":
        text.append(roles.target)
    meta = _frame(model, pd.DataFrame({name: [] for name in wanted}), roles, dtype)
    table = dd.from_map(_read, source.pieces, args=(model, wanted, text, roles, dtype), meta=meta)
    weight = None if roles.weight is None else table[_WEIGHT]
    offset = None if roles.exposure is None else table[_OFFSET]
    return Rows(table[model.features], table[_TARGET], weight, offset)


def _read(
    piece: Piece, model: edge.Model, wanted: list[str], text: list[str], roles: Roles, dtype: Any
) -> pd.DataFrame:
    frame = piece.read(list(dict.fromkeys(wanted)), text)
    return _frame(model, frame[~missing(frame[roles.target])], roles, dtype)


def _frame(model: edge.Model, frame: pd.DataFrame, roles: Roles, dtype: Any) -> pd.DataFrame:
    found = pd.DataFrame(features(model, frame), columns=model.features)
    found[_TARGET] = _labels(frame[roles.target], dtype)
    if roles.weight is not None:
        found[_WEIGHT] = as_numbers(frame[roles.weight])
    if roles.exposure is not None:
        found[_OFFSET] = _logarithms(frame[roles.exposure])
    return found


def _logarithms(values: pd.Series[Any]) -> Any:
    """Of exposures, which must have one."""
    if kind_of(values) not in ("number", "bool", "empty"):
        raise InvalidData(f"the exposure {values.name!r} holds no numbers")
    numbers = as_numbers(values)
    bad = int(np.count_nonzero(~((numbers > 0) & np.isfinite(numbers))))
    if bad:
        raise InvalidData(
            f"the exposure {values.name!r} is missing, infinite, zero or negative in {bad:,} rows of a "
            "part of the file, and its logarithm is needed"
        )
    return np.log(numbers)


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
