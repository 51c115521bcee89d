"""How good a model of several classes is on the held-out rows: on the whole, and class by class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pandas as pd

from daskml_dist.cli.blocks import read_rows
from daskml_dist.cli.encoding import Encoding
from daskml_dist.cli.heldout import HeldOut
from daskml_dist.cli.survey import Survey
from daskml_dist.files import Piece
from daskml_dist.types import AnyArray, FloatArray


@final
@dataclass(frozen=True)
class ClassScore:
    """How one class fared; recall and precision are NaN where there is nothing to divide by.

    Attributes
    ----------
    name : the label.
    rows : held-out rows of it.
    recall : the share of them that is found.
    precision : the share of what is taken for this class that is of it.
    taken_for : the class that most of the others are taken for, or "".
    """

    name: str
    rows: int
    recall: float
    precision: float
    taken_for: str = ""


@final
@dataclass(frozen=True)
class Judged:
    """Small vectors (n,), of which ``label`` and ``predicted`` are positions of classes.

    A label of -1 is in no training row. ``log_p`` is the logarithm of the probability of the label.
    """

    label: AnyArray
    predicted: AnyArray
    log_p: FloatArray
    weight: FloatArray


def judge(
    model: Any, piece: Piece, number: int, encoding: Encoding, rule: HeldOut, thin: float
) -> tuple[AnyArray, ...]:
    """The vectors of one piece."""
    classes = model.classes_
    X, y, weight, _ = read_rows(piece, number, encoding, rule, classes.dtype, held_out=True, thin=thin)
    n = len(y)
    text = classes.dtype.kind == "U"
    label = pd.Index(classes.astype(object if text else y.dtype)).get_indexer(pd.Index(y))
    if n == 0:
        return label, label, np.zeros(0), np.zeros(0)
    log_p = np.asarray(model.predict_log_proba(X))
    of_label = log_p[np.arange(n), np.maximum(label, 0)]
    return label, log_p.argmax(axis=1), of_label, np.ones(n) if weight is None else weight


def overall(rows: Judged, found: Survey) -> list[tuple[str, float, float]]:
    """Accuracy, mean recall and log loss, of the model and of the constant, of rows of known classes.

    The constant takes each row for the most frequent class, and its probabilities are the shares of the
    classes in the training rows.
    """
    values = found.target.values or {}
    shares = np.array([values[value] for value in sorted(values)])
    shares = shares / shares.sum()
    hit = rows.predicted == rows.label
    there = np.unique(rows.label)
    recalls = [_mean(hit[rows.label == k], rows.weight[rows.label == k]) for k in there]
    return [
        ("accuracy", _mean(hit, rows.weight), _mean(rows.label == shares.argmax(), rows.weight)),
        ("mean recall", float(np.mean(recalls)), float(shares.argmax() in there) / len(there)),
        ("log loss", -_mean(rows.log_p, rows.weight), -_mean(np.log(shares)[rows.label], rows.weight)),
    ]


def by_class(rows: Judged, classes: list[Any]) -> tuple[ClassScore, ...]:
    """Each class, in order."""
    k = len(classes)
    confused = np.bincount(rows.label * k + rows.predicted, rows.weight, k * k).reshape(k, k)
    count = np.bincount(rows.label, minlength=k)
    of_class, taken, right = confused.sum(axis=1), confused.sum(axis=0), confused.diagonal().copy()
    np.fill_diagonal(confused, 0.0)
    with np.errstate(invalid="ignore"):
        recall, precision = right / of_class, right / taken
    others = confused.argmax(axis=1)
    return tuple(
        ClassScore(
            str(classes[i]),
            int(count[i]),
            float(recall[i]),
            float(precision[i]),
            str(classes[others[i]]) if confused[i, others[i]] else "",
        )
        for i in range(k)
    )


def _mean(values: AnyArray, weight: FloatArray) -> float:
    """The weighted mean; NaN without weight."""
    total = float(weight.sum())
    return float(weight @ values) / total if total else float("nan")
