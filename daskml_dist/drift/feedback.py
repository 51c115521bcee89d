"""How good the answers were, once the true labels are known: over time, from sums that add up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from daskml_dist.errors import InvalidData
from daskml_dist.types import AnyArray, FloatArray

_PERIODS = 1000  # of each Feedback; the oldest are forgotten
_MOST = 1e150  # of predictions and labels, whose squares are added up
_ROWS, _RIGHT, _LOSS, _ERROR, _SQUARED = range(5)


@final
@dataclass(frozen=True, slots=True)
class Quality:
    """What is known of the answers of one period.

    Attributes
    ----------
    start : of the period, seconds since the epoch.
    rows : answers whose label is known.
    accuracy : share of labels that were the most probable class; None for a regression.
    log_loss : mean of -log(probability of the label); None for a regression.
    mean_error, squared_error : mean of prediction - label, and of its square; None for a classification.
    calibration : (bins, 3), rows with a prediction in the bin, their mean prediction, and what came: for a
        classification the probability of the most probable class and the share that was right, for a
        regression the mean label. NaN in empty bins.
    """

    start: float
    rows: int
    accuracy: float | None
    log_loss: float | None
    mean_error: float | None
    squared_error: float | None
    calibration: FloatArray


@final
class Feedback:
    """Sums over (prediction, label) pairs, a period each; those of several replicas add up.

    Parameters
    ----------
    classes : of a classification, in the order of its probabilities; None for a regression.
    edges : (bins - 1,) where the bins of the calibration part; for a classification tenths of probability if
        None, for a regression the quantiles of the training's predictions are a good choice.
    every : seconds of a period.

    Examples
    --------
    >>> import numpy as np
    >>> feedback = Feedback(["no", "yes"])
    >>> feedback.add(np.array([[0.2, 0.8], [0.6, 0.4]]), ["yes", "yes"], at=10.0)
    >>> [(quality.rows, quality.accuracy) for quality in feedback.periods()]
    [(2, 0.5)]
    """

    def __init__(
        self, classes: Sequence[object] | None = None, *, edges: AnyArray | None = None, every: float = 3600.0
    ) -> None:
        if not every > 0:
            raise InvalidData(f"every={every}; give the seconds of a period")
        if classes is not None and len(set(classes)) != len(classes):
            raise InvalidData("the classes are not distinct")
        if edges is None:
            edges = np.arange(1, 10) / 10 if classes is not None else np.empty(0)
        self._edges = np.asarray(edges, dtype=np.float64)
        if self._edges.ndim != 1 or not (np.diff(self._edges) > 0).all():
            raise InvalidData("edges must ascend")
        self._number = None if classes is None else {label: i for i, label in enumerate(classes)}
        self._every = every
        self._sums: dict[int, FloatArray] = {}

    def add(self, predictions: AnyArray, labels: Sequence[object] | AnyArray, *, at: float) -> None:
        """Add pairs.

        Parameters
        ----------
        predictions : (n, classes) probabilities, or (n,) predicted means.
        labels : (n,) what came.
        at : when the predictions were made, seconds since the epoch.

        Raises
        ------
        InvalidData
            For shapes that do not fit, labels that are no class, and what is not finite; no value is shown.
        """
        predictions = np.asarray(predictions, dtype=np.float64)
        if len(labels) != len(predictions):
            raise InvalidData(f"{len(predictions)} predictions and {len(labels)} labels")
        if not np.isfinite(predictions).all() or not np.isfinite(at):
            raise InvalidData("predictions and their time must be finite")
        sums = self._means(predictions, labels) if self._number is None else self._shares(predictions, labels)
        self._merge(int(at // self._every), sums)

    def state(self) -> dict[int, FloatArray]:
        """The sums by number of period, for `merge` elsewhere."""
        return {period: sums.copy() for period, sums in self._sums.items()}

    def merge(self, state: dict[int, FloatArray]) -> None:
        """Add the sums of another replica, made with the same classes, edges and periods."""
        for period, sums in state.items():
            if sums.shape != self._empty().shape:
                raise InvalidData("feedback with other bins; merge what was made with the same edges")
            self._merge(period, sums)

    def periods(self) -> list[Quality]:
        """The quality of each period, the oldest first; at most 1000 are kept."""
        return [self._quality(period) for period in sorted(self._sums)]

    def _merge(self, period: int, sums: FloatArray) -> None:
        self._sums[period] = self._sums.get(period, 0.0) + sums
        if len(self._sums) > _PERIODS:
            del self._sums[min(self._sums)]

    def _empty(self) -> FloatArray:
        return np.zeros(5 + 3 * (len(self._edges) + 1))

    def _shares(self, probabilities: FloatArray, labels: Sequence[object] | AnyArray) -> FloatArray:
        assert self._number is not None
        if probabilities.ndim != 2 or probabilities.shape[1] != len(self._number):
            raise InvalidData(f"{len(self._number)} probabilities a row, not shape {probabilities.shape}")
        try:
            came = np.array([self._number[_plain(label)] for label in labels], dtype=np.intp)
        except KeyError as error:
            raise InvalidData("a label is none of the model's classes") from error
        best = probabilities.argmax(axis=1)
        right = (best == came).astype(np.float64)
        given = np.maximum(probabilities[np.arange(len(came)), came], np.finfo(np.float64).tiny)
        sums = self._empty()
        sums[[_ROWS, _RIGHT, _LOSS]] = len(came), right.sum(), -np.log(given).sum()
        sums[5:] = self._binned(probabilities[np.arange(len(came)), best], right)
        return sums

    def _means(self, means: FloatArray, labels: Sequence[object] | AnyArray) -> FloatArray:
        came = np.asarray(labels, dtype=np.float64)
        if means.ndim != 1 or came.ndim != 1 or not np.isfinite(came).all():
            raise InvalidData("a regression takes one finite prediction and one finite label a row")
        if max(np.abs(means).max(initial=0.0), np.abs(came).max(initial=0.0)) > _MOST:
            raise InvalidData(
                f"a prediction or label is beyond {_MOST:g}: sums of squares have no room for it"
            )
        error = means - came
        sums = self._empty()
        sums[[_ROWS, _ERROR, _SQUARED]] = len(came), error.sum(), error @ error
        sums[5:] = self._binned(means, came)
        return sums

    def _binned(self, predicted: FloatArray, came: FloatArray) -> FloatArray:
        cell = np.searchsorted(self._edges, predicted, side="right")
        bins = len(self._edges) + 1
        parts = [
            np.bincount(cell, values, minlength=bins) for values in (np.ones_like(came), predicted, came)
        ]
        return np.stack(parts, axis=1).ravel().astype(np.float64)

    def _quality(self, period: int) -> Quality:
        sums = self._sums[period]
        rows = int(sums[_ROWS])
        mean = sums[:5] / max(rows, 1)
        table = sums[5:].reshape(-1, 3).copy()
        filled = table[:, 0] > 0
        table[filled, 1:] /= table[filled, :1]
        table[~filled, 1:] = np.nan
        classes = self._number is not None
        return Quality(
            start=period * self._every,
            rows=rows,
            accuracy=float(mean[_RIGHT]) if classes else None,
            log_loss=float(mean[_LOSS]) if classes else None,
            mean_error=None if classes else float(mean[_ERROR]),
            squared_error=None if classes else float(mean[_SQUARED]),
            calibration=table,
        )


def _plain(label: object) -> object:
    return label.item() if isinstance(label, np.generic) else label
