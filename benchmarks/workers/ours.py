"""A fit of daskml_dist."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.workers.measure import Reply, Request, measured, serve


def prepare() -> None:
    """Import what a large fit imports late; the peers import all of theirs at the beginning."""
    from daskml_dist.kernels import compiled_sweep

    compiled_sweep.prepare()


def estimator(request: Request) -> Any:
    """The model that the request asks for."""
    from daskml_dist.linear_model import (
        LogisticRegression,
        LogisticRegressionCV,
        PoissonRegressor,
        SGDClassifier,
    )

    if request["family"] == "logistic, stochastic":
        return SGDClassifier(
            "log_loss",
            alpha=request["alpha"],
            max_iter=request["epochs"],
            tol=None,
            verbose=0,
            **request["settings"],
        )
    common = {"solver": request.get("solver", "auto"), "tol": request.get("tol", 1e-6), "verbose": 0}
    if request["family"] == "logistic, cross-validated":
        return LogisticRegressionCV(Cs=request["Cs"], cv=request["folds"], scoring="neg_log_loss", **common)
    if request["family"] == "poisson":
        return PoissonRegressor(alpha=request["alpha"], **common)
    return LogisticRegression(C=inverse(request), **common)


def inverse(request: Request) -> float:
    """C: the penalty alpha |w|^2 / 2 on the mean is |w|^2 / 2 on C times the sum."""
    return float("inf") if request["alpha"] == 0.0 else 1.0 / (request["alpha"] * request["rows"])


def told(model: Any) -> Reply:
    """What a fitted model says of itself."""
    grid = {"claimed_gap": model.worst_gap_, **grid_of(model)} if "Cs_" in vars(model) else {}
    return {
        "coef": np.ravel(model.coef_).tolist(),
        "intercept": float(np.ravel(model.intercept_)[0]),
        "passes": model.n_passes_,
        "unit": "passes",
        "claimed_gap": model.gap_,
        "gap_kind": model.gap_kind_,
        "history": model.history_,
    } | grid


def grid_of(model: Any) -> Reply:
    """Coefficients and scores of a cross-validated model, and the C it chose."""
    (paths,), (scores,) = model.coefs_paths_.values(), model.scores_.values()
    shape = (*scores.shape[:2], -1)
    return {
        "paths": paths.reshape(shape).tolist(),
        "scores": scores.reshape(shape[:2]).tolist(),
        "C": float(model.C_[0]),
    }


@dataclass
class Asked:
    """Rounds of questions, and steps that were made in them or by them."""

    rounds: int = 0
    steps: int = 0


@contextmanager
def counted() -> Iterator[Asked]:
    """Count what a cluster is asked by all fits within: a minibatch is a step, local steps are several."""
    from daskml_dist.cluster.on_dask import OnDask
    from daskml_dist.kernels import LocalSteps, MiniBatch

    seen, answer = Asked(), OnDask.answer

    def counting(self: Any, question: Any) -> Any:
        seen.rounds += 1
        kernel = question.kernel
        if isinstance(kernel, MiniBatch):
            seen.steps += 1
        elif isinstance(kernel, LocalSteps):
            seen.steps += kernel.steps
        return answer(self, question)

    with mock.patch.object(OnDask, "answer", counting):
        yield seen


def in_memory(request: Request) -> Reply:
    """Threads of this process, on arrays in its memory."""
    folder = Path(request["folder"])
    X, y = np.load(folder / "X.npy"), np.load(folder / "y.npy")
    prepare()
    estimator(request).fit(X[:2000], y[:2000])
    model = estimator(request)
    with measured(request) as found:
        model.fit(X, y)
    return {**found, **told(model)}


def on_cluster(request: Request) -> Reply:
    """Two workers of one thread each, on data they hold."""
    from benchmarks.workers import on_cluster as cluster

    with cluster.client() as client:
        lazy = [cluster.lazy(request["folder"], name, request["chunk_rows"]) for name in ("X", "y")]
        X, y = cluster.persisted(*lazy)
        client.run(prepare)
        estimator(request).fit(X[:2000], y[:2000])
        cluster.count_tasks(client)
        model = estimator(request)
        with counted() as seen, measured(request, lambda: cluster.worker_pids(client)) as found:
            model.fit(X, y)
        steps = {"rounds": seen.rounds, "steps": seen.steps}
        return {**found, **told(model), **steps, "tasks": cluster.tasks_so_far(client)}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    serve(lambda request: {"memory": in_memory, "cluster": on_cluster}[request["where"]](request))
