"""Certified and published fits, and statsmodels as a second reference."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from daskml_dist.linear_model import LinearRegression, LogisticRegression, PoissonRegressor
from tests.linear_model.problems import chunked, data

# digits of the worst coefficient; fewer where the conditioning of the powers of x allows no more
DIGITS = {"norris": 12, "noint1": 14, "longley": 12, "wampler1": 8.5, "wampler2": 12, "wampler4": 7.5}


def _nist(folder: Path, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
    certified = json.loads((folder / "certified.json").read_text())[name]
    frame = pd.read_csv(folder / certified["file"]).astype(float)
    y, X = frame.pop("y").to_numpy(), frame.to_numpy()
    if name.startswith("wampler"):
        X = X ** np.arange(1, 6)
    expected = np.array([float(value) for value in certified["params"].values()])
    return X, y, expected, name != "noint1"


@pytest.mark.parametrize("pieces", [1, 4])
@pytest.mark.parametrize("name", DIGITS)
def test_certified_least_squares(name: str, pieces: int, shared_data: Path) -> None:
    X, y, expected, intercept = _nist(shared_data / "nist-strd", name)
    given = (X, y) if pieces == 1 else (chunked(X, pieces), chunked(y, pieces))
    model = LinearRegression(fit_intercept=intercept, verbose=0).fit(*given)
    found = np.append(model.intercept_, model.coef_) if intercept else model.coef_
    digits = -np.log10(np.maximum(np.abs(found / expected - 1), 1e-17))
    assert digits.min() >= DIGITS[name], digits
    assert model.n_passes_ == 1


def _published(folder: Path, name: str) -> tuple[dict[str, Any], pd.DataFrame]:
    entry = json.loads((folder / "reference.json").read_text())[name]
    return entry, pd.read_csv(folder / entry["file"])


def _as_printed(model: Any, entry: dict[str, Any], slack: float) -> None:
    found = [*np.ravel(model.coef_), float(np.ravel(model.intercept_)[0])]
    names = [*entry["columns"], "const"]
    for name, value in zip(names, found, strict=True):
        assert value == pytest.approx(entry["refit"]["params"][name], rel=1e-7), name
        assert value == pytest.approx(entry["published"]["params"][name], rel=slack), name


def test_published_poisson(shared_data: Path, backend: str) -> None:
    entry, frame = _published(shared_data / "glm-reference", "cpunish")
    X, y = frame[entry["columns"]].to_numpy(), frame["y"].to_numpy()
    model = PoissonRegressor(alpha=0.0, tol=1e-14, verbose=0).fit(chunked(X, 3), chunked(y, 3))
    _as_printed(model, entry, 2 * entry["max_relative_difference"]["params"])
    explained = 1 - entry["published"]["deviance"] / entry["published"]["null_deviance"]
    assert model.score(X, y) == pytest.approx(explained, rel=1e-9)


def test_published_binary_logistic(shared_data: Path) -> None:
    entry, frame = _published(shared_data / "glm-reference", "lbw")
    model = LogisticRegression(C=np.inf, tol=1e-14, verbose=0).fit(frame[entry["columns"]], frame["y"])
    _as_printed(model, entry, 2 * entry["max_relative_difference"]["params"])


def test_published_grouped_logistic(shared_data: Path) -> None:
    entry, frame = _published(shared_data / "glm-reference", "star98")
    X = frame[entry["columns"]].to_numpy(float)
    both, y = np.concatenate([X, X]), np.repeat([1, 0], len(X))
    weight = np.concatenate([frame["NABOVE"], frame["NBELOW"]]).astype(float)
    model = LogisticRegression(C=np.inf, tol=1e-15, verbose=0)
    model.fit(chunked(both, 5), chunked(y, 5), chunked(weight, 5))
    _as_printed(model, entry, 1e-6)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_statsmodels_poisson_with_exposure(intercept: bool, weighted: bool, backend: str) -> None:
    given = data()
    X = (given.X / given.X.std(axis=0))[:, :4]
    exposure = np.exp(given.offset)
    y = np.random.default_rng(3).poisson(exposure * np.exp(0.3 * X[:, 0] - 0.2))
    weight = given.weight if weighted else None
    design = sm.add_constant(X) if intercept else X
    family = sm.families.Poisson()
    theirs = sm.GLM(y, design, family=family, exposure=exposure, freq_weights=weight).fit(
        tol=1e-14, maxiter=200
    )
    model = PoissonRegressor(alpha=0.0, fit_intercept=intercept, tol=1e-14, verbose=0)
    cut = None if weight is None else chunked(weight, 4)
    model.fit(chunked(X, 4), chunked(y, 4), cut, offset=np.log(exposure))
    ours = np.append(model.intercept_, model.coef_) if intercept else model.coef_
    np.testing.assert_allclose(ours, theirs.params, rtol=1e-8)
