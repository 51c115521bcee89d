"""What each column added to one answer, as a table and in a sentence; NumPy and ``edge`` alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from daskml_dist import edge
from daskml_dist.types import FloatArray

_MOST_FIRST, _MOST_SECOND = 3, 2
_SMALL = 0.05  # share of all contributions below which a column is not worth a word


@final
@dataclass(frozen=True, slots=True)
class Contribution:
    """What one column added to the margin, compared with the average row of the training.

    Attributes
    ----------
    column : its name.
    label : what people call it, or the name again.
    value : as text, with its unit; None for a personal column, whose value is never written.
    amount : w (x - mean), summed over the levels of a category.
    factor : exp(amount) where the link is the logarithm: what it multiplied the expectation by; else None.
    """

    column: str
    label: str
    value: str | None
    amount: float
    factor: float | None

    def __str__(self) -> str:
        what = self.label if self.value is None else f"{self.label} {self.value}"
        by = f"{self.amount:+.2g}" if self.factor is None else f"x{self.factor:.2g}"
        return f"{what} ({by})"


@final
@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer for one row: the sentence, and what it is made of, the largest contribution first."""

    sentence: str
    contributions: list[Contribution]


def explain(model: edge.Model, columns: Mapping[str, Any]) -> list[Explanation]:
    """Explain the answers for some rows.

    Parameters
    ----------
    model : with the means of its features, as registered models are.
    columns : n values of each column, as ``edge.Model.encode`` takes them.

    Raises
    ------
    edge.InvalidInput
        For columns that the model does not take.
    edge.InvalidModel
        For a model without means.
    """
    X = model.encode(columns)
    found = model.contributions(X)
    rows = [{name: values[i] for name, values in columns.items()} for i in range(len(X))]
    outputs = [_output(model, x) for x in X]
    return [
        Explanation(sentence(model, x, parts, raw), contributions(model, x, parts, raw, output=output))
        for x, parts, raw, output in zip(X, found, rows, outputs, strict=True)
    ]


def contributions(
    model: edge.Model,
    x: FloatArray,
    parts: FloatArray,
    raw: Mapping[str, Any] | None = None,
    *,
    output: int = 0,
) -> list[Contribution]:
    """What each column added to one margin, the largest first.

    Parameters
    ----------
    model : that answered.
    x : (p,) features of the row.
    parts : (k, p) what ``model.contributions`` gave for it.
    raw : the row's values by column, as they were asked; None takes them from the features.
    output : which of the k margins.
    """
    found, start = [], 0
    for column in model.columns:
        where = slice(start, start + len(column.outputs))
        start = where.stop
        amount = float(parts[output, where].sum())
        factor = math.exp(min(amount, 700.0)) if model.link == "log" else None
        value = _shown(column, x[where], raw)
        found.append(Contribution(column.name, column.label or column.name, value, amount, factor))
    return sorted(found, key=lambda contribution: -abs(contribution.amount))


def sentence(
    model: edge.Model, x: FloatArray, parts: FloatArray, raw: Mapping[str, Any] | None = None
) -> str:
    """One sentence for people who know no statistics: the answer, and what raised and lowered it.

    It tells what the model added up, compared with its average, and never that one thing caused another. Of
    several classes or targets it speaks of the one that was predicted, or of the first target.

    Parameters
    ----------
    model : that answered.
    x : (p,) features of the row.
    parts : (k, p) what ``model.contributions`` gave for it.
    raw : the row's values by column, as they were asked; None takes them from the features. Values of
        personal columns are not written.
    """
    output = _output(model, x)
    found = contributions(model, x, parts, raw, output=output)
    least = _SMALL * sum(abs(contribution.amount) for contribution in found)
    told = [contribution for contribution in found if abs(contribution.amount) > least]
    raised = [contribution for contribution in told if contribution.amount > 0]
    lowered = [contribution for contribution in told if contribution.amount < 0]
    first, second = (lowered, raised) if told and told[0].amount < 0 else (raised, lowered)
    return f"{_answer(model, x, output)}; {_moved(first, second)}"


def _moved(first: list[Contribution], second: list[Contribution]) -> str:
    if not first:
        return "nothing sets it apart from the average"
    verbs = ("raised", "lowered") if first[0].amount > 0 else ("lowered", "raised")
    told = f"{verbs[0]} mainly by {_listed(first[:_MOST_FIRST])}"
    return f"{told}, {verbs[1]} by {_listed(second[:_MOST_SECOND])}" if second else told


def _output(model: edge.Model, x: FloatArray) -> int:
    """The margin that the sentence is about: that of the predicted class, or the first."""
    return 0 if model.classes is None else int(model.margin(x[None, :])[0].argmax())


def _answer(model: edge.Model, x: FloatArray, output: int) -> str:
    row = x[None, :]
    if model.classes is None:
        value = float(np.ravel(model.predict(row))[0])
        return f"{'prediction' if model.link == 'identity' else 'expected value'} {_number(value)}"
    if "probability" not in model.outputs:
        return f"class {model.predict(row)[0]}"
    chances = model.predict_proba(row)[0]
    spoken = 1 if len(model.classes) == 2 and len(model.coef) == 1 else output
    return f"probability of {model.classes[spoken]} {_chance(float(chances[spoken]))}"


def _shown(column: edge.Column, x: FloatArray, raw: Mapping[str, Any] | None) -> str | None:
    if column.personal:
        return None
    if raw is not None:
        value = raw.get(column.name)
    elif column.kind == "number":
        value = float(x[0])
    else:
        value = column.levels[int(x.argmax())] if x.any() else "another"
    if value is None or (isinstance(value, float | np.floating) and math.isnan(value)):
        return "missing"
    text = _number(float(value)) if column.kind == "number" else str(value)
    return f"{text} {column.unit}" if column.unit else text


def _number(value: float) -> str:
    """Three digits, or all of a whole number; thousands apart."""
    if value.is_integer() or abs(value) >= 1000:
        return f"{value:,.0f}" if abs(value) < 1e15 else f"{value:.3g}"
    return f"{value:.3g}"


def _chance(value: float) -> str:
    if value < 0.005:
        return "below 0.01"
    return "above 0.99" if value > 0.995 else f"{value:.2f}"


def _listed(contributions: list[Contribution]) -> str:
    texts = [str(contribution) for contribution in contributions]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"
