"""Logistic regression with an L1 penalty: scikit-learn's optimum, few passes, a gap that holds."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn import linear_model as sk

from daskml_dist.errors import UnsupportedParameter
from daskml_dist.linear_model import LogisticRegression
from tests.linear_model.problems import data

DATA = data()
X = (DATA.X - DATA.X.mean(axis=0)) / DATA.X.std(axis=0) + 0.5
TIGHT: dict[str, Any] = {"tol": 1e-14, "verbose": 0}
OPTIONS: list[dict[str, Any]] = [
    {"C": 0.05, "l1_ratio": 1.0},
    {"C": 10.0, "l1_ratio": 1.0},
    {"C": 0.05, "l1_ratio": 0.5},
    {"C": 0.02, "l1_ratio": 0.9, "class_weight": "balanced"},
    {"C": 0.05, "l1_ratio": 1.0, "fit_intercept": False},
]


def theirs(options: dict[str, Any], X: np.ndarray, y: np.ndarray, weight: Any = None) -> Any:
    model = sk.LogisticRegression(solver="saga", tol=1e-14, max_iter=100_000, random_state=0, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X, y, weight)


def assert_same(model: Any, other: Any) -> None:
    assert_allclose(model.coef_, other.coef_, rtol=1e-6, atol=1e-8)
    assert_allclose(model.intercept_, other.intercept_, rtol=1e-6)
    assert ((model.coef_ == 0.0) == (other.coef_ == 0.0)).all()


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_scikit_learns_optimum(options: dict[str, Any], weighted: bool) -> None:
    weight = DATA.weight if weighted else None
    model = LogisticRegression(**options, **TIGHT).fit(X, DATA.labels, weight)
    assert_same(model, theirs(options, X, DATA.labels, weight))


def objective(X: np.ndarray, y: np.ndarray, model: Any) -> float:
    z = (X @ model.coef_[0] + model.intercept_[0]).astype(np.longdouble)
    w = model.coef_[0]
    loss = (np.logaddexp(0, z) - y * z).sum() * model.C
    return loss + model.l1_ratio * np.abs(w).sum() + (1 - model.l1_ratio) / 2 * (w @ w)


@pytest.mark.parametrize("C", [1e-3, 1e-2, 1.0])
@pytest.mark.parametrize("correlation", [0.0, 0.95])
def test_few_passes_and_a_gap_that_holds(correlation: float, C: float) -> None:
    """1,000 rows a feature, where saga needs tens to thousands of epochs."""
    rng = np.random.default_rng(3)
    rows, p = 30_000, 30
    wide = rng.standard_normal((rows, p))
    for j in range(1, p):
        wide[:, j] = correlation * wide[:, j - 1] + np.sqrt(1 - correlation**2) * wide[:, j]
    y = rng.random(rows) < 1 / (1 + np.exp(-wide[:, :8] @ rng.standard_normal(8)))
    model = LogisticRegression(C=C, l1_ratio=1.0, verbose=0).fit(wide, y)
    tight = LogisticRegression(C=C, l1_ratio=1.0, max_iter=30, **TIGHT).fit(wide, y)
    true = float(objective(wide, y, model) / objective(wide, y, tight) - 1)
    assert model.n_passes_ <= 4
    assert true < 1e-6
    if model.gap_kind_ != "estimate":
        assert true <= model.gap_
    assert 0 < (tight.coef_ != 0).sum() < p or C == 1.0


def test_a_penalty_that_leaves_nothing() -> None:
    model = LogisticRegression(C=1e-6, l1_ratio=1.0, **TIGHT).fit(X, DATA.labels)
    share = DATA.labels.mean()
    assert (model.coef_ == 0.0).all()
    assert_allclose(model.intercept_, np.log(share / (1 - share)), rtol=1e-9)


def test_separated_classes_have_a_finite_optimum() -> None:
    y = (X[:, 0] > 0.5).astype(int)
    model = LogisticRegression(C=1.0, l1_ratio=1.0, **TIGHT).fit(X, y)
    assert_same(model, theirs({"C": 1.0, "l1_ratio": 1.0}, X, y))


@pytest.mark.parametrize("share", [-0.1, 1.1, np.nan, "all"])
def test_a_share_is_from_0_to_1(share: Any) -> None:
    with pytest.raises(UnsupportedParameter, match="l1_ratio="):
        LogisticRegression(l1_ratio=share, verbose=0).fit(X, DATA.labels)


def test_lbfgs_refuses_it() -> None:
    with pytest.raises(ValueError, match="solver='lbfgs' needs a smooth penalty"):
        LogisticRegression(l1_ratio=1.0, solver="lbfgs", verbose=0).fit(X, DATA.labels)
