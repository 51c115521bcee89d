"""Scores of a classifier, sketched where they live, and looked into where that is wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray

from daskml_dist.errors import InvalidData, UnsupportedParameter
from daskml_dist.kernels import Grouping, ScoreSketch, Sketch, Window
from daskml_dist.kernels.sketch import MOST
from daskml_dist.metrics._base import Scored
from daskml_dist.metrics._thresholds import Bins, View, bins_of, resolved
from daskml_dist.types import AnyArray, FloatArray

Method = Literal["exact", "binned"]

BINS = MOST
"""Bins of a sketch, and rows that are looked into at once: what one task has to hold of all scores."""


@final
@dataclass(frozen=True)
class Ranking:
    """A sketch of all scores, and how to ask for more of it."""

    data: Scored
    question: ScoreSketch
    found: Sketch

    def bins(self, view: View) -> Bins:
        """The bins of one curve."""
        return bins_of(self.found, view)

    def parts(
        self, view: View, method: Method, matters: Callable[[Bins], NDArray[np.bool_]]
    ) -> Iterable[Bins]:
        """The bins of one curve in order; for "exact", those that matter have one score each."""
        bins = self.bins(view)
        return [bins] if method == "binned" else resolved(bins, view, self._ask, matters, BINS)

    def view(self, positive: int | None, column: int = 0, against: Iterable[int] | None = None) -> View:
        """The curve of one class (None for none of them) in a column, against these classes or all others."""
        k = self.question.n_classes
        others = [c for c in range(k) if c != positive] if against is None else list(against)
        first = column * k
        own = () if positive is None else (first + positive,)
        return View(column, first, first + k, own, tuple(first + c for c in others))

    def _ask(self, window: Window) -> Sketch:
        return self.data.ask(replace(self.question, window=window, sum_to_one=False))


def ranking(
    data: Scored, classes: AnyArray, grouping: Grouping = "class", sum_to_one: bool = False
) -> Ranking:
    """One pass over the scores, with y coded by these classes."""
    data.code(classes)
    question = ScoreSketch(len(classes), grouping, BINS, sum_to_one=sum_to_one)
    return Ranking(data, question, data.ask(question))


def own_class(column: int) -> View:
    """The curve of a column for rows of its own class against all others; for grouping "own class"."""
    return View(column, 2 * column, 2 * column + 2, (2 * column + 1,), (2 * column,))


POOLED = View(0, 0, 2, (1,), (0,))
"""The curve of all columns as one; for grouping "own class, pooled"."""


def mixed(bins: Bins) -> NDArray[np.bool_]:
    """Bins with several scores, of positives and of negatives: what an area under a ROC curve depends on."""
    return np.asarray(~bins.tied & (bins.positive > 0.0) & (bins.negative > 0.0))


def with_positives(bins: Bins) -> NDArray[np.bool_]:
    """Bins with several scores and positives: what average precision depends on."""
    return np.asarray(~bins.tied & (bins.positive > 0.0))


def untied(bins: Bins) -> NDArray[np.bool_]:
    """Bins with several scores: what a curve depends on."""
    return np.asarray(~bins.tied)


def rehearsal(classes: AnyArray, columns: int) -> tuple[AnyArray, FloatArray]:
    """One row of each class with the same scores, that scikit-learn may complain about."""
    scores = np.full((len(classes), columns), 1.0 / columns)
    return classes, scores[:, 0] if columns == 1 else scores


def refuse_columns(data: Scored, expected: int) -> None:
    """Complain about scores that have not one column, or not one for each of several classes."""
    if data.columns == expected:
        return
    if expected == 1:
        raise InvalidData(
            f"y_score has {data.columns} columns, and one score a row is expected. Of the probabilities of "
            "two classes, pass those of the positive one, for instance y_score[:, 1]."
        )
    raise InvalidData(
        f"y_score has {data.columns} column(s), and y_true has {expected} classes. A column for each of them "
        "is expected, in sorted order."
    )


def position(classes: AnyArray, label: Any) -> int | None:
    """Where a label is among the classes; None where it is not."""
    places = [place for place, known in enumerate(classes.tolist()) if known == label]
    return places[0] if places else None


def refuse_other_methods(method: Any) -> None:
    """Complain about an unknown method."""
    if method not in ("exact", "binned"):
        raise UnsupportedParameter(f"method={method!r} was given; expected 'exact' or 'binned'.")
