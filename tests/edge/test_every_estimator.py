"""The edge gives what the estimator itself gives, for every estimator that has an answer."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.linear_model as theirs
import sklearn.svm as their_svm
import xarray as xr

from daskml_dist import edge, linear_model, saving
from daskml_dist.storage import answer_of, model_files, sealed_manifest
from daskml_dist.types import AnyArray

DICE = np.random.default_rng(0)
X = DICE.normal(size=(300, 5)) * [1.0, 10.0, 0.1, 3.0, 1.0]
Z = X @ [0.5, -0.05, 3.0, 0.2, 0.0] + 0.3
REAL = Z + 0.1 * DICE.normal(size=300)
COUNTS = DICE.poisson(np.exp(0.5 * Z)).astype(float)
TWO = np.where(Z + DICE.logistic(size=300) > 0.0, "yes", "no")
THREE = np.digitize(Z + DICE.logistic(size=300), [-1.0, 1.5])
BY_CLASS: dict[str, AnyArray] = {
    "text": TWO,
    "three numbers": THREE,
    "three texts": np.array(["low", "mid", "high"])[THREE],
    "bools": TWO == "yes",
    "small numbers": np.int8([7, -3])[(TWO == "yes").astype(int)],
    "fractions": THREE * 2.0 - 1.0,
    "objects": TWO.astype(object),
}
OURS: dict[str, list[Any]] = {
    "GeneralizedLinearRegressor": [
        {"family": "normal"}, {"family": "normal", "link": "log"}, {"family": "poisson"},
        {"family": "gamma", "link": "log"}, {"family": "tweedie", "power": 1.7}, {"family": "binomial"},
        {"family": "binomial", "link": "probit"}, {"family": "binomial", "link": "cloglog"},
        {"family": "inverse gaussian", "alpha": 1.0},
    ],
    "TweedieRegressor": [{"power": 0.0}, {"power": 1.5}, {"power": 2.0}, {"power": 0.0, "link": "log"}],
    "MinimaxRegressor": [{"loss": "squared_error"}, {"loss": "poisson"}],
    "SGDClassifier": [{"loss": loss, "random_state": 0} for loss in ("hinge", "log_loss", "modified_huber")],
    "SGDRegressor": [{"eta0": 1e-3, "random_state": 0}],
    "LogisticRegression": [{}, {"fit_intercept": False}, {"C": np.inf}],
    "LogisticRegressionCV": [{"Cs": 2, "cv": 2}],
    "RidgeClassifier": [{}, {"fit_intercept": False}],
}  # fmt: skip


def as_edge(model: Any) -> edge.Model:
    """The answer of an estimator as a file would give it."""
    files = model_files(None, {}, {}, answer_of(model))
    files["manifest.json"] = sealed_manifest(files)
    return edge.Model(edge.Sealed(lambda name, most: files[name]))


def cases() -> Iterator[Any]:
    for name in linear_model.__all__:
        for settings in OURS.get(name, [{}]):
            kinds = (
                BY_CLASS if "Classifier" in name or "Logistic" in name or "SVC" in name else {"number": None}
            )
            for kind in kinds:
                if (name, kind.partition(" ")[0]) not in {
                    ("MinimaxClassifier", "three"),
                    ("MinimaxClassifier", "fractions"),
                }:
                    yield pytest.param(name, settings, kind, id=f"{name} {settings or ''} {kind}")


def target(name: str, settings: dict[str, Any], kind: str) -> AnyArray:
    if kind != "number":
        return BY_CLASS[kind]
    if settings.get("family") == "binomial":
        return (TWO == "yes").astype(float)
    counted = (
        name in ("PoissonRegressor",)
        or settings.get("loss") == "poisson"
        or settings.get("family") == "poisson"
    )
    positive = "Gamma" in name or "Tweedie" in name or name.startswith("General")
    return COUNTS if counted else COUNTS + 0.5 if positive else REAL


def assert_the_same(found: edge.Model, model: Any) -> None:
    """Labels exactly, numbers to 1e-12."""
    predicted = found.predict(X)
    given = np.asarray(model.predict(X))
    assert predicted.shape == given.shape
    if found.task == "classification":
        assert predicted.dtype == given.dtype == found.outputs["prediction"]
        assert np.array_equal(predicted, given)
        assert ("probability" in found.outputs) == hasattr(model, "predict_proba")
        margin = found.margin(X)
        np.testing.assert_allclose(
            margin[:, 0] if margin.shape[1] == 1 else margin,
            model.decision_function(X),
            rtol=1e-12,
            atol=1e-12,
        )
    else:
        np.testing.assert_allclose(predicted, given, rtol=1e-12, atol=1e-12)
    if "probability" in found.outputs:
        np.testing.assert_allclose(found.predict_proba(X), model.predict_proba(X), rtol=1e-12, atol=1e-12)


@pytest.mark.thinned(2)
@pytest.mark.parametrize(("name", "settings", "kind"), list(cases()))
def test_the_edge_is_the_estimator(name: str, settings: dict[str, Any], kind: str) -> None:
    model = getattr(linear_model, name)(verbose=0, **settings)
    groups = {"groups": np.arange(300) % 3} if name.startswith("Minimax") else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, target(name, settings, kind), **groups)
    assert_the_same(as_edge(model), model)


@pytest.mark.parametrize("name", ["LinearRegression", "Ridge", "ElasticNet", "RidgeCV"])
def test_several_targets(name: str) -> None:
    Y = np.column_stack([REAL, -2.0 * REAL + 1.0])
    try:
        model = getattr(linear_model, name)(verbose=0).fit(X, Y)
    except ValueError:
        pytest.skip("takes one target")
    assert_the_same(as_edge(model), model)
    assert as_edge(model).targets == 2


THEIRS = [
    theirs.LinearRegression(), theirs.Ridge(), theirs.RidgeCV(), theirs.Lasso(0.01), theirs.ElasticNet(0.01),
    theirs.HuberRegressor(max_iter=1000), theirs.QuantileRegressor(alpha=0.0), theirs.LassoCV(),
    theirs.SGDRegressor(eta0=1e-4, random_state=0), their_svm.LinearSVR(max_iter=100_000, dual="auto"),
    theirs.PoissonRegressor(), theirs.GammaRegressor(), theirs.TweedieRegressor(power=1.5),
    theirs.LogisticRegression(max_iter=1000), theirs.RidgeClassifier(), theirs.RidgeClassifierCV(),
    their_svm.LinearSVC(dual="auto", max_iter=100_000), theirs.Perceptron(),
    *(theirs.SGDClassifier(loss=loss, random_state=0) for loss in ("hinge", "log_loss", "modified_huber")),
]  # fmt: skip


@pytest.mark.parametrize("model", THEIRS, ids=str)
@pytest.mark.parametrize("kind", ["text", "three numbers"])
def test_the_edge_is_scikit_learns_estimator(model: Any, kind: str) -> None:
    y = BY_CLASS[kind] if hasattr(model, "decision_function") else COUNTS + 0.5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    assert_the_same(as_edge(model), model)


def test_a_lie_is_seen() -> None:
    model = linear_model.LogisticRegression(verbose=0).fit(X, TWO)
    found = as_edge(model)
    model.coef_ = model.coef_ * (1.0 + 1e-10)
    with pytest.raises(AssertionError):
        assert_the_same(found, model)


def test_labelled_data_have_an_answer_and_cells_have_none(tmp_path: Path) -> None:
    data = xr.DataArray(X.reshape(30, 10, 5), dims=("time", "cell", "band"), coords={"band": list("abcde")})
    y = xr.DataArray(REAL.reshape(30, 10), dims=("time", "cell"))
    one = linear_model.Ridge(verbose=0).fit(data, y, sample_dims=("time", "cell"))
    saving.save(one, str(tmp_path / "one"))
    found = edge.load(tmp_path / "one")
    np.testing.assert_allclose(found.predict(X), one.predict(data).values.ravel(), rtol=1e-12)
    assert len(found.features) == 5
    many = linear_model.Ridge(verbose=0).fit(data, y, sample_dims="time", fit_over="cell")
    assert answer_of(many) is None
    saving.save(many, str(tmp_path / "many"))
    with pytest.raises(edge.InvalidModel, match="no answer for single rows"):
        edge.load(tmp_path / "many")


def test_a_foreign_class_of_a_known_name_has_no_answer() -> None:
    class Ridge:
        coef_, intercept_, n_features_in_ = np.zeros(3), 0.0, 3

    assert answer_of(Ridge()) is None


def test_weights_that_are_there_are_not_stored_twice(tmp_path: Path) -> None:
    model = linear_model.LogisticRegression(verbose=0).fit(X, THREE)
    saving.save(model, str(tmp_path / "m"))
    wide = (tmp_path / "m" / "weights.safetensors").read_bytes()
    assert wide.count(model.coef_.tobytes()) == 1


def test_float32_stays_float32(tmp_path: Path) -> None:
    model = linear_model.LogisticRegression(verbose=0).fit(X.astype(np.float32), TWO)
    saving.save(model, str(tmp_path / "m"))
    found = edge.load(tmp_path / "m")
    assert found.coef.dtype == np.float64
    np.testing.assert_allclose(found.predict_proba(X), model.predict_proba(X), rtol=1e-12)
