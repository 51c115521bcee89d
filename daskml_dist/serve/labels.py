"""True labels that come back later: sums that say how good the answers were."""

from __future__ import annotations

import time
from typing import Any, final

import numpy as np

from daskml_dist import drift
from daskml_dist.errors import InvalidData
from daskml_dist.serve.refusals import Refused
from daskml_dist.types import FloatArray

KNOWN = frozenset({"prediction", "probability", "label"})
_EXPECTED = "give label and probability (a list a row) for a classification, label and prediction otherwise"
_ROUNDING = 0.01
"""By which a probability may be off: clients round what they keep."""


@final
class Labels:
    """What one replica has been told.

    Parameters
    ----------
    classes : of a classification with probabilities; None for a regression.
    """

    def __init__(self, classes: list[Any] | None) -> None:
        self._classes = classes
        self._feedback = drift.Feedback(classes, every=3600.0)

    def add(self, given: dict[str, Any]) -> int:
        """Count the rows of a request; returns how many.

        Raises
        ------
        Refused
            422; no value is shown.
        """
        labels = given.get("label")
        answers = given.get("prediction" if self._classes is None else "probability")
        kinds = {str, int, float, bool} if self._classes else {int, float}
        if not given.keys() <= KNOWN or type(labels) is not list or type(answers) is not list or not labels:
            raise Refused(422, _EXPECTED, "feedback")
        if not set(map(type, labels)) <= kinds or not _numbers(answers, self._classes):
            raise Refused(422, _EXPECTED, "feedback")
        try:
            numbers = np.array(answers, dtype=np.float64)
            if self._classes is not None:
                _check_probabilities(numbers)
            self._feedback.add(numbers, labels, at=time.time())
        except (InvalidData, ValueError, OverflowError) as error:
            message = str(error) if isinstance(error, InvalidData) else _EXPECTED
            raise Refused(422, message, "feedback") from None
        return len(labels)

    def totals(self) -> FloatArray:
        """Rows, right ones, sums of -log(probability), of errors and of squared errors."""
        sums = [sums[:5] for sums in self._feedback.state().values()]
        return np.sum(sums, axis=0) if sums else np.zeros(5)

    def quality(self) -> list[dict[str, Any]]:
        """How good the answers of each hour were."""
        return [
            {
                "start": period.start,
                "rows": period.rows,
                "accuracy": period.accuracy,
                "log_loss": period.log_loss,
                "mean_error": period.mean_error,
                "squared_error": period.squared_error,
            }
            for period in self._feedback.periods()
        ]


def _numbers(answers: list[Any], classes: list[Any] | None) -> bool:
    """Whether all are numbers, or lists of one number a class."""
    if classes is None:
        return set(map(type, answers)) <= {int, float}
    rows = (
        type(row) is list and len(row) == len(classes) and set(map(type, row)) <= {int, float}
        for row in answers
    )
    return all(rows)


def _check_probabilities(answers: FloatArray) -> None:
    """Refuse what is none: one row of them would outweigh the sums of all others."""
    whole = np.abs(answers.sum(axis=1) - 1.0) <= _ROUNDING * answers.shape[1]
    inside = ((answers >= 0.0) & (answers <= 1.0)).all(axis=1)
    if not (whole & inside).all():
        row = int(np.argmin(whole & inside))
        raise InvalidData(f"row {row}: probabilities must be from 0 to 1 and add up to 1 over the classes")
