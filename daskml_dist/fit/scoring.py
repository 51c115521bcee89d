"""How good a fitted model is on data that live anywhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from daskml_dist import inputs
from daskml_dist.cluster import connect
from daskml_dist.fit.data import read, settle
from daskml_dist.fit.training import Training
from daskml_dist.kernels import Coding, Point, Question, Sweep, SweepAnswer, TargetSurvey


def score(training: Training, point: Point, X: Any, y: Any, sample_weight: Any) -> float:
    """The share of the null deviance that a regressor explains (r2 for squares)."""
    hands = connect(training.scheduler, lazy=inputs.is_lazy(X, y, sample_weight))
    try:
        table = read(training, hands, X, y, sample_weight, None)
        targets = (
            [table] if table.y.ndim == 1 else [replace(table, y=table.y[:, t]) for t in range(len(point.b))]
        )
        scores = []
        for number, target in enumerate(targets):
            settle(hands, target)
            hands.code(Coding())
            mean = float(hands.answer(Question(TargetSurvey(training.loss))).mean)
            both = Point(
                np.stack([point.w[number], np.zeros_like(point.w[number])]),
                np.array([point.raw_intercept[number], float(training.loss.link(np.array(mean)))]),
                np.zeros(point.w.shape[1]),
                True,
            )
            swept: SweepAnswer = hands.answer(Question(Sweep(training.loss, both)))
            value, null = swept.value
            scores.append(1.0 - value / null if null > 0.0 else float(value <= 0.0))
        return float(np.mean(scores))
    finally:
        hands.close()
