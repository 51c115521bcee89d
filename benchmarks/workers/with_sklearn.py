"""A fit of scikit-learn."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, PoissonRegressor, SGDClassifier

from benchmarks.counting import evaluations
from benchmarks.workers.measure import Reply, Request, measured, serve
from benchmarks.workers.ours import grid_of, inverse


def estimator(request: Request) -> Any:
    """The model that the request asks for."""
    if request["family"] == "logistic, stochastic":
        alpha, epochs = request["alpha"], request["epochs"]
        return SGDClassifier("log_loss", alpha=alpha, max_iter=epochs, tol=None, random_state=0)
    common = {"solver": request["solver"], "tol": request["tol"], "max_iter": 100_000}
    if request["family"] == "logistic, cross-validated":
        return LogisticRegressionCV(
            Cs=request["Cs"],
            cv=request["folds"],
            scoring="neg_log_loss",
            l1_ratios=(0.0,),
            use_legacy_attributes=True,
            n_jobs=request["cores"],
            **common,
        )
    if request["family"] == "poisson":
        return PoissonRegressor(alpha=request["alpha"], **common)
    return LogisticRegression(C=inverse(request), random_state=0, **common)


def fit(request: Request) -> Reply:
    """On arrays in memory, with as many threads of BLAS as there are cores."""
    folder = Path(request["folder"])
    X, y = np.load(folder / "X.npy"), np.load(folder / "y.npy")
    estimator({**request, "tol": 1e-2}).fit(X[:2000], y[:2000])
    model = estimator(request)
    with evaluations() as seen, measured(request) as found:
        model.fit(X, y)
    return {
        **found,
        "coef": np.ravel(model.coef_).tolist(),
        "intercept": float(np.ravel(model.intercept_)[0]),
        "passes": seen.total or int(np.ravel(model.n_iter_)[0]),
        "unit": "evaluations" if seen.total else "epochs",
    } | (grid_of(model) if "Cs_" in vars(model) else {})


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    serve(fit)
