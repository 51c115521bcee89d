"""Workers are killed while models are fitted: the bits and the number of passes must not change."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from distributed import Client

from daskml_dist.linear_model import LogisticRegression, PoissonRegressor, Ridge
from tests.cluster.nemesis import Nemesis, own_cluster, seeded

KILLS = int(os.environ.get("CHAOS_KILLS", "20"))


def logistic(scheduler: Any) -> LogisticRegression:
    X, labels, _ = seeded(60_000, 5_000)
    return LogisticRegression(verbose=0, solver="lbfgs", tol=1e-13, scheduler=scheduler).fit(X, labels)


def poisson(scheduler: Any) -> PoissonRegressor:
    X, _, counts = seeded(60_000, 5_000)
    return PoissonRegressor(verbose=0, solver="lbfgs", tol=1e-13, scheduler=scheduler).fit(X, counts)


def ridge(scheduler: Any) -> Ridge:
    X, _, counts = seeded(60_000, 5_000)
    return Ridge(verbose=0, scheduler=scheduler).fit(X, counts)


def told(model: Any) -> tuple[bytes, bytes, int, float]:
    """Everything that must not change."""
    return (
        np.asarray(model.coef_).tobytes(),
        np.asarray(model.intercept_).tobytes(),
        model.n_passes_,
        float(model.gap_),
    )


def survive(model: Callable[[Any], Any], kills: int, seed: int) -> None:
    """Fit again and again until that many workers were killed."""
    expected = told(model("threads"))
    with own_cluster() as cluster, Client(cluster) as client:
        assert told(model(client)) == expected, "undisturbed"
        with Nemesis(client, seed, 0.2, 1.5) as nemesis:
            fits = 0
            while nemesis.kills < kills:
                assert told(model(client)) == expected, (fits, nemesis.kills)
                fits += 1


@pytest.mark.timeout(600)
@pytest.mark.parametrize("model", [logistic, poisson], ids=lambda model: model.__name__)
def test_three_deaths_leave_no_trace(model: Callable[[Any], Any]) -> None:
    survive(model, 3, seed=0)


@pytest.mark.chaos
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("model", [logistic, poisson, ridge], ids=lambda model: model.__name__)
def test_many_deaths_leave_no_trace(model: Callable[[Any], Any], seed: int) -> None:
    survive(model, max(KILLS // 2, 1), seed)
