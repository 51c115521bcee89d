"""Linear support vector machines: liblinear's optimum, on every cut and both backends."""

from __future__ import annotations

import warnings
from typing import Any

import dask.array as da
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import r2_score
from sklearn.svm import LinearSVC as TheirSVC
from sklearn.svm import LinearSVR as TheirSVR
from sklearn.utils.class_weight import compute_class_weight

from daskml_dist.errors import InvalidData, UnsupportedCombination, UnsupportedParameter
from daskml_dist.linear_model import LinearSVC, LinearSVR
from tests.linear_model.problems import chunked, data

DATA = data()
X = (DATA.X - DATA.X.mean(axis=0)) / DATA.X.std(axis=0) + 0.5
RNG = np.random.default_rng(8)
THREE = DATA.labels + (X[:, 1] > 1.0)
REALS = X @ [1.0, -2.0, 0.5, 0.0, 3.0] + 2.0 + RNG.standard_t(2, len(X))
TIGHT: dict[str, Any] = {"tol": 1e-12, "verbose": 0}


def theirs(model: Any, X: np.ndarray, y: np.ndarray, weight: np.ndarray | None = None) -> Any:
    """scikit-learn's model, as far as liblinear goes."""
    names = {
        "C",
        "loss",
        "penalty",
        "epsilon",
        "fit_intercept",
        "intercept_scaling",
        "class_weight",
    }
    shared = {name: value for name, value in model.get_params().items() if name in names}
    dual = model.loss in ("hinge", "epsilon_insensitive")
    kind: Any = TheirSVC if isinstance(model, LinearSVC) else TheirSVR
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return kind(**shared, dual=dual, tol=1e-11, max_iter=100_000, random_state=0).fit(X, y, weight)


def objective(
    model: Any, X: np.ndarray, y: np.ndarray, weight: np.ndarray | None, coefficients: Any
) -> float:
    """liblinear's objective of one problem, with its intercept as one more coefficient."""
    w, b = np.ravel(coefficients[0]), float(np.ravel(coefficients[1])[0])
    z = X @ w + b
    if isinstance(model, LinearSVC):
        short = np.maximum(0.0, 1.0 - (2.0 * (y == np.max(y)) - 1.0) * z)
    else:
        short = np.maximum(0.0, np.abs(y - z) - model.epsilon)
    s = np.ones(len(y)) if weight is None else weight
    loss = s @ (short**2 if "squared" in model.loss else short)
    theta = np.append(w, b / model.intercept_scaling)
    l1 = isinstance(model, LinearSVC) and model.penalty == "l1"
    return float(model.C * loss + (np.abs(theta).sum() if l1 else 0.5 * theta @ theta))


def assert_same_optimum(
    model: Any, other: Any, X: np.ndarray, y: np.ndarray, weight: np.ndarray | None = None
) -> None:
    """The objective is no higher than theirs, and the model is as near as the objectives say."""
    ours = objective(model, X, y, weight, (model.coef_, model.intercept_))
    least = objective(model, X, y, weight, (other.coef_, other.intercept_))
    assert ours <= least * (1.0 + 1e-9)
    assert ours >= least * (1.0 - 1e-6)
    # objectives are strongly convex with constant 1 in (w, b / intercept_scaling)
    apart = np.sqrt(2.0 * max(least - ours, 0.0)) * max(1.0, model.intercept_scaling)
    assert_same_coefficients(model, other, 1e-5, apart)
    longest = 1.0 + np.abs(X).sum(axis=1).max()
    z = [np.asarray(X @ np.ravel(m.coef_) + m.intercept_) for m in (model, other)]
    assert_allclose(*z, rtol=0, atol=1e-5 + apart * longest)
    margin = model.decision_function(X) if isinstance(model, LinearSVC) else model.predict(X)
    assert_allclose(margin, z[0], rtol=1e-12, atol=1e-12)


def assert_same_coefficients(model: Any, other: Any, rtol: float = 1e-5, apart: float = 0.0) -> None:
    atol = apart + rtol * max(np.abs(other.coef_).max(), np.abs(other.intercept_).max())
    assert_allclose(model.coef_, other.coef_, rtol=0, atol=atol)
    assert_allclose(model.intercept_, other.intercept_, rtol=0, atol=atol)
    assert np.shape(model.intercept_) == np.shape(other.intercept_)
    assert model.coef_.shape == other.coef_.shape


CLASSIFIERS = [("l2", "squared_hinge"), ("l2", "hinge"), ("l1", "squared_hinge")]
LOSSES = ["squared_epsilon_insensitive", "epsilon_insensitive"]


@pytest.mark.thinned(5)
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("intercept", [{"fit_intercept": False}, {}, {"intercept_scaling": 0.2}], ids=str)
@pytest.mark.parametrize("C", [1e-3, 1.0])
@pytest.mark.parametrize(("penalty", "loss"), CLASSIFIERS)
def test_two_classes(penalty: str, loss: str, C: float, intercept: dict[str, Any], weighted: bool) -> None:
    weight = DATA.weight if weighted else None
    model = LinearSVC(penalty, loss, C=C, **intercept, **TIGHT).fit(X, DATA.labels, weight)
    other = theirs(model, X, DATA.labels, weight)
    assert_same_optimum(model, other, X, DATA.labels, weight)
    assert model.gap_ <= 1e-12
    assert model.score(X, DATA.labels) == other.score(X, DATA.labels)


def balance(class_weight: Any, names: np.ndarray, name: str) -> float:
    """The weight of a class."""
    classes = np.unique(names)
    factors = compute_class_weight(class_weight, classes=classes, y=names, sample_weight=DATA.weight)
    return float(factors[classes == name][0])


@pytest.mark.thinned(4)
@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 0.3, 2: 4.0}], ids=str)
@pytest.mark.parametrize(("penalty", "loss"), CLASSIFIERS)
def test_each_class_against_the_rest(penalty: str, loss: str, class_weight: Any) -> None:
    names = np.array(["low", "mid", "top"])[THREE]
    if isinstance(class_weight, dict):
        class_weight = {["low", "mid", "top"][k]: factor for k, factor in class_weight.items()}
    model = LinearSVC(penalty, loss, class_weight=class_weight, **TIGHT).fit(X, names, DATA.weight)
    other = theirs(model, X, names, DATA.weight)
    for k, name in enumerate(model.classes_):  # theirs ends early with the L1 penalty
        factor = balance(class_weight, names, name)
        given = (X, names == name, DATA.weight * np.where(names == name, factor, 1.0))
        ours, least = (objective(model, *given, (m.coef_[k], m.intercept_[k])) for m in (model, other))
        assert least * (1.0 - 1e-6) <= ours <= least * (1.0 + 1e-9)
    assert_same_coefficients(model, other, 1e-3 if penalty == "l1" else 1e-5)
    assert_array_equal(model.classes_, other.classes_)
    assert np.mean(model.predict(X) == other.predict(X)) > 0.99  # hinges that are constant tie
    assert model.decision_function(X).shape == (len(X), 3)
    assert model.history_[-1]["passes"] == model.n_passes_ == model.n_iter_


@pytest.mark.thinned(5)
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("intercept", [{"fit_intercept": False}, {}, {"intercept_scaling": 5.0}], ids=str)
@pytest.mark.parametrize("C", [1e-3, 1.0])
@pytest.mark.parametrize("epsilon", [0.0, 0.5])
@pytest.mark.parametrize("loss", LOSSES)
def test_regression(loss: str, epsilon: float, C: float, intercept: dict[str, Any], weighted: bool) -> None:
    weight = DATA.weight if weighted else None
    model = LinearSVR(epsilon=epsilon, C=C, loss=loss, **intercept, **TIGHT).fit(X, REALS, weight)
    other = theirs(model, X, REALS, weight)
    assert_same_optimum(model, other, X, REALS, weight)
    assert model.score(X, REALS) == pytest.approx(r2_score(REALS, model.predict(X)), rel=1e-12)


MODELS = [
    *(LinearSVC(penalty, loss, **TIGHT) for penalty, loss in CLASSIFIERS),
    *(LinearSVR(epsilon=0.2, loss=loss, **TIGHT) for loss in LOSSES),
]
every_model = pytest.mark.parametrize("model", MODELS, ids=lambda m: f"{type(m).__name__}-{m.loss}")


def target(model: Any) -> np.ndarray:
    return THREE if isinstance(model, LinearSVC) else REALS


@pytest.mark.thinned(2)
@pytest.mark.parametrize("tol", [1e-3, 1e-6, 1e-9])
@every_model
def test_proven_gaps_are_true(model: Any, tol: float) -> None:
    y = (THREE > 0).astype(int) if isinstance(model, LinearSVC) else REALS
    loose = type(model)(**{**model.get_params(), "tol": tol}).fit(chunked(X, 3), chunked(y, 3))
    best = model.fit(X, y)
    ours, least = (objective(each, X, y, None, (each.coef_, each.intercept_)) for each in (loose, best))
    assert loose.gap_ <= tol
    if loose.gap_kind_ != "estimate":
        assert (ours - least) / ours <= loose.gap_ + 1e-11
    if model.loss in ("hinge", "epsilon_insensitive"):
        assert loose.gap_kind_ == "duality"


@pytest.mark.thinned(5)
@every_model
def test_chunks_on_both_backends(model: Any, client: Any) -> None:
    y = target(model)
    given = [chunked(part, 17) for part in (X, y, DATA.weight)]
    there = type(model)(**{**model.get_params(), "scheduler": client}).fit(*given)
    model = type(model)(**{**model.get_params(), "scheduler": "threads"}).fit(*given)
    assert model.coef_.tobytes() == there.coef_.tobytes()
    assert np.asarray(model.intercept_).tobytes() == np.asarray(there.intercept_).tobytes()
    assert_same_coefficients(model, theirs(model, X, y, DATA.weight))
    lazily = model.predict(given[0])
    assert isinstance(lazily, da.Array)
    assert_array_equal(lazily.compute(), model.predict(X))
    assert model.score(*given[:2]) == pytest.approx(model.score(X, y), abs=1e-12)


@every_model
def test_rows_that_repeat_constant_columns_and_zero_weights(model: Any) -> None:
    y = target(model)
    repeated = np.repeat(np.arange(len(X)), RNG.integers(0, 3, len(X)))
    counts = np.bincount(repeated, minlength=len(X)).astype(float)
    wide = np.column_stack([X, np.full(len(X), 3.0), X[:, 0], np.zeros(len(X))])
    model.fit(wide, y, counts)
    first = wide @ np.atleast_2d(model.coef_).T + model.intercept_
    model.fit(wide[repeated], y[repeated])
    again = wide @ np.atleast_2d(model.coef_).T + model.intercept_
    assert_allclose(again, first, rtol=0, atol=1e-6 * np.abs(first).max())
    assert_allclose(np.atleast_2d(model.coef_)[:, -1], 0.0, atol=1e-12)
    if not isinstance(model, LinearSVC) or model.penalty == "l2":  # the penalty shares alike between twins
        twins = np.atleast_2d(model.coef_)[:, [0, 6]]
        assert_allclose(twins[:, 0], twins[:, 1], rtol=0, atol=1e-6 * np.abs(twins).max())


@pytest.mark.parametrize("loss", ["squared_hinge", "hinge"])
def test_classes_that_a_plane_separates(loss: str) -> None:
    y = X[:, 0] + X[:, 1] > 1.0
    apart = X + 0.5 * np.where(y, 1.0, -1.0)[:, None]
    model = LinearSVC(loss=loss, C=100.0, **TIGHT).fit(apart, y)
    assert_same_optimum(model, theirs(model, apart, y), apart, y)
    assert model.score(apart, y) == 1.0


def test_a_perfect_fit_costs_the_penalty_only() -> None:
    exact = X @ [1.0, 2.0, 3.0, 4.0, 5.0]
    for loss in LOSSES:
        model = LinearSVR(epsilon=0.1, loss=loss, C=10.0, **TIGHT).fit(X, exact)
        assert_same_optimum(model, theirs(model, X, exact), X, exact)


@pytest.mark.thinned(2)
@every_model
def test_raw_units(model: Any) -> None:
    """Features far from zero and of very different sizes; the intercept is penalised, so that it matters."""
    small = type(model)(**{**model.get_params(), "intercept_scaling": 100.0})
    raw = X * [1.0, 30.0, 0.2, 5.0, 1.0] + [0.0, 3.0, -5.0, 100.0, 7.0]
    y = target(model)
    if isinstance(small, LinearSVC):
        y = (y > 0).astype(int)
    small.fit(raw, y)
    ours = objective(small, raw, y, None, (small.coef_, small.intercept_))
    other = theirs(small, raw, y)
    assert ours <= objective(small, raw, y, None, (other.coef_, other.intercept_)) * (1.0 + 1e-9)


def test_many_rows_need_few_passes() -> None:
    rng = np.random.default_rng(0)
    many = rng.standard_normal((200_000, 10))
    z = many @ rng.standard_normal(10)
    given = da.from_array(many, chunks=(20_000, 10))
    noisy = z + rng.standard_t(3, len(z))
    labels = da.from_array(noisy > 0, chunks=20_000)
    for loss, passes in (("squared_hinge", 3), ("hinge", 9)):
        model = LinearSVC(loss=loss, verbose=0).fit(given, labels)
        assert model.n_passes_ <= passes
        assert model.gap_ < 1e-6
    model = LinearSVR(epsilon=0.1, verbose=0).fit(given, da.from_array(noisy, chunks=20_000))
    assert model.n_passes_ <= 8
    assert (model.gap_ < 1e-6, model.gap_kind_) == (True, "duality")


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (LinearSVC(dual=True), "dual=True.* is not supported: expected the default 'auto'"),
        (LinearSVC(multi_class="crammer_singer"), "multi_class='crammer_singer'.* is not supported"),
        (LinearSVC(loss="log"), "loss='log'.: expected one of 'squared_hinge', 'hinge'"),
        (LinearSVC(penalty="l0"), "penalty='l0'.: expected one of 'l2', 'l1'"),
        (LinearSVC(C=0.0), "C must be a finite number > 0"),
        (LinearSVC(intercept_scaling=0.0), "intercept_scaling must be a finite number > 0"),
        (LinearSVC(fit_intercept=None), "expected True or False"),
        (LinearSVR(loss="huber"), "loss='huber'.: expected one of 'epsilon_insensitive', 'squared"),
        (LinearSVR(epsilon=-0.1), "epsilon must be a finite number >= 0"),
        (LinearSVR(dual=False), "dual=False.* is not supported"),
    ],
    ids=str,
)
def test_parameters_are_refused_in_words(model: Any, text: str) -> None:
    with pytest.raises(UnsupportedParameter, match=text):
        model.fit(X, target(model))


def test_what_has_no_model_is_refused_in_words() -> None:
    with pytest.raises(UnsupportedCombination, match="penalty='l1', loss='hinge'.*use loss='squared_hinge'"):
        LinearSVC("l1", "hinge").fit(X, THREE)
    with pytest.raises(InvalidData, match="contains only one class: 1"):
        LinearSVC().fit(X, np.ones(len(X)))
    with pytest.raises(InvalidData, match="All rows of class 2 have weight zero.* nothing tells it"):
        LinearSVC().fit(X, THREE, np.where(THREE == 2, 0.0, 1.0))
    with pytest.raises(InvalidData, match=r"Unknown label type: continuous.*chunk \d"):
        LinearSVC(verbose=0).fit(chunked(X, 3), chunked(REALS, 3))


def test_checkpoints_of_each_class(tmp_path: Any) -> None:
    model = LinearSVC(checkpoint=str(tmp_path), **TIGHT).fit(X, THREE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["class-0", "class-1", "class-2"]
    at_once = LinearSVC(**TIGHT).fit(X, THREE)
    assert at_once.n_passes_ < model.n_passes_
    assert_same_coefficients(at_once, model, 1e-9)
    again = LinearSVC(checkpoint=str(tmp_path), **TIGHT).fit(X, THREE)
    assert len(again.history_) < len(model.history_)  # it went on
    assert_same_coefficients(again, model, 1e-9)
