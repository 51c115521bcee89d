"""Scores that are sums over rows, by scikit-learn's names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from daskml_dist.errors import InvalidData
from daskml_dist.explanation.answering import Answering
from daskml_dist.kernels.raw import label_column, number_column
from daskml_dist.types import AnyArray, FloatArray

Sums = Mapping[str, FloatArray]


@final
@dataclass(frozen=True)
class Scoring:
    """Which task a score is for, and how it follows from the weighted sum of the rows' losses."""

    task: str
    score: Callable[[FloatArray, Sums], Any]


def _less(total: FloatArray, sums: Sums) -> Any:
    return -total / _weight(sums)


def _share(total: FloatArray, sums: Sums) -> Any:
    return 1.0 - total / _weight(sums)


def _explained(total: FloatArray, sums: Sums) -> Any:
    """1 - sum s (y - yhat)^2 / sum s (y - mean)^2."""
    spread = float(sums["squares"] - sums["total"] ** 2 / _weight(sums))
    if spread <= 0:
        raise InvalidData("y is constant, and r2 has no meaning then; use scoring='neg_mean_squared_error'")
    return 1.0 - total / spread


def _weight(sums: Sums) -> float:
    if not sums["weight"] > 0:
        raise InvalidData("all sample weights are 0")
    return float(sums["weight"])


LOSSES = {
    "accuracy": Scoring("classification", _share),
    "neg_log_loss": Scoring("classification", _less),
    "r2": Scoring("regression", _explained),
    "neg_mean_squared_error": Scoring("regression", _less),
    "neg_mean_absolute_error": Scoring("regression", _less),
    "neg_mean_poisson_deviance": Scoring("regression", _less),
}


@final
class Loss:
    """(n,) what the answers for rows of X cost, given their targets."""

    def __init__(self, row_losses: Callable[[FloatArray], FloatArray], y: FloatArray | None) -> None:
        self._row_losses, self._y = row_losses, y

    def __call__(self, X: FloatArray) -> FloatArray:
        return self._row_losses(X)

    def moments(self, weight: FloatArray) -> dict[str, Any]:
        """What r2 needs besides: weighted sums of y and its square."""
        return {} if self._y is None else {"total": weight @ self._y, "squares": weight @ self._y**2}


def loss_of(scoring: str, asked: Answering, y: AnyArray, chunk: int) -> Loss:
    """The loss of a score on the targets of one chunk."""
    if LOSSES[scoring].task == "classification":
        return _of_labels(scoring, asked, label_column(y, "y", chunk))
    numbers = number_column(y, "y", chunk)
    if numbers.ndim != 1:
        raise InvalidData("y has several targets; score each on its own")
    return Loss(lambda X: _of_numbers(scoring, numbers, np.asarray(asked.predict(X), np.float64)), numbers)


def _of_labels(scoring: str, asked: Answering, y: AnyArray) -> Loss:
    assert asked.classes is not None
    if scoring == "accuracy":
        return Loss(lambda X: (asked.predict(X) != y).astype(np.float64), None)
    hits = y[:, None] == asked.classes[None, :]
    if not hits.any(axis=1).all():
        raise InvalidData("y has labels that are none of the model's classes")
    came = hits.argmax(axis=1)
    rows = np.arange(len(y))
    return Loss(lambda X: _surprise(asked.probabilities(X)[rows, came]), None)


def _surprise(chance: FloatArray) -> FloatArray:
    """-log(p), p kept away from 0 and 1 as scikit-learn does."""
    smallest = np.finfo(np.float64).eps
    return -np.log(np.clip(chance, smallest, 1.0 - smallest))


def _of_numbers(scoring: str, y: FloatArray, answer: FloatArray) -> FloatArray:
    if answer.shape != y.shape:
        raise InvalidData("the model has several targets; score each on its own")
    if scoring == "neg_mean_absolute_error":
        return np.abs(y - answer)
    if scoring == "neg_mean_poisson_deviance":
        if (answer <= 0).any() or (y < 0).any():
            raise InvalidData("the Poisson deviance needs positive predictions, and y that is not negative")
        logs = np.log(np.where(y > 0, y / answer, 1.0))
        return np.asarray(2.0 * (y * logs - y + answer))
    return np.square(y - answer)
