"""What changes when one model takes the place of another: labels, probabilities, expectations and losses."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any, final

import numpy as np
from scipy.sparse import issparse
from scipy.special import xlogy

from daskml_dist import edge
from daskml_dist.errors import InvalidData
from daskml_dist.registry.functions import by_chunk
from daskml_dist.types import AnyArray, FloatArray

_ROWS = 4096
"""Rows that are looked at together."""


@final
@dataclass(frozen=True)
class Change:
    """What was measured on some rows; None where there is no such thing.

    Attributes
    ----------
    rows : n.
    labels : share of rows with another label.
    probability : the largest change of a probability.
    mean : the largest change of an expectation, in standard deviations of those of the first model.
    loss_before, loss_after : mean losses.
    """

    rows: int
    labels: float | None
    probability: float | None
    mean: float | None
    loss_before: float | None
    loss_after: float | None

    @property
    def loss(self) -> float | None:
        """The rise of the mean loss, relative to what it was."""
        if self.loss_before is None or self.loss_after is None:
            return None
        rise = self.loss_after - self.loss_before
        return rise / self.loss_before if self.loss_before > 0.0 else (math.inf if rise > 0.0 else 0.0)

    def measured(self) -> dict[str, float]:
        """What there is, by name."""
        found = {"labels": self.labels, "probability": self.probability, "mean": self.mean, "loss": self.loss}
        return {name: value for name, value in found.items() if value is not None}


@final
@dataclass
class _Sums:
    """What chunks add up to; the largest changes in ``probability`` and ``mean``."""

    rows: int = 0
    labels: int = 0
    probability: float = 0.0
    mean: float = 0.0
    total: float = 0.0
    squares: float = 0.0
    before: float = 0.0
    after: float = 0.0

    def add(self, other: _Sums) -> None:
        for name in ("rows", "labels", "total", "squares", "before", "after"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.probability = float(np.maximum(self.probability, other.probability))  # NaN stays NaN
        self.mean = float(np.maximum(self.mean, other.mean))


def change_of(first: edge.Model, second: edge.Model, X: Any, y: Any = None, scheduler: Any = None) -> Change:
    """Compare two models with the same features, outputs and classes on data.

    Parameters
    ----------
    X, y : (n, p) features, in memory or lazy, and (n,) target or None.

    Raises
    ------
    InvalidData
        There are no rows, or other features, or the target has labels that the models do not know.
    """
    whole = _Sums()
    for part in by_chunk(X, y, first.features, partial(_look, first, second), scheduler):
        whole.add(part)
    if whole.rows == 0:
        raise InvalidData("data= has no rows to measure a change on.")
    classes, n = first.task == "classification", whole.rows
    outputs = n * first.targets if not classes else n
    spread = math.sqrt(max(whole.squares / outputs - (whole.total / outputs) ** 2, 0.0))
    moved = 0.0 if whole.mean == 0.0 else whole.mean / spread if spread > 0.0 else math.inf
    return Change(
        n,
        whole.labels / n if classes else None,
        whole.probability if "probability" in first.outputs else None,
        None if classes else moved,
        None if y is None else whole.before / n,
        None if y is None else whole.after / n,
    )


def _look(first: edge.Model, second: edge.Model, X: Any, y: Any, chunks: int) -> _Sums:
    """Both models on one chunk, a few thousand rows at a time."""
    sums = _Sums()
    for start in range(0, X.shape[0], _ROWS):
        rows = X[start : start + _ROWS]
        rows = rows.toarray() if issparse(rows) else rows
        sums.add(_compared(first, second, rows, None if y is None else np.asarray(y[start : start + _ROWS])))
    return sums


def _compared(first: edge.Model, second: edge.Model, X: AnyArray, y: AnyArray | None) -> _Sums:
    one, other = first.margin(X), second.margin(X)
    sums = _Sums(rows=len(one))
    if first.task == "classification":
        sums.labels = int((first.predicted(one) != second.predicted(other)).sum())
    else:
        means = first.predicted(one)
        sums.mean = float(np.abs(second.predicted(other) - means).max(initial=0.0))
        sums.total, sums.squares = float(means.sum()), float((means**2).sum())
    if "probability" in first.outputs:
        sums.probability = float(
            np.abs(second.probabilities(other) - first.probabilities(one)).max(initial=0.0)
        )
    if y is not None:
        sums.before, sums.after = float(losses(first, one, y).sum()), float(losses(second, other, y).sum())
    return sums


def losses(model: edge.Model, z: FloatArray, y: AnyArray) -> FloatArray:
    """(n,) losses of margins (n, k): minus log likelihood, wrong labels, or half deviances.

    Parameters
    ----------
    y : (n,) labels or numbers, or (n, targets).
    """
    if model.task == "classification":
        return _of_classes(model, z, y)
    mean = model.predicted(z)
    y = np.asarray(y, dtype=np.float64).reshape(mean.shape)
    if model.link == "identity":
        squares: FloatArray = (0.5 * (y - mean) ** 2).reshape(len(y), -1).sum(axis=1)
        return squares
    tiny = np.finfo(float).tiny
    if model.link == "log":
        return np.asarray(xlogy(y, y) - xlogy(y, np.maximum(mean, tiny)) - y + mean)
    inside = np.minimum(np.maximum(mean, tiny), 1.0 - np.finfo(float).epsneg)
    return np.asarray(-xlogy(y, inside) - xlogy(1.0 - y, 1.0 - inside))


def _of_classes(model: edge.Model, z: FloatArray, y: AnyArray) -> FloatArray:
    assert model.classes is not None
    place = {label: at for at, label in enumerate(model.classes.tolist())}
    try:
        right = np.array([place[label] for label in y.tolist()], dtype=np.intp)
    except KeyError as error:
        raise InvalidData(f"target= has labels that the model does not know, such as {error}.") from None
    if "probability" not in model.outputs:
        wrong: FloatArray = (model.predicted(z) != model.classes[right]).astype(np.float64)
        return wrong
    chance = model.probabilities(z)[np.arange(len(right)), right]
    return np.asarray(-np.log(np.maximum(chance, np.finfo(float).tiny)))
