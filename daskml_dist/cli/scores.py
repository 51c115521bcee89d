"""How good a model is on the held-out rows, beside the best constant learned from the training rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import dask
import numpy as np
from sklearn.metrics import accuracy_score, log_loss, mean_squared_error, r2_score, roc_auc_score

from daskml_dist.cli.blocks import read_rows
from daskml_dist.cli.class_scores import ClassScore, Judged, by_class, judge, overall
from daskml_dist.cli.clusters import compute
from daskml_dist.cli.encoding import Encoding
from daskml_dist.cli.heldout import HeldOut
from daskml_dist.cli.survey import Survey
from daskml_dist.files import Piece, Source
from daskml_dist.types import AnyArray, FloatArray

MOST_ROWS = 5_000_000
"""Held-out rows that are scored; of more, this many by lot."""


@final
@dataclass(frozen=True)
class Scores:
    """Name, value of the model and value of the constant, of each score; and the rows they are of.

    ``classes`` has a score for each of more than two classes.
    """

    rows: int
    table: tuple[tuple[str, float, float], ...]
    note: str = ""
    classes: tuple[ClassScore, ...] = ()


@final
@dataclass(frozen=True)
class HeldOutRows:
    """Small vectors (n,): target, prediction, weight and exposure; ones where there are none."""

    y: AnyArray
    prediction: FloatArray
    weight: FloatArray
    exposure: FloatArray


def score(
    model: Any, name: str, source: Source, found: Survey, encoding: Encoding, rule: HeldOut
) -> Scores | None:
    """Predict the held-out rows where they are, and score the predictions; None without such rows."""
    total = sum(found.held_out)
    if total == 0:
        return None
    thin = min(1.0, MOST_ROWS / total)
    if name == "logistic" and len(model.classes_) > 2:
        judged = Judged(*_of_each_piece(judge, model, source, found, encoding, rule, thin))
        return _several_classes(judged, model, found)
    rows = predict_held_out(model, source, found, encoding, rule, thin)
    if name == "logistic":
        return _classification(rows, model, found)
    return _counts(rows, found) if name == "poisson" else _regression(rows, found)


def predict_held_out(
    model: Any, source: Source, found: Survey, encoding: Encoding, rule: HeldOut, thin: float = 1.0
) -> HeldOutRows:
    """The target and the prediction of each held-out row, in the order of the file."""
    return HeldOutRows(*_of_each_piece(_predict, model, source, found, encoding, rule, thin))


def _of_each_piece(
    ask: Callable[..., tuple[AnyArray, ...]],
    model: Any,
    source: Source,
    found: Survey,
    encoding: Encoding,
    rule: HeldOut,
    thin: float,
) -> list[AnyArray]:
    """What is said of the held-out rows of each piece where that is read: vectors (n,), joined."""
    say = dask.delayed(ask, pure=True)
    fitted, learned = dask.delayed(model, traverse=False), dask.delayed(encoding, traverse=False)
    parts = [
        say(fitted, dask.delayed(piece, traverse=False), number, learned, rule, thin)
        for number, piece in enumerate(source.pieces)
        if found.held_out[number]
    ]
    columns = zip(*compute(parts), strict=True)
    return [np.concatenate(column) for column in columns]


def _predict(
    model: Any, piece: Piece, number: int, encoding: Encoding, rule: HeldOut, thin: float
) -> tuple[AnyArray, ...]:
    """The vectors of one piece; a probability of the second class where the model has classes."""
    dtype = model.classes_.dtype if "classes_" in vars(model) else np.float64
    X, y, weight, exposure = read_rows(piece, number, encoding, rule, dtype, held_out=True, thin=thin)
    ones = np.ones(len(y))
    weight, exposure = ones if weight is None else weight, ones if exposure is None else exposure
    if "classes_" in vars(model):
        y = y.astype(object)
        prediction = np.asarray(model.predict_proba(X))[:, 1] if len(y) else np.zeros(0)
    else:
        prediction = np.asarray(model.predict(X)) if len(y) else np.zeros(0)
    return y, prediction * exposure, weight, exposure


def _classification(rows: HeldOutRows, model: Any, found: Survey) -> Scores:
    """Accuracy, log loss and area under the ROC curve."""
    first, second = model.classes_.tolist()
    known = (rows.y == first) | (rows.y == second)
    y, p, weight = (rows.y == second)[known], rows.prediction[known], rows.weight[known]
    values = found.target.values or {}
    share = values[second] / (values[first] + values[second])
    constant = np.full(len(y), share)
    table = [
        (
            "accuracy",
            accuracy_score(y, p > 0.5, sample_weight=weight),
            accuracy_score(y, constant > 0.5, sample_weight=weight),
        ),
        (
            "log loss",
            log_loss(y, p, labels=[False, True], sample_weight=weight),
            log_loss(y, constant, labels=[False, True], sample_weight=weight),
        ),
    ]
    if 0 < y.sum() < len(y):
        table.append(("AUC", roc_auc_score(y, p, sample_weight=weight), 0.5))
    return Scores(len(y), tuple((name, float(a), float(b)) for name, a, b in table), _unscored(~known))


def _several_classes(rows: Judged, model: Any, found: Survey) -> Scores | None:
    """Accuracy, mean recall and log loss, and each class; None where no class is known."""
    known = rows.label >= 0
    if not known.any():
        return None
    scored = Judged(rows.label[known], rows.predicted[known], rows.log_p[known], rows.weight[known])
    classes = by_class(scored, model.classes_.tolist())
    return Scores(int(known.sum()), tuple(overall(scored, found)), _unscored(~known), classes)


def _unscored(lost: AnyArray) -> str:
    """A note about rows of classes that the model does not know."""
    count = int(lost.sum())
    return f"{count:,} held-out rows have a value that is in no training row, and are not scored" * (
        count > 0
    )


def _regression(rows: HeldOutRows, found: Survey) -> Scores:
    """The coefficient of determination, and the root of the mean squared error."""
    y, weight = rows.y.astype(np.float64), rows.weight
    constant = np.full(len(y), found.target.product / found.target.weight)
    rmse = [
        float(np.sqrt(mean_squared_error(y, z, sample_weight=weight))) for z in (rows.prediction, constant)
    ]
    table = [("RMSE", rmse[0], rmse[1])]
    if len(y) > 1:
        r2 = [float(r2_score(y, z, sample_weight=weight)) for z in (rows.prediction, constant)]
        table.insert(0, ("r2", r2[0], r2[1]))
    return Scores(len(y), tuple(table))


def _counts(rows: HeldOutRows, found: Survey) -> Scores:
    """The share of the deviance of the best constant rate that is explained, and the mean deviance."""
    y, weight = rows.y.astype(np.float64), rows.weight
    rate = found.target.product / found.target.exposure
    best = float(weight @ y) / float(weight @ rows.exposure)
    null = mean_deviance(y, best * rows.exposure, weight)
    pair = [mean_deviance(y, mu, weight) for mu in (rows.prediction, rate * rows.exposure)]
    table = [("mean deviance", pair[0], pair[1])]
    if null > 0.0:
        table.insert(0, ("D2", 1.0 - pair[0] / null, 1.0 - pair[1] / null))
    return Scores(len(y), tuple(table))


def mean_deviance(y: FloatArray, mu: FloatArray, weight: FloatArray) -> float:
    """The weighted mean of 2 (y log(y / mu) - y + mu), where a mu of 0 is right for a y of 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        log = np.where(y > 0.0, y * np.log(y / mu), 0.0)
    return float(np.average(2.0 * (log - y + mu), weights=weight))
