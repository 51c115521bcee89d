"""Columns of a table as numbers or as text, and which of the two they are."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import pandas as pd

from daskml_dist.errors import InvalidData
from daskml_dist.types import AnyArray, FloatArray

Kind = Literal["bool", "number", "text", "date", "other", "empty"]

_INFERRED: dict[str, Kind] = {
    "boolean": "bool",
    "integer": "number",
    "floating": "number",
    "mixed-integer-float": "number",
    "decimal": "number",
    "string": "text",
    "mixed-integer": "text",
    "datetime": "date",
    "datetime64": "date",
    "date": "date",
    "time": "date",
    "timedelta": "date",
    "timedelta64": "date",
    "period": "date",
}


def kind_of(column: pd.Series[Any]) -> Kind:
    """What a column holds; "empty" where every value is missing."""
    if len(column) == 0 or bool(column.isna().all()):
        return "empty"
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype | pd.StringDtype):
        return "text"
    if pd.api.types.is_bool_dtype(dtype):
        return "bool"
    if pd.api.types.is_numeric_dtype(dtype):
        return "other" if pd.api.types.is_complex_dtype(dtype) else "number"
    return _INFERRED.get(pd.api.types.infer_dtype(column, skipna=True), "other")


def as_numbers(column: pd.Series[Any]) -> FloatArray:
    """The values as float64, missing ones as NaN."""
    if column.dtype == object:
        return np.asarray(column.astype(float).to_numpy(), dtype=np.float64)
    return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))


def as_text(column: pd.Series[Any]) -> pd.Series[Any]:
    """The values as text; missing ones stay missing."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    return column.astype("str")


def missing(column: pd.Series[Any]) -> AnyArray:
    """(n,) which values are missing."""
    return np.asarray(column.isna().to_numpy(dtype=bool))


def find(names: Iterable[str], given: str, what: str, where: str) -> str:
    """The name itself, if it is there.

    Raises
    ------
    InvalidData
        It is not; the message has the names that come close.
    """
    known = list(names)
    if given in known:
        return given
    folded = {name.casefold(): name for name in reversed(known)}
    same = given.casefold()
    close = [same] if same in folded else difflib.get_close_matches(same, list(folded), n=3, cutoff=0.6)
    if close:
        cure = "did you mean " + " or ".join(repr(folded[name]) for name in close) + "?"
    else:
        cure = "there are " + listed(known)
    raise InvalidData(f"{what}: {where} has no column {given!r}; {cure}")


def listed(names: Iterable[object], most: int = 8) -> str:
    """The first names, separated by commas, and how many more there are."""
    texts = [str(name) for name in names]
    more = f" and {len(texts) - most:,} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more
