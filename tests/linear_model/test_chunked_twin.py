"""scikit-learn's checks once more, on chunked containers: rows that are not in memory make no difference."""

from __future__ import annotations

import pickle
import re
from typing import Any

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning, NotFittedError

from daskml_dist.linear_model import (
    LinearRegression,
    LinearSVC,
    LinearSVR,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
)
from tests.linear_model.containers import MAKERS, NAMES, Maker, array, sizes
from tests.linear_model.problems import difference

N = 90
RNG = np.random.default_rng(0)
X = RNG.standard_normal((N, 3))
Y = (X[:, 0] + RNG.standard_normal(N) > 0).astype(int)
WEIGHT = RNG.integers(0, 4, N).astype(float)
TIGHT = {"tol": 1e-12, "verbose": 0}
ESTIMATORS = [LinearRegression, Ridge, LogisticRegression, PoissonRegressor, LinearSVC, LinearSVR]
CLASSIFIERS = (LogisticRegression, LinearSVC)
METHODS = {
    LogisticRegression: ["predict", "decision_function", "predict_proba", "predict_log_proba"],
    LinearSVC: ["predict", "decision_function"],
}

pytestmark = [pytest.mark.parametrize("estimator", ESTIMATORS), pytest.mark.few_clusters]
every_container = pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS)


def _methods(estimator: type) -> list[str]:
    return METHODS.get(estimator, ["predict"])


def _free(estimator: type) -> dict[str, Any]:
    """Without a penalty, which does not scale with the weights."""
    return {Ridge: {"alpha": 0.0}, LogisticRegression: {"C": np.inf}, PoissonRegressor: {"alpha": 0.0}}.get(
        estimator, {}
    )


@pytest.mark.thinned(3)
@every_container
def test_fit_is_that_of_the_array(estimator: Any, maker: Maker, backend: str) -> None:
    expected = estimator(**TIGHT).fit(X, Y, WEIGHT)
    model = estimator(**TIGHT).fit(maker.features(X), maker.column(Y), maker.column(WEIGHT))
    assert difference(model, expected) < 1e-9
    assert model.n_features_in_ == 3
    assert isinstance(model.coef_, np.ndarray)
    assert (vars(model).get("feature_names_in_") is not None) == maker.named
    if maker.named:
        assert model.feature_names_in_.tolist() == NAMES
    if estimator in CLASSIFIERS:
        assert model.classes_.tolist() == [0, 1]
        assert model.classes_.dtype == Y.dtype
    assert model.score(maker.features(X), maker.column(Y)) == pytest.approx(expected.score(X, Y), abs=1e-9)


@every_container
def test_results_keep_the_kind(estimator: Any, maker: Maker) -> None:
    model = estimator(**TIGHT).fit(maker.features(X), maker.column(Y))
    plain = estimator(**TIGHT).fit(X, Y)
    given = maker.features(X)
    for method in _methods(estimator):
        result, expected = getattr(model, method)(given), getattr(plain, method)(X)
        _same_kind(result, given)
        np.testing.assert_allclose(np.asarray(result.compute()), expected, rtol=1e-8, atol=1e-10)
        _same_labels(result, given)


def _same_kind(result: Any, given: Any) -> None:
    if isinstance(given, dd.DataFrame):
        assert isinstance(result, (dd.Series, dd.DataFrame))
        assert result.divisions == given.divisions
    else:
        assert type(result) is type(given)
        ours, theirs = result.chunks[0], given.chunks[0]
        assert np.array_equal(ours, theirs, equal_nan=True)


def _same_labels(result: Any, given: Any) -> None:
    if isinstance(given, dd.DataFrame):
        pd.testing.assert_index_equal(result.compute().index, given.compute().index)
    if isinstance(given, xr.DataArray):
        assert result.dims[0] == "time"
        assert result.coords["time"].equals(given.coords["time"])
        assert result.coords["site"].equals(given.coords["site"])


@every_container
def test_other_features_are_refused(estimator: Any, maker: Maker) -> None:
    model = estimator(**TIGHT).fit(maker.features(X), maker.column(Y))
    text = re.escape(f"X has 2 features, but {estimator.__name__} is expecting 3 features as input")
    if maker.named:
        text = "The feature names should match those that were passed during fit"
    with pytest.raises(ValueError, match=text):
        model.predict(maker.features(X[:, :2]))


def test_names_are_compared(estimator: Any) -> None:
    frame = MAKERS["dask dataframe"].features(X)
    model = estimator(**TIGHT).fit(frame, MAKERS["dask dataframe"].column(Y))
    with pytest.raises(ValueError, match="Feature names must be in the same order"):
        model.predict(frame[NAMES[::-1]])
    with pytest.raises(ValueError, match=r"Feature names unseen at fit time:\n- delta"):
        model.predict(frame.rename(columns={"alpha": "delta"}))
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        model.predict(array(X))
    plain = estimator(**TIGHT).fit(array(X), array(Y))
    with pytest.warns(UserWarning, match="was fitted without feature names"):
        plain.predict(frame)


@every_container
def test_nothing_is_known_before_fit(estimator: Any, maker: Maker) -> None:
    for method in _methods(estimator):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            getattr(estimator(), method)(maker.features(X))


@pytest.mark.thinned(2)
def test_parameters_and_inputs_are_left_alone(estimator: Any, backend: str) -> None:
    model = estimator(**TIGHT)
    before, features, target, weight = (
        model.get_params(),
        array(X.copy()),
        array(Y.copy()),
        array(WEIGHT.copy()),
    )
    held = [part.persist() for part in (features, target, weight)]
    model.fit(*held)
    assert model.get_params() == before
    for part, expected in zip(held, (X, Y, WEIGHT), strict=True):
        np.testing.assert_array_equal(part.compute(), expected)
    attributes = {name for name in vars(model) if name not in before}
    assert all(name.endswith("_") or name.startswith("_") for name in attributes)


def test_fitting_twice_gives_the_same_bits(estimator: Any, backend: str) -> None:
    model = estimator(verbose=0).fit(array(X), array(Y), array(WEIGHT))
    first = [np.asarray(model.coef_).tobytes(), np.asarray(model.intercept_).tobytes(), model.n_passes_]
    model.fit(array(X), array(Y), array(WEIGHT))
    assert first == [
        np.asarray(model.coef_).tobytes(),
        np.asarray(model.intercept_).tobytes(),
        model.n_passes_,
    ]


def test_clones_and_pickles_after_a_fit_on_a_cluster(estimator: Any, client: Any) -> None:
    model = estimator(**TIGHT).fit(array(X), array(Y))
    assert model.graph_ is not None
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.predict(X), model.predict(X))
    assert copy.graph_ is None
    fresh = clone(model)
    assert fresh.get_params() == model.get_params()
    assert "coef_" not in vars(fresh)
    shared = clone(estimator(scheduler=client))
    assert shared.scheduler is client


@pytest.mark.thinned(3)
def test_weights_count_rows(estimator: Any, backend: str) -> None:
    options = {**_free(estimator), **TIGHT}
    repeated = np.repeat(np.arange(N), WEIGHT.astype(int))
    weighted = estimator(**options).fit(array(X), array(Y), array(WEIGHT))
    many = estimator(**options).fit(array(X[repeated]), array(Y[repeated]))
    assert difference(weighted, many) < 1e-9
    kept = WEIGHT > 0
    fewer = estimator(**options).fit(array(X[kept]), array(Y[kept]), array(WEIGHT[kept]))
    assert difference(weighted, fewer) < 1e-9
    if estimator not in (LinearSVC, LinearSVR):  # they always have a penalty
        scaled = estimator(**options).fit(array(X), array(Y), array(1e3 * WEIGHT))
        assert difference(weighted, scaled) < 1e-9
    ones = estimator(**TIGHT).fit(array(X), array(Y), array(np.ones(N)))
    assert difference(ones, estimator(**TIGHT).fit(array(X), array(Y))) < 1e-12
    number = estimator(**TIGHT).fit(array(X), array(Y), 1.0)
    assert difference(number, ones) < 1e-12


@pytest.mark.thinned(3)
def test_rows_may_be_in_any_order_and_cut(estimator: Any) -> None:
    order = RNG.permutation(N)
    expected = estimator(**TIGHT).fit(array(X), array(Y))
    assert difference(estimator(**TIGHT).fit(array(X[order]), array(Y[order])), expected) < 1e-9
    for chunks in (1, 7, N):
        cut = da.from_array(X, chunks=(chunks, 2)), da.from_array(Y, chunks=11)
        assert difference(estimator(**TIGHT).fit(*cut), expected) < 1e-9


@pytest.mark.thinned(3)
@every_container
def test_some_rows_are_predicted_as_all_are(estimator: Any, maker: Maker) -> None:
    model = estimator(**TIGHT).fit(maker.features(X), maker.column(Y))
    for method in _methods(estimator):
        predict = getattr(model, method)
        whole = np.asarray(predict(maker.features(X)).compute())
        parts = [np.asarray(predict(maker.features(part)).compute()) for part in (X[:20], X[20:21], X[21:])]
        np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-13, atol=1e-15)


def test_one_feature_and_one_sample(estimator: Any, backend: str) -> None:
    model = estimator(**TIGHT).fit(array(X[:, :1]), array(Y))
    assert difference(model, estimator(**TIGHT).fit(X[:, :1], Y)) < 1e-9
    if estimator in CLASSIFIERS:
        with pytest.raises(ValueError, match="only one class"):
            estimator(verbose=0).fit(array(X[:1]), array(Y[:1]))
        return
    single = estimator(verbose=0).fit(array(X[:1]), array(np.ones(1)))
    if estimator is not LinearSVR:  # it has a penalty that a single row does not outweigh
        np.testing.assert_allclose(single.predict(X[:1]), [1.0], rtol=1e-12)


def test_a_column_vector_as_target(estimator: Any) -> None:
    expected = estimator(**TIGHT).fit(X, Y)
    if estimator in (LinearRegression, Ridge):
        model = estimator(**TIGHT).fit(array(X), array(Y[:, None]))
        assert np.shape(model.intercept_) == (1,)
        assert model.coef_.shape == ((1, 3) if estimator is LinearRegression else (3,))
    else:
        with pytest.warns(DataConversionWarning, match="A column-vector y was passed"):
            model = estimator(**TIGHT).fit(array(X), array(Y[:, None]))
    assert difference(model, expected) < 1e-9


@every_container
def test_float32_stays_float32(estimator: Any, maker: Maker) -> None:
    small = X.astype(np.float32)
    model = estimator(**TIGHT).fit(maker.features(small), maker.column(Y))
    assert model.coef_.dtype == np.float32
    expected = estimator(**TIGHT).fit(small.astype(float), Y)
    assert difference(model, expected) < 1e-5
    for method in _methods(estimator)[-1:]:
        result = getattr(model, method)(maker.features(small)).compute()
        assert np.asarray(result).dtype == np.float32


LABELS = {
    "strings": np.where(Y, "yes", "no"),
    "objects": np.where(Y, "yes", "no").astype(object),
    "bools": Y.astype(bool),
    "-1 and 1": 2 * Y - 1,
    "numbers far apart": np.where(Y, 1000, 7),
    "floats": Y.astype(float),
    "small integers": Y.astype(np.int8),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_any_type(estimator: Any, kind: str, backend: str) -> None:
    if estimator not in CLASSIFIERS:
        return
    labels = LABELS[kind]
    model = estimator(**TIGHT).fit(array(X), array(labels))
    assert difference(model, estimator(**TIGHT).fit(X, Y)) < 1e-9
    assert model.classes_.tolist() == sorted(set(labels.tolist()))
    assert model.classes_.dtype.kind == labels.dtype.kind
    predicted = model.predict(array(X))
    assert predicted.chunks == (sizes(N),)
    assert set(predicted.compute().tolist()) <= set(labels.tolist())
    assert model.score(array(X), array(labels)) == pytest.approx(np.mean(predicted.compute() == labels))
    swapped = estimator(**TIGHT).fit(array(X), array(1 - Y))
    np.testing.assert_allclose(swapped.coef_, -model.coef_, rtol=1e-9)
    np.testing.assert_allclose(swapped.intercept_, -model.intercept_, rtol=1e-8)
