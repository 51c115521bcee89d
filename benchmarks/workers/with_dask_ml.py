"""A fit of dask-ml, in the environment that it needs."""

from __future__ import annotations

import warnings
from typing import Any
from unittest import mock

import numpy as np
from dask_ml.linear_model import LogisticRegression
from dask_ml.model_selection import GridSearchCV
from dask_ml.wrappers import Incremental
from distributed import Client
from sklearn.linear_model import LogisticRegression as InMemory
from sklearn.linear_model import SGDClassifier

from benchmarks.workers import on_cluster as cluster
from benchmarks.workers.measure import Reply, Request, measured, serve


class Incremented:
    """dask-ml's Incremental around scikit-learn's SGDClassifier, so many times over the chunks."""

    def __init__(self, epochs: int, alpha: float) -> None:
        inner = SGDClassifier("log_loss", alpha=alpha, random_state=0)
        self.epochs, self.outer = epochs, Incremental(inner, assume_equal_chunks=True)

    def fit(self, X: Any, y: Any) -> None:
        """An epoch after the other."""
        for _ in range(self.epochs):
            self.outer.partial_fit(X, y, classes=[0, 1])
        self.best_estimator_ = self.outer.estimator_


def estimator(request: Request) -> Any:
    """The model that the request asks for; admm has tolerances of its own names."""
    if request["family"] == "logistic, cross-validated":
        inner = InMemory(solver=request["solver"], tol=request["tol"], max_iter=100_000)
        grid = {"C": request["Cs"]}
        return GridSearchCV(inner, grid, cv=request["folds"], scoring="neg_log_loss", refit=True)
    if request["family"] == "logistic, stochastic":
        return Incremented(request["epochs"], request["alpha"])
    tol = request["tol"]
    own = {"reltol": tol, "abstol": 1e-2 * tol} if request["solver"] == "admm" else None
    C = 1.0 / (request["alpha"] * request["rows"])
    return LogisticRegression(solver=request["solver"], tol=tol, C=C, max_iter=100_000, solver_kwargs=own)


def fit(request: Request) -> Reply:
    """Two workers of one thread each, on data they hold; graph executions are counted at the client."""
    executions = 0

    def counted(call: Any) -> Any:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            nonlocal executions
            executions += 1
            return call(*args, **kwargs)

        return wrapper

    with cluster.client() as client:
        lazy = [cluster.lazy(request["folder"], name, request["chunk_rows"]) for name in ("X", "y")]
        X, y = cluster.persisted(*lazy)
        warm = cluster.persisted(X[:2000].rechunk((1000, -1)), y[:2000].rechunk(1000))
        estimator({**request, "tol": 1e-1}).fit(*warm)
        cluster.count_tasks(client)
        model = estimator(request)
        with (
            mock.patch.object(Client, "get", counted(Client.get)),
            mock.patch.object(Client, "persist", counted(Client.persist)),
            measured(request, lambda: cluster.worker_pids(client)) as found,
        ):
            model.fit(X, y)
        best = getattr(model, "best_estimator_", model)
        return {
            **found,
            "coef": np.ravel(best.coef_).tolist(),
            "intercept": float(np.ravel(best.intercept_)[0]),
            "C": getattr(best, "C", None),
            "passes": executions,
            "unit": "graph executions",
            "tasks": cluster.tasks_so_far(client),
        }


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    serve(fit)
