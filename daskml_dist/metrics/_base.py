"""What every metric does: hold targets and predictions where they live, and ask about them.

A metric is a function of y_true, of what was predicted, and of weights. It reads them unread, asks a
few kernels, and makes a number or small arrays of the answers at once. Wherever the answer is small
enough to be rows again (pairs of labels, different scores), scikit-learn itself has the last word,
with the weight of each row. What scikit-learn complains of it is made to complain of first, by calling
it with one row of each class.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Literal, TypeVar, final

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning

from daskml_dist import inputs
from daskml_dist.cluster import Hands, connect
from daskml_dist.errors import DaskmlDistError, InvalidData
from daskml_dist.fit.data import settle
from daskml_dist.kernels import Coding, Kernel, LabelSurvey, LabelSurveyAnswer, Question
from daskml_dist.losses import Squared
from daskml_dist.types import AnyArray, Table

A = TypeVar("A")

Labels = Literal["both", "targets", "none"]
"""What holds labels: targets and predictions, the targets alone, or none of them."""


@final
class Scored:
    """Targets y, predictions X and weights, held where they live."""

    def __init__(self, hands: Hands, table: Table) -> None:
        self._hands = hands
        self.columns: int = table.n_features
        self.targets: int = 1 if table.y.ndim == 1 else int(table.y.shape[1])
        self.dtype: Any = table.X.dtype

    def ask(self, kernel: Kernel[A]) -> A:
        """The answer to a question; one pass over y, and over X if the kernel looks at it."""
        question: Question[A] = Question(kernel)
        return self._hands.answer(question)

    def survey(self) -> LabelSurveyAnswer:
        """The classes of y, with their rows and weights; X is not looked at."""
        found = self.ask(LabelSurvey(Squared()))
        return replace(found, classes=np.array(found.classes.tolist()))  # no objects: scikit-learn has none

    def code(self, classes: AnyArray) -> None:
        """From now on kernels see y as positions among the sorted classes."""
        self._hands.code(Coding(classes))


@contextmanager
def scored(
    y_true: Any,
    prediction: Any,
    sample_weight: Any,
    scheduler: Any,
    *,
    labels: Labels = "none",
    name: str = "y_pred",
) -> Iterator[Scored]:
    """Read and hold; let go at the end.

    Parameters
    ----------
    y_true, prediction, sample_weight : what the metric was given.
    scheduler : see ``cluster.connect``.
    labels : which of them are labels.
    name : what the caller calls the predictions.

    Raises
    ------
    InvalidData
        Shapes, dtypes, rows or values that cannot be used, by the names that the caller knows.
    """
    hands = connect(scheduler, lazy=inputs.is_lazy(y_true, prediction, sample_weight))
    try:
        with speaking_of({"X": name, "y": "y_true"}):
            counts = inputs.to_measure(y_true, prediction, sample_weight)
            table = inputs.read_scored(
                y_true,
                prediction,
                sample_weight,
                labels=(labels != "none", labels == "both"),
                name=name,
                lengths={part: tuple(hands.evaluate(count).tolist()) for part, count in counts.items()},
            )
            if scheduler not in (None, "threads"):
                table = inputs.made_lazy(table)
            settle(hands, table)
            yield Scored(hands, table)
    finally:
        hands.close()


@contextmanager
def speaking_of(names: Mapping[str, str]) -> Iterator[None]:
    """Complaints of the rooms below, which know an X and a y, in the caller's names."""
    word = re.compile(rf"(?<![\w'\"`.])({'|'.join(names)})(?![\w'\"`])")
    try:
        yield
    except DaskmlDistError as error:
        error.args = tuple(
            word.sub(lambda found: names[found[0]], text) if isinstance(text, str) else text
            for text in error.args
        )
        raise


def refuse_other_widths(data: Scored) -> None:
    """Complain where targets and predictions have different numbers of columns."""
    if data.targets != data.columns:
        raise InvalidData(
            f"y_true and y_pred have different number of output ({data.targets}!={data.columns})."
        )


def undefined(score: str) -> None:
    """Warn that one row explains nothing."""
    warnings.warn(
        f"{score} score is not well-defined with less than two samples.", UndefinedMetricWarning, stacklevel=3
    )
