"""How columns become features: learned from the training rows, kept as JSON beside the model."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, final

import fsspec
import numpy as np
import pandas as pd

from daskml_dist import edge
from daskml_dist.cli.survey import Roles, Survey
from daskml_dist.errors import CheckpointInvalid, InvalidData
from daskml_dist.files import as_numbers, as_text, kind_of, listed, missing
from daskml_dist.types import AnyArray, FloatArray

FILE = "encoding.json"
FORMAT = "daskml_dist.encoding"
VERSION = 1
MISSING = "missing"
"""The level of values that are missing, where they are imputed."""


@final
@dataclass(frozen=True)
class Feature:
    """A column that becomes one feature (a number), or one for each level (a category).

    Attributes
    ----------
    name : of the column.
    kind : "number" or "category".
    mean : what missing numbers become; None where they are refused.
    levels : of a category, sorted; other ones become zeros.
    """

    name: str
    kind: Literal["number", "category"]
    mean: float | None = None
    levels: tuple[str, ...] = ()

    @property
    def outputs(self) -> list[str]:
        """The names of the features."""
        return [self.name] if self.kind == "number" else [f"{self.name}={level}" for level in self.levels]


@final
@dataclass(frozen=True)
class Encoding:
    """From the columns of a file to the features of a model.

    Attributes
    ----------
    target, weight, exposure : names of columns, or None.
    columns : in the order of the file.
    impute : whether missing values are replaced.
    text : columns that are read unparsed.

    Examples
    --------
    >>> encoding = Encoding("y", (Feature("age", "number"), Feature("sex", "category", levels=("f", "m"))))
    >>> encoding.features(pd.DataFrame({"age": [41, 35], "sex": ["m", "x"]}))
        age  sex=f  sex=m
    0  41.0    0.0    1.0
    1  35.0    0.0    0.0
    """

    target: str
    columns: tuple[Feature, ...]
    impute: bool = False
    weight: str | None = None
    exposure: str | None = None
    text: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """The names of the features, in order."""
        return [name for column in self.columns for name in column.outputs]

    def answer_columns(self) -> list[edge.Column]:
        """The columns as ``daskml_dist.edge`` encodes them."""
        fill = MISSING if self.impute else None
        return [
            edge.Column(feature.name, mean=feature.mean)
            if feature.kind == "number"
            else edge.Column(feature.name, "category", levels=feature.levels, fill=fill)
            for feature in self.columns
        ]

    def features(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The features of some rows.

        Parameters
        ----------
        frame : has at least the columns that this encoding knows.

        Returns
        -------
        (n, p) DataFrame of float64 with the index of ``frame``.

        Raises
        ------
        InvalidData
            A column is not there, holds text instead of numbers, or has missing values which are refused.
        """
        absent = [column.name for column in self.columns if column.name not in frame.columns]
        if absent:
            raise InvalidData(f"columns that the model was trained with are not there: {listed(absent)}")
        blocks = [self._block(column, frame[column.name]) for column in self.columns]
        return pd.DataFrame(np.hstack(blocks), columns=self.names, index=frame.index)

    def _block(self, column: Feature, values: pd.Series[Any]) -> FloatArray:
        """(n, 1) numbers, or (n, levels) zeros and ones."""
        gaps = missing(values)
        if gaps.any() and not self.impute:
            raise InvalidData(
                f"column {column.name!r} has {gaps.sum():,} missing values, which this model refuses"
            )
        if column.kind == "category":
            return _one_hot(values, gaps, column.levels)
        if kind_of(values) not in ("number", "bool", "empty"):
            raise InvalidData(
                f"column {column.name!r} holds {_example(values)}; the model was trained with numbers"
            )
        numbers = as_numbers(values)
        return np.where(gaps, math.nan if column.mean is None else column.mean, numbers)[:, None]

    def save(self, url: str) -> None:
        """Write ``encoding.json`` into the directory of a model."""
        body = {"format": FORMAT, "format_version": VERSION, **asdict(self), "features": self.names}
        with fsspec.open(f"{url.rstrip('/')}/{FILE}", "w", encoding="utf-8") as file:
            json.dump(body, file, indent=1, ensure_ascii=False)

    @classmethod
    def load(cls, url: str) -> Self:
        """Read the encoding beside the model in a directory.

        Raises
        ------
        CheckpointInvalid
            The file is damaged or foreign.
        """
        where = f"{url.rstrip('/')}/{FILE}"
        with fsspec.open(where, "r", encoding="utf-8") as file:
            text = file.read()
        try:
            body = json.loads(text)
            if (body["format"], body["format_version"]) != (FORMAT, VERSION):
                raise ValueError(f"format {body['format']!r} {body['format_version']!r}")
            columns = tuple(
                Feature(c["name"], c["kind"], c["mean"], tuple(c["levels"])) for c in body["columns"]
            )
            return cls(
                body["target"], columns, body["impute"], body["weight"], body["exposure"], tuple(body["text"])
            )
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointInvalid(f"{where} is damaged or not of this library: {error!r}") from error


def learn(found: Survey, roles: Roles, impute: bool, text: tuple[str, ...]) -> Encoding:
    """The encoding that the training rows suggest; the survey has been checked before."""
    columns = []
    for name in roles.features:
        column = found.columns[name]
        if column.kinds <= {"number", "bool", "empty"}:
            columns.append(
                Feature(name, "number", column.total / column.count if impute and column.count else None)
            )
        else:
            levels = column.levels or Counter()
            gaps = {MISSING} if impute and levels.total() < sum(found.training) else set()
            columns.append(Feature(name, "category", levels=tuple(sorted({*levels, *gaps}))))
    return Encoding(roles.target, tuple(columns), impute, roles.weight, roles.exposure, text)


def _one_hot(values: pd.Series[Any], gaps: AnyArray, levels: tuple[str, ...]) -> FloatArray:
    """(n, levels) a one where a value is a level; a row of zeros where it is none of them."""
    text = as_text(values)
    if gaps.any():
        text = text.fillna(MISSING)
    codes = pd.Index(levels, dtype="str").get_indexer(pd.Index(text))
    block = np.zeros((len(values), len(levels)))
    there = np.flatnonzero(codes >= 0)
    block[there, codes[there]] = 1.0
    return block


def _example(values: pd.Series[Any]) -> str:
    """One value of a column, as a person would quote it."""
    return f"{values.dropna().iloc[0]!r}"
