"""RidgeClassifier: scikit-learn's margins and labels, for two classes and more, in one pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import linear_model as sk

from daskml_dist.errors import InvalidData, NonFiniteData, UnsupportedParameter
from daskml_dist.kernels import Coding
from daskml_dist.linear_model import RidgeClassifier
from daskml_dist.types import Chunk
from tests.linear_model.problems import chunked, data

DATA = data()
X = DATA.X / np.abs(DATA.X).max(axis=0)
RANKS = np.searchsorted(np.quantile(DATA.reals, [0.2, 0.5, 0.9]), DATA.reals)
LABELS: dict[str, np.ndarray] = {
    "two": DATA.labels,
    "strings": np.where(DATA.labels, "yes", "no").astype(object),
    "four": np.array(["few", "more", "many", "most"])[RANKS],
    "numbers": RANKS * 10 - 7,
}
QUIET: dict[str, Any] = {"verbose": 0}
PARAMETERS: list[dict[str, Any]] = [
    {},
    {"alpha": 30.0, "fit_intercept": False},
    {"class_weight": "balanced"},
    {"alpha": 0.1, "positive": True},
]


def assert_same(model: RidgeClassifier, other: Any, rows: Any, digits: float = 1e-9) -> None:
    assert_array_equal(model.classes_, other.classes_)
    assert model.coef_.shape == other.coef_.shape
    assert_allclose(model.coef_, other.coef_, rtol=digits, atol=1e-9)
    assert np.shape(model.intercept_) == np.shape(other.intercept_)
    assert_allclose(model.intercept_, other.intercept_, rtol=digits, atol=1e-9)
    decision = model.decision_function(rows)
    assert_allclose(np.asarray(decision), other.decision_function(X), rtol=1e-7, atol=1e-8)
    assert_array_equal(np.asarray(model.predict(rows)), other.predict(X))
    assert model.n_passes_ == 1
    assert model.gap_ < 1e-9


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("parameters", PARAMETERS, ids=str)
def test_scikit_learns_classifier(parameters: dict[str, Any], labels: str, weighted: bool) -> None:
    y, weight = LABELS[labels], DATA.weight if weighted else None
    model = RidgeClassifier(**parameters, **QUIET).fit(X, y, weight)
    other = sk.RidgeClassifier(**parameters, tol=1e-12, max_iter=None if not model.positive else 100_000)
    loose = model.positive  # theirs is found by L-BFGS-B
    if not loose:
        assert_same(model, other.fit(X, y, weight), X)
    else:
        assert_allclose(model.coef_, other.fit(X, y, weight).coef_, atol=1e-4)
        assert (model.coef_ >= 0.0).all()


def test_a_weight_for_some_classes() -> None:
    for y, weights in ((LABELS["two"], {1: 3.0}), (LABELS["four"], {"few": 0.0, "most": 5.0})):
        model = RidgeClassifier(class_weight=weights, **QUIET).fit(X, y)
        assert_same(model, sk.RidgeClassifier(class_weight=weights).fit(X, y), X)


@pytest.mark.thinned(3)
@pytest.mark.parametrize("labels", ["strings", "four"])
@pytest.mark.parametrize("size", ["small", "large"])
def test_chunks_on_every_backend(
    labels: str, size: str, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if size == "large":
        monkeypatch.setattr("daskml_dist.solvers.least_squares.SMALL_ELEMENTS", 0)
    rows, y, weight = (chunked(part, 17) for part in (X, LABELS[labels], DATA.weight))
    model = RidgeClassifier(class_weight="balanced", **QUIET).fit(rows, y, weight)
    other = sk.RidgeClassifier(class_weight="balanced").fit(X, LABELS[labels], DATA.weight)
    assert_same(model, other, rows)
    assert model.predict(rows).chunks == (rows.chunks[0],)
    assert model.score(rows, y) == pytest.approx(other.score(X, LABELS[labels]), abs=1e-12)
    assert model.score(rows, y, weight) == pytest.approx(other.score(X, LABELS[labels], DATA.weight))


def test_labels_that_were_not_learned_are_never_right() -> None:
    model = RidgeClassifier(**QUIET).fit(X, LABELS["four"])
    strange = LABELS["four"].copy()
    strange[:300] = "none"
    expected = np.mean(model.predict(X) == strange)
    assert model.score(chunked(X, 5), chunked(strange, 5)) == pytest.approx(expected)


@pytest.mark.parametrize("solver", ["newton", "progressive-newton", "lbfgs", "newton-cg"])
@pytest.mark.parametrize("labels", ["two", "four"])
def test_other_solvers(solver: str, labels: str) -> None:
    expected = RidgeClassifier(**QUIET).fit(X, LABELS[labels])
    model = RidgeClassifier(solver=solver, tol=1e-13, max_iter=1000, **QUIET).fit(X, LABELS[labels])
    assert_allclose(model.coef_, expected.coef_, rtol=1e-5, atol=1e-7)


def test_signs() -> None:
    classes = np.array(["a", "b", "c"])
    chunk = Chunk(0, None, np.array(["c", "a"]))
    assert_array_equal(Coding(classes, signs=True).code(chunk).y, [[-1, -1, 1], [1, -1, -1]])
    assert_array_equal(Coding(classes[::2], signs=True).code(chunk).y, [1, -1])


@pytest.mark.parametrize(
    ("parameters", "y", "error", "says"),
    [
        ({}, np.zeros(600), InvalidData, "only one class: 0"),
        ({}, DATA.reals, InvalidData, "continuous"),
        ({}, DATA.table, ValueError, "1d array"),
        ({"class_weight": {0: 0.0}}, LABELS["two"], InvalidData, "All rows of class 0 have weight zero"),
        ({"class_weight": "even"}, LABELS["two"], InvalidData, "class_weight must be a dict"),
        ({"alpha": -1.0}, LABELS["two"], UnsupportedParameter, "alpha must be a finite number >= 0"),
        ({"solver": "svd"}, LABELS["two"], UnsupportedParameter, "solver='svd' was given"),
        ({"copy_X": False}, LABELS["two"], UnsupportedParameter, "copy_X=False"),
    ],
)
def test_refusals(parameters: dict[str, Any], y: Any, error: Any, says: str) -> None:
    with pytest.raises(error, match=says):
        RidgeClassifier(**parameters, **QUIET).fit(X, y)


def test_missing_values_are_found_in_their_chunk(backend: str) -> None:
    bad = X.copy()
    bad[450, 2] = np.inf
    with pytest.raises(NonFiniteData, match="X contains infinity: 1 value.*in chunk .*column 2"):
        RidgeClassifier(**QUIET).fit(chunked(bad, 3), chunked(LABELS["four"], 3))
