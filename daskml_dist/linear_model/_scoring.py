"""Scores of a classifier from the verdict on its held-out rows, as scikit-learn's scorers compute them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sklearn import metrics

from daskml_dist.errors import UnsupportedParameter
from daskml_dist.kernels import Verdict
from daskml_dist.types import AnyArray


def scorer(scoring: Any) -> Callable[[Verdict, AnyArray], float]:
    """The score that a ``scoring`` parameter names, given a verdict and the classes; greater is better.

    Raises
    ------
    UnsupportedParameter
        Anything that is not a name of a score of labels or probabilities.
    """
    name = "accuracy" if scoring is None else scoring
    if not isinstance(name, str) or name not in _SCORES:
        raise UnsupportedParameter(
            f"scoring={scoring!r} was given; expected None or one of "
            f"{', '.join(map(repr, sorted(_SCORES)))}. "
            "For others, fit for each split and use daskml_dist.metrics."
        )
    return _SCORES[name]


def _of_pairs(score: Callable[..., Any], verdict: Verdict, classes: AnyArray, **settings: Any) -> float:
    """scikit-learn's score of a table of pairs of labels, weighted by how often each occurs."""
    k = len(classes)
    true, predicted = np.repeat(np.arange(k), k), np.tile(np.arange(k), k)
    weight = verdict.confusion.ravel()
    there = weight > 0.0
    return float(score(true[there], predicted[there], sample_weight=weight[there], **settings))


def _log_loss(verdict: Verdict, classes: AnyArray) -> float:
    return -verdict.log_loss / float(verdict.confusion.sum())


def _brier(verdict: Verdict, classes: AnyArray) -> float:
    share = 0.5 if len(classes) == 2 else 1.0
    return -share * verdict.squares / float(verdict.confusion.sum())


_SCORES: dict[str, Callable[[Verdict, AnyArray], float]] = {
    "accuracy": partial(_of_pairs, metrics.accuracy_score),
    "balanced_accuracy": partial(_of_pairs, metrics.balanced_accuracy_score),
    "neg_log_loss": _log_loss,
    "neg_brier_score": _brier,
}
for _name, _score in (
    ("f1", metrics.f1_score),
    ("precision", metrics.precision_score),
    ("recall", metrics.recall_score),
):
    _SCORES[_name] = partial(_of_pairs, _score)
    for _average in ("macro", "micro", "weighted"):
        _SCORES[f"{_name}_{_average}"] = partial(_of_pairs, _score, average=_average)
