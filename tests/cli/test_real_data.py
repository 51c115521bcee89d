"""Real files as they come: beside scikit-learn on the same training rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import mean_poisson_deviance, r2_score

from daskml_dist import load
from daskml_dist.cli import Encoding
from daskml_dist.cli.heldout import HeldOut


def _fitted(out: Path) -> tuple[object, Encoding]:
    return load(str(out)), Encoding.load(str(out))


def _parts(path: Path, target: str, **options: object) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training and held-out rows of a file that is one piece."""
    table = pd.read_csv(path, low_memory=False, **options)
    held_out = HeldOut(0.2, 0).draw(0, len(table))
    known = table[target].notna()
    return table[known & ~held_out], table[known & held_out]


def _close(ours: np.ndarray, theirs: np.ndarray) -> None:
    assert np.linalg.norm(ours - theirs) <= 1e-6 * np.linalg.norm(theirs)


def test_adult(shared_data: Path, tmp_path: Path, run: Callable) -> None:
    path = shared_data / "adult" / "adult.data.csv.gz"
    ran = run(
        "fit", path, "--target", "income", "--na-values", "?", "--missing", "impute", "--tol", 1e-12,
        "--out", tmp_path / "model",
    )  # fmt: skip
    assert ran.code == 0
    assert "imputed: workclass (1,836), occupation (1,843)" in " ".join(ran.out.split())
    model, encoding = _fitted(tmp_path / "model")
    train, test = _parts(path, "income", na_values="?")
    X = encoding.features(train)
    reference = LogisticRegression(solver="newton-cholesky", tol=1e-12, max_iter=1000).fit(X, train["income"])
    ours = model.decision_function(encoding.features(test))
    np.testing.assert_allclose(
        ours, reference.decision_function(encoding.features(test)), rtol=1e-5, atol=1e-6
    )
    assert f"{reference.score(encoding.features(test), test['income']):.4f}" in ran.out
    _close(model.coef_, reference.coef_)


@pytest.mark.slow
def test_fremtpl2(shared_data: Path, tmp_path: Path, run: Callable) -> None:
    path = shared_data / "fremtpl2" / "freMTPL2freq.csv.gz"
    ran = run(
        "fit", path, "--target", "ClaimNb", "--model", "poisson", "--exposure", "Exposure", "--drop", "IDpol",
        "--alpha", 1e-4, "--tol", 1e-10, "--out", tmp_path / "model",
    )  # fmt: skip
    assert ran.code == 0
    model, encoding = _fitted(tmp_path / "model")
    train, test = _parts(path, "ClaimNb")
    mu = model.predict(encoding.features(test)) * test["Exposure"]
    assert f"{mean_poisson_deviance(test['ClaimNb'], mu):.4f}" in ran.out
    # 46 features, some of them nearly dependent: the optimum is known by its score being zero
    X = encoding.features(train).to_numpy()
    residual = train["ClaimNb"].to_numpy() - model.predict(encoding.features(train)) * train["Exposure"]
    score = X.T @ residual.to_numpy() / len(X) - 1e-4 * model.coef_
    assert np.abs(score / (1.0 + np.abs(X).mean(axis=0))).max() < 1e-6


@pytest.mark.slow
def test_hflights(shared_data: Path, tmp_path: Path, run: Callable) -> None:
    path = shared_data / "hflights" / "hflights.csv.gz"
    ran = run(
        "fit", path, "--target", "ArrDelay", "--drop", "TailNum,CancellationCode,ActualElapsedTime,Cancelled",
        "--missing", "impute", "--out", tmp_path / "model",
    )  # fmt: skip
    assert ran.code == 0
    assert "left out: 3,622 rows without ArrDelay" in ran.out
    model, encoding = _fitted(tmp_path / "model")
    train, test = _parts(path, "ArrDelay")
    reference = Ridge(alpha=1.0, solver="cholesky").fit(encoding.features(train), train["ArrDelay"])
    _close(model.coef_, reference.coef_)
    predicted = model.predict(encoding.features(test))
    assert f"{r2_score(test['ArrDelay'], predicted):.4f}" in ran.out


@pytest.mark.slow
def test_stations_are_files(shared_data: Path, run: Callable) -> None:
    """Twelve files, one of which has a field of a single blank in a column of numbers."""
    ran = run(
        "fit", shared_data / "beijing-air-quality" / "*.csv.gz", "--target", "PM2.5", "--drop", "No",
        "--missing", "impute",
    )  # fmt: skip
    assert ran.code == 0
    assert "in 12 partitions" in ran.out
    assert "SO2 is taken for text" not in ran.out


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_climate_file(shared_data: Path, run: Callable) -> None:
    path = shared_data / "era5-canadian-cities" / "daily_surface_cancities_1990-1993.nc"
    ran = run("fit", path, "--target", "tas", "--missing", "impute", "--blocksize", "50kB")
    assert ran.code == 0
    assert "r2" in ran.out
