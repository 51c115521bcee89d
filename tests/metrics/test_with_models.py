"""What a model predicts lazily goes into a metric as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn.metrics

from daskml_dist import metrics
from daskml_dist.linear_model import LinearRegression, LogisticRegression
from tests.linear_model.containers import MAKERS, Maker

N = 200
RNG = np.random.default_rng(8)
X = RNG.standard_normal((N, 3))
NUMBERS = X @ [1.0, -2.0, 0.5] + RNG.standard_normal(N)
WORDS = np.where(NUMBERS > 0.3, "yes", "no")


@pytest.mark.thinned(3)
@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS)
def test_predictions_are_scored_where_they_live(maker: Maker, backend: str) -> None:
    features, words, numbers = maker.features(X), maker.column(WORDS), maker.column(NUMBERS)
    model: Any = LogisticRegression(verbose=0).fit(features, words)
    for name, lazy, options in (
        ("accuracy_score", model.predict(features), {}),
        ("f1_score", model.predict(features), {"pos_label": "yes"}),
        ("log_loss", model.predict_proba(features), {}),
        ("roc_auc_score", model.decision_function(features), {}),
    ):
        expected = getattr(sklearn.metrics, name)(WORDS, np.asarray(lazy.compute()), **options)
        assert getattr(metrics, name)(words, lazy, **options) == pytest.approx(expected, rel=1e-13)
    line: Any = LinearRegression(verbose=0).fit(features, numbers)
    assert metrics.r2_score(numbers, line.predict(features)) == pytest.approx(line.score(features, numbers))
