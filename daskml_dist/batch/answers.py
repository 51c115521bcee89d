"""The answers of a model for the rows of a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from daskml_dist import edge
from daskml_dist.errors import InvalidData
from daskml_dist.files import as_numbers, as_text, kind_of, listed
from daskml_dist.types import AnyArray, FloatArray

PREDICTION, PROBABILITY = "prediction", "proba"


def features(model: edge.Model, frame: pd.DataFrame) -> FloatArray:
    """(n, p) features of the rows of a table that has the columns of the model, and perhaps others.

    Raises
    ------
    InvalidData
        A column is not there, or has values that the model refuses.
    """
    absent = [column.name for column in model.columns if column.name not in frame.columns]
    if absent:
        raise InvalidData(f"columns that the model was trained with are not there: {listed(absent)}")
    try:
        return model.encode({column.name: _values(column, frame[column.name]) for column in model.columns})
    except edge.InvalidInput as error:
        raise InvalidData(str(error)) from error


def several(model: edge.Model) -> bool:
    """Whether it is a regression of several targets."""
    return model.classes is None and model.targets > 1


def named(model: edge.Model) -> list[str]:
    """The names of the columns of answers."""
    names = [f"{PREDICTION}_{i}" for i in range(model.targets)] if several(model) else [PREDICTION]
    if "probability" in model.outputs and model.classes is not None:
        names += [f"{PROBABILITY}_{label}" for label in model.classes]
    return names


def columns(model: edge.Model, margins: FloatArray) -> dict[str, AnyArray]:
    """The columns of answers, (n,) each, by name."""
    predicted = model.predicted(margins)
    found = [predicted] if predicted.ndim == 1 else list(predicted.T)
    if "probability" in model.outputs:
        found += list(model.probabilities(margins).T)
    return dict(zip(named(model), found, strict=True))


def schema(model: edge.Model) -> Mapping[str, np.dtype[np.generic]]:
    """The dtypes of the columns of answers, by name."""
    return {
        name: model.outputs[PREDICTION if name.startswith(PREDICTION) else "probability"]
        for name in named(model)
    }


def _values(column: edge.Column, values: pd.Series[Any]) -> Any:
    """What the model takes of a column: numbers, or text with None where it is missing."""
    if column.kind == "category":
        text = as_text(values).astype(object)
        return text.where(text.notna(), None).to_list()
    if kind_of(values) not in ("number", "bool", "empty"):
        raise InvalidData(f"column {column.name!r} holds no numbers, and the model was trained with numbers")
    return as_numbers(values)
