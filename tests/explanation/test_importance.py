"""Importance: scikit-learn's scores of the very same shuffles, and its importances within their noise."""

from __future__ import annotations

from typing import Any

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client
from sklearn.ensemble import RandomForestRegressor
from sklearn.inspection import permutation_importance as theirs
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge
from sklearn.metrics import get_scorer
from sklearn.svm import LinearSVC

from daskml_dist import linear_model
from daskml_dist.errors import InvalidData
from daskml_dist.explanation import permutation_importance
from tests.explanation.models import SEED, as_edge, rows

X, Z = rows()
LABELS = np.where(Z > 0, "yes", "no")
COUNTS = np.random.default_rng(SEED).poisson(np.exp(Z / 3)).astype(float)
THREE = np.digitize(Z, [-1.0, 1.0])
WEIGHTS = np.random.default_rng(SEED).random(len(X))

CASES: dict[str, tuple[Any, Any, list[str]]] = {
    "ridge": (Ridge(), Z, ["r2", "neg_mean_squared_error", "neg_mean_absolute_error"]),
    "poisson": (PoissonRegressor(), COUNTS, ["neg_mean_poisson_deviance", "r2"]),
    "logistic": (LogisticRegression(max_iter=5000), LABELS, ["accuracy", "neg_log_loss"]),
    "three classes": (
        LogisticRegression(max_iter=5000),
        np.digitize(Z, [-1.0, 1.0]),
        ["accuracy", "neg_log_loss"],
    ),
    "margins": (LinearSVC(), LABELS, ["accuracy"]),
    "forest": (RandomForestRegressor(5, random_state=0, max_depth=4), Z, ["r2"]),
    "ours": (linear_model.Ridge(), Z, ["r2"]),
    "our classes": (linear_model.LogisticRegression(), LABELS, ["accuracy", "neg_log_loss"]),
}
EACH = [
    pytest.param(name, scoring, id=f"{name} {scoring}") for name, case in CASES.items() for scoring in case[2]
]


@pytest.mark.parametrize(("name", "scoring"), EACH)
def test_scores_are_scikit_learns_on_the_same_shuffles(name: str, scoring: str) -> None:
    """Blocks of 700 rows, shuffled by the numbers that the documentation promises."""
    model, y, _ = CASES[name]
    model.fit(X, y)
    weight = WEIGHTS if scoring != "accuracy" else None
    found = permutation_importance(
        model,
        da.from_array(X, chunks=(700, 4)),
        y,
        scoring=scoring,
        n_repeats=2,
        sample_weight=weight,
        random_state=3,
    )
    score = get_scorer(scoring)
    baseline = score(model, X, y, sample_weight=weight)
    assert found.baseline == pytest.approx(baseline, rel=1e-12)
    for feature in range(4):
        for repeat in range(2):
            shuffled = X.copy()
            for chunk, start in enumerate(range(0, len(X), 700)):
                rng = np.random.default_rng([3, chunk, feature, repeat])
                block = slice(start, start + 700)
                shuffled[block, feature] = rng.permutation(X[block, feature])
            expected = baseline - score(model, shuffled, y, sample_weight=weight)
            assert found.importances[feature, repeat] == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("shuffle", ["blocks", "all"])
def test_importances_are_those_of_scikit_learn(shuffle: Any) -> None:
    model = Ridge().fit(X, Z)
    found = permutation_importance(
        model, da.from_array(X, chunks=(250, 4)), Z, n_repeats=20, shuffle=shuffle, random_state=1
    )
    expected = theirs(model, X, Z, n_repeats=20, random_state=0)
    assert found.baseline == pytest.approx(model.score(X, Z))
    noise = np.hypot(found.importances_std, expected.importances_std) / np.sqrt(20)
    np.testing.assert_array_less(
        np.abs(found.importances_mean - expected.importances_mean), 5 * noise + 1e-12
    )
    assert found.importances.shape == (4, 20)


def test_a_registered_model_is_as_important_as_its_estimator() -> None:
    for model, y in [(Ridge(), Z), (LogisticRegression(max_iter=5000), LABELS)]:
        model.fit(X, y)
        one = permutation_importance(model, X, y)
        other = permutation_importance(as_edge(model, X), X, y)
        np.testing.assert_allclose(one.importances, other.importances, atol=1e-12)


def test_blocks_that_differ_hide_importance_and_all_shows_it() -> None:
    """The assumption, broken: rows in the order of the feature that matters."""
    order = np.argsort(X[:, 0])
    chunked = da.from_array(X[order], chunks=(100, 4))
    model = Ridge().fit(X, Z)
    blocks = permutation_importance(model, chunked, Z[order]).importances_mean[0]
    every = permutation_importance(model, chunked, Z[order], shuffle="all").importances_mean[0]
    expected = theirs(model, X, Z, random_state=0).importances_mean[0]
    assert blocks < 0.2 * expected
    assert every == pytest.approx(expected, rel=0.1)


def test_names_and_a_choice_of_features() -> None:
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = Ridge().fit(frame, Z)
    found = permutation_importance(model, dd.from_pandas(frame, npartitions=3), Z, features=["c", 0])
    assert found.features == ("c", "a")
    whole = permutation_importance(model, dd.from_pandas(frame, npartitions=3), Z)
    np.testing.assert_array_equal(found.importances, whole.importances[[2, 0]])
    assert permutation_importance(Ridge().fit(X, Z), X, Z, features=[-1]).features == ("x3",)


@pytest.mark.parametrize("shuffle", ["blocks", "all"])
@pytest.mark.parametrize("name", ["ridge", "our classes"])
def test_the_bits_do_not_depend_on_the_backend(client: Client, name: str, shuffle: Any) -> None:
    model, y, _ = CASES[name]
    model.fit(X, y)
    chunked, target = da.from_array(X, chunks=(300, 4)), da.from_array(y, chunks=300)
    here = permutation_importance(model, chunked, target, n_repeats=2, shuffle=shuffle, scheduler="threads")
    there = permutation_importance(model, chunked, target, n_repeats=2, shuffle=shuffle, scheduler=client)
    assert here.baseline == there.baseline
    assert here.importances.tobytes() == there.importances.tobytes()


def test_what_does_not_fit_is_refused() -> None:
    ridge, logistic = Ridge().fit(X, Z), LogisticRegression(max_iter=5000).fit(X, LABELS)
    for model, y, more, message in [
        (ridge, Z, {"scoring": "accuracy"}, "for a regression there are r2"),
        (ridge, Z, {"n_repeats": 0}, "n_repeats=0"),
        (ridge, Z, {"shuffle": "rows"}, "shuffle='rows'"),
        (ridge, Z, {"features": ["x9"]}, "no feature 'x9'"),
        (ridge, Z, {"features": [4]}, "no feature 4"),
        (ridge, Z, {"sample_weight": da.zeros(len(X))}, "weights are 0"),
        (ridge, np.ones(len(X)), {}, "constant"),
        (ridge, None, {}, "y is needed"),
        (ridge, Z, {"scoring": "neg_mean_poisson_deviance"}, "positive"),
        (logistic, np.full(len(X), "maybe"), {"scoring": "neg_log_loss"}, "none of the model's classes"),
        (LinearSVC().fit(X, LABELS), LABELS, {"scoring": "neg_log_loss"}, "no probabilities"),
        (Ridge().fit(X, X), Z, {}, "several targets"),
    ]:
        with pytest.raises(InvalidData, match=message):
            permutation_importance(model, X, y, **more)
    with pytest.raises(TypeError, match="no model"):
        permutation_importance(object(), X, Z)
