"""The worst group decides: optima of SciPy, certificates, and what is told of the groups."""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

from daskml_dist import load, save
from daskml_dist.errors import InvalidData, UnsupportedCombination, UnsupportedParameter
from daskml_dist.linear_model import (
    LogisticRegression,
    MinimaxClassifier,
    MinimaxRegressor,
    PoissonRegressor,
    Ridge,
)
from daskml_dist.risks import ChiSquare, CVaR, Risk, WorstGroup
from tests.linear_model.problems import chunked

N, P, G = 900, 4, 5
SCALES = 10.0 ** np.array([-2, 0, 1, 2])
MODELS: list[Any] = [
    MinimaxClassifier(alpha=1e-2, tol=1e-10, verbose=0),
    MinimaxRegressor(alpha=1e-2, tol=1e-10, verbose=0),
    MinimaxRegressor(loss="poisson", alpha=1e-2, tol=1e-10, verbose=0),
    MinimaxRegressor(loss="gamma", alpha=1e-2, tol=1e-10, verbose=0),
]
every_model = pytest.mark.parametrize("model", MODELS, ids=lambda m: getattr(m, "loss", "logistic"))


pytestmark = pytest.mark.few_clusters


@cache
def data(seed: int = 0) -> dict[str, Any]:
    """Groups of unequal sizes that disagree about the coefficients, on raw scales, and weights."""
    rng = np.random.default_rng(seed)
    group = rng.choice(G, N, p=[0.5, 0.2, 0.15, 0.1, 0.05])
    raw = rng.standard_normal((N, P))
    z = 0.5 * np.einsum("ij,ij->i", raw, (rng.standard_normal((G, P)) + 0.5)[group]) + 0.3 * group - 0.5
    return {
        "X": (raw + 2.0) * SCALES,
        "group": group,
        "names": np.array(list("edcba"))[group],
        "labels": (rng.random(N) < 1 / (1 + np.exp(-z))).astype(int),
        "reals": 3.0 + z + 0.5 * rng.standard_normal(N),
        "counts": rng.poisson(np.exp(0.5 * z)).astype(float),
        "amounts": rng.gamma(2.0, np.exp(0.3 * z)),
        "weight": rng.random(N) + 0.1,
    }


def target(model: Any) -> np.ndarray:
    loss = getattr(model, "loss", "logistic")
    kinds = {"logistic": "labels", "squared_error": "reals", "poisson": "counts", "gamma": "amounts"}
    return np.asarray(data()[kinds[loss]])


def losses_of(model: Any, theta: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(G,) penalised mean losses and (G, p + 1) gradients, in units of the scales, written once more."""
    given, y = data(), target(model)
    x = np.column_stack([given["X"] / SCALES - 2.0, np.ones(N)])
    z = x @ theta
    value, slope = {
        "logistic": lambda: (np.logaddexp(0, z) - y * z, 1 / (1 + np.exp(-z)) - y),
        "squared_error": lambda: (0.5 * (y - z) ** 2, z - y),
        "poisson": lambda: (
            np.exp(z) - y * z + np.where(y > 0, y * np.log(np.maximum(y, 1)) - y, 0),
            np.exp(z) - y,
        ),
        "gamma": lambda: (z - np.log(y) + y * np.exp(-z) - 1, 1 - y * np.exp(-z)),
    }[getattr(model, "loss", "logistic")]()
    sums = np.stack([weight * (given["group"] == g) for g in range(G)])
    sums /= sums.sum(axis=1, keepdims=True)
    w = theta[:-1] / SCALES
    penalty, pull = 0.5 * model.alpha * w @ w, np.append(model.alpha * w / SCALES, 0.0)
    return sums @ value + penalty, (sums * slope) @ x + pull


def least(model: Any, weight: np.ndarray, shifts: np.ndarray | None = None) -> tuple[float, np.ndarray]:
    """min of max_i (J_i + shift_i), by SciPy's SLSQP on the epigraph; and theta."""
    shifts = np.zeros(G) if shifts is None else shifts

    def slack(u: np.ndarray) -> np.ndarray:
        return np.asarray(u[-1] - losses_of(model, u[:-1], weight)[0] - shifts)

    def slopes(u: np.ndarray) -> np.ndarray:
        return np.column_stack([-losses_of(model, u[:-1], weight)[1], np.ones(G)])

    start = np.zeros(P + 2)
    start[-1] = losses_of(model, start[:-1], weight)[0].max() + 1
    found = minimize(
        lambda u: u[-1],
        start,
        jac=lambda u: np.append(np.zeros(P + 1), 1.0),
        constraints={"type": "ineq", "fun": slack, "jac": slopes},
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 1000},
    )
    return float(found.fun), found.x[:-1]


def theta_of(model: Any) -> np.ndarray:
    w = np.ravel(model.coef_) * SCALES
    return np.append(w, np.ravel(model.intercept_) + w.sum() * 2.0)


@pytest.mark.thinned(3)
@every_model
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("pieces", [1, 3, 17])
def test_scipys_minimum(model: Any, weighted: bool, pieces: int, backend: str) -> None:
    weight = data()["weight"] if weighted else np.ones(N)
    parts = [data()["X"], target(model), weight, data()["names"]]
    if pieces > 1:
        parts = [chunked(part, pieces) for part in parts]
    model = type(model)(**model.get_params()).fit(parts[0], parts[1], parts[2], groups=parts[3])
    value, theta = least(model, weight)
    ours = losses_of(model, theta_of(model), weight)[0]
    assert ours.max() == pytest.approx(value, rel=1e-9)
    assert_allclose(theta_of(model), theta, atol=2e-5)
    assert model.gap_ <= 1e-10
    assert model.gap_kind_ == (
        "duality" if getattr(model, "loss", "") == "squared_error" else "self-concordance"
    )
    assert model.groups_.tolist() == list("abcde")
    penalty = 0.5 * model.alpha * float(np.square(model.coef_).sum())
    assert_allclose(model.group_losses_[::-1] + penalty, ours, rtol=1e-9)
    binding = set(model.binding_groups_.tolist())
    assert binding == {"edcba"[g] for g in np.flatnonzero(ours > value * (1 - 1e-7))}
    assert model.group_weights_.sum() == pytest.approx(1.0)


@pytest.mark.thinned(2)
@every_model
def test_the_certificate_is_never_below_the_truth(model: Any) -> None:
    value, _ = least(model, np.ones(N))
    for passes in (1, 2, 3):
        for seed in range(5):
            rough = type(model)(**{**model.get_params(), "max_iter": passes, "random_state": seed})
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("daskml_dist.solvers.group_start._SMALL_ELEMENTS", 0)
                patch.setattr("daskml_dist.solvers.group_start._ROWS", 200)
                patch.setattr("daskml_dist.solvers.group_start._ROWS_A_PARAMETER", 5)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", ConvergenceWarning)
                    rough.fit(data()["X"], target(model), groups=data()["group"])
            assert rough.n_passes_ <= passes
            ours = losses_of(model, theta_of(rough), np.ones(N))[0].max()
            true = (ours - value) / ours
            assert rough.gap_kind_ != "estimate" or passes == 1
            if rough.gap_kind_ != "estimate":
                assert true * (1 - 1e-6) - 1e-12 <= rough.gap_ <= 100 * max(true, 1e-12), (passes, seed)


def test_eight_groups_in_few_passes() -> None:
    rng = np.random.default_rng(0)
    n, p, groups = 100_000, 20, 8
    group = rng.integers(0, groups, n)
    X = rng.standard_normal((n, p))
    w = 0.4 * rng.standard_normal((groups, p)) + 0.3 * rng.standard_normal(p)
    y = rng.random(n) < 1 / (1 + np.exp(-np.einsum("ij,ij->i", X, w[group])))
    model = MinimaxClassifier(verbose=0).fit(X, y, groups=group)
    assert model.gap_ <= 1e-6
    assert model.gap_kind_ == "self-concordance"
    assert model.n_passes_ <= 4


@pytest.mark.parametrize(
    ("model", "usual"),
    [
        (MODELS[0], LogisticRegression(C=1 / (1e-2 * N), tol=1e-12, verbose=0)),
        (MODELS[1], Ridge(alpha=1e-2 * N, verbose=0)),
        (MODELS[2], PoissonRegressor(alpha=1e-2, tol=1e-12, verbose=0)),
    ],
    ids=["logistic", "squared", "poisson"],
)
def test_one_group_or_the_mean_is_ordinary_training(model: Any, usual: Any) -> None:
    X, y = data()["X"], target(model)
    expected = usual.fit(X, y)
    for changes, groups in (
        ({}, np.full(N, "all")),
        ({}, None),
        ({"risk": "mean"}, data()["group"]),
        ({"risk": CVaR(1.0)}, data()["group"]),
        ({"risk": ChiSquare(0.0)}, data()["group"]),
    ):
        found = type(model)(**{**model.get_params(), **changes}).fit(X, y, groups=groups)
        assert_allclose(np.ravel(found.coef_), np.ravel(expected.coef_), rtol=2e-4, atol=1e-9)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("risk", [CVaR(0.3), ChiSquare(0.2), ChiSquare(3.0)], ids=repr)
@every_model
def test_other_risks(model: Any, risk: Risk) -> None:
    """At the minimum the mean loss with the adversary's weights has no slope, and he can do no worse."""
    found = type(model)(**{**model.get_params(), "risk": risk}).fit(
        data()["X"], target(model), groups=data()["group"]
    )
    losses, slopes = losses_of(model, theta_of(found), np.ones(N))
    shares = np.bincount(data()["group"]) / N
    q = found.group_weights_
    assert q @ losses == pytest.approx(risk.value(losses, shares), rel=1e-8)
    assert np.abs(q @ slopes).max() < 1e-4 * np.abs(slopes).max()
    assert found.gap_ <= 1e-10


def test_regret() -> None:
    model = MODELS[0]
    X, y, group = data()["X"], target(model), data()["group"]
    found = MinimaxClassifier(**{**model.get_params(), "regret": True}).fit(X, y, groups=group)
    alone = []
    for g in range(G):
        rows = group == g
        C = 1 / (model.alpha * rows.sum())
        own = LogisticRegression(C=C, tol=1e-12, verbose=0).fit(X[rows], y[rows])
        alone.append(losses_of(model, theta_of(own), np.ones(N))[0][g])
    assert_allclose(found.group_minima_, alone, rtol=1e-8)
    value, _ = least(model, np.ones(N), -np.array(alone))
    ours = losses_of(model, theta_of(found), np.ones(N))[0] - alone
    assert ours.max() == pytest.approx(value, rel=1e-6)
    assert ours.max() < (losses_of(model, least(model, np.ones(N))[1], np.ones(N))[0] - alone).max()


def test_group_offsets() -> None:
    model, offsets = MODELS[1], {"a": 0.5, "e": -0.25}
    found = MinimaxRegressor(**{**model.get_params(), "group_offsets": offsets})
    found.fit(data()["X"], target(model), groups=data()["names"])
    value, _ = least(model, np.ones(N), np.array([-0.25, 0, 0, 0, 0.5]))
    ours = losses_of(model, theta_of(found), np.ones(N))[0] + np.array([-0.25, 0, 0, 0, 0.5])
    assert ours.max() == pytest.approx(value, rel=1e-9)
    with pytest.raises(InvalidData, match=r"names groups that no row with weight belongs to: \['z'\]"):
        found.set_params(group_offsets={"z": 1.0}).fit(data()["X"], target(model), groups=data()["names"])


def test_partitions_and_workers_are_groups(client: Any) -> None:
    X, y = data()["X"], target(MODELS[0])
    order = np.argsort(data()["group"], kind="stable")
    sizes = tuple(np.bincount(data()["group"]).tolist())
    parts = [da.from_array(part[order], chunks=(sizes, *((w,) for w in part.shape[1:]))) for part in (X, y)]
    by_column = MinimaxClassifier(**MODELS[0].get_params()).fit(X, y, groups=data()["group"])
    by_chunk = MinimaxClassifier(**MODELS[0].get_params()).fit(*parts)
    assert_allclose(by_chunk.coef_, by_column.coef_, rtol=1e-6)
    assert by_chunk.groups_.tolist() == list(range(G))
    held = [part.persist() for part in parts]
    by_worker = MinimaxClassifier(**{**MODELS[0].get_params(), "by": "worker"}).fit(*held)
    assert set(by_worker.groups_.tolist()) <= set(client.scheduler_info()["workers"])
    assert len(by_worker.groups_) == len(set(by_worker.groups_.tolist())) >= 1


@pytest.mark.thinned(2)
@every_model
def test_backends_give_the_same_bits(model: Any, client: Any) -> None:
    parts = [chunked(part, 17) for part in (data()["X"], target(model), data()["weight"], data()["names"])]
    first, second = (
        type(model)(**{**model.get_params(), "scheduler": place}).fit(
            parts[0], parts[1], parts[2], groups=parts[3]
        )
        for place in (client, "threads")
    )
    for name in ("coef_", "intercept_", "gap_", "group_weights_", "group_losses_"):
        assert np.asarray(getattr(first, name)).tobytes() == np.asarray(getattr(second, name)).tobytes(), name
    assert first.graph_ is not None and second.graph_ is None


def test_hard_groups() -> None:
    X, y, group = data()["X"], target(MODELS[1]), data()["group"].copy()
    fresh = {**MODELS[1].get_params(), "tol": 1e-8}
    single = group.copy()
    single[0] = 9
    found = MinimaxRegressor(**fresh).fit(X, y, groups=single)
    assert found.groups_.tolist() == [0, 1, 2, 3, 4, 9]
    twice = MinimaxRegressor(**fresh).fit(
        np.vstack([X, X]), np.append(y, y), groups=np.append(group, group + 9)
    )
    once = MinimaxRegressor(**fresh).fit(X, y, groups=group)
    assert_allclose(twice.coef_, once.coef_, rtol=1e-4)
    far = np.where(group == 2, y + 1e4, y)
    found = MinimaxRegressor(**fresh).fit(X, far, groups=group)
    assert found.gap_ <= 1e-8
    assert 2 in found.binding_groups_
    collinear = MinimaxRegressor(**fresh).fit(np.column_stack([X, X[:, 0] + X[:, 1]]), y, groups=group)
    assert collinear.group_losses_.max() == pytest.approx(once.group_losses_.max(), rel=1e-2)


def test_several_classes() -> None:
    rng = np.random.default_rng(1)
    y = np.array(["x", "y", "z"])[np.clip(data()["labels"] + (rng.random(N) < 0.3), 0, 2)]
    model = MinimaxClassifier(alpha=1e-2, tol=1e-8, verbose=0).fit(data()["X"], y, groups=data()["group"])
    usual = MinimaxClassifier(alpha=1e-2, tol=1e-8, risk="mean", verbose=0)
    usual.fit(data()["X"], y, groups=data()["group"])
    assert model.coef_.shape == (3, P)
    assert model.gap_ <= 1e-8
    assert model.group_losses_.max() < usual.group_losses_.max()
    assert model.predict_proba(data()["X"]).shape == (N, 3)


def test_bad_input() -> None:
    X, y, group = data()["X"], target(MODELS[0]), data()["group"]
    model = MinimaxClassifier(verbose=0)
    some = group != 1
    found = model.fit(X, y, some.astype(float), groups=group)
    assert found.groups_.tolist() == [0, 2, 3, 4]
    fewer = MinimaxClassifier(verbose=0).fit(X[some], y[some], groups=group[some])
    assert_allclose(found.coef_, fewer.coef_, rtol=1e-4)
    with pytest.raises(InvalidData, match="groups"):
        model.fit(X, y, groups=group[:-1])
    with pytest.raises(ValueError, match="NaN|missing"):
        model.fit(X, y, groups=np.where(group == 1, np.nan, group))
    with pytest.raises(UnsupportedCombination, match="900 groups with 251 parameters.*solver='bundle'"):
        MinimaxClassifier(solver="group-newton", verbose=0).fit(
            np.random.default_rng(0).standard_normal((N, 250)), y, groups=np.arange(N)
        )
    for changes, words in (
        ({"risk": "best"}, "expected 'worst-group', 'mean', or one of"),
        ({"by": "row"}, "expected 'partition' or 'worker'"),
        ({"group_offsets": [1.0]}, "expected a dict of group and number"),
        ({"group_offsets": {0: np.nan}}, "expected finite numbers"),
        ({"alpha": -1.0}, "alpha must be"),
        ({"regret": 1}, "expected True or False"),
    ):
        with pytest.raises(UnsupportedParameter, match=words):
            MinimaxClassifier(verbose=0, **changes).fit(X, y, groups=group)
    with pytest.raises(UnsupportedParameter, match="expected one of 'squared_error', 'poisson', 'gamma'"):
        MinimaxRegressor(loss="absolute").fit(X, y)
    with pytest.raises(UnsupportedCombination, match="no checkpoint is kept"):
        MinimaxClassifier(regret=True, checkpoint="here").fit(X, y, groups=group)


def test_a_fit_goes_on_from_its_checkpoint(tmp_path: Any) -> None:
    parameters = {**MODELS[0].get_params(), "checkpoint": str(tmp_path), "tol": 1e-13}
    X, y, group = data()["X"], target(MODELS[0]), data()["group"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("daskml_dist.solvers.group_start._SMALL_ELEMENTS", 0)
        patch.setattr("daskml_dist.solvers.group_start._ROWS", 200)
        patch.setattr("daskml_dist.solvers.group_start._ROWS_A_PARAMETER", 5)
        whole = MinimaxClassifier(**{**parameters, "checkpoint": None}).fit(X, y, groups=group)
        with pytest.warns(match="did not reach tol"):
            MinimaxClassifier(**{**parameters, "max_iter": 1}).fit(X, y, groups=group)
        rest = MinimaxClassifier(**parameters).fit(X, y, groups=group)
    assert whole.n_passes_ >= 2
    assert rest.n_passes_ == whole.n_passes_
    assert_allclose(rest.coef_, whole.coef_, rtol=1e-6)


def test_a_mean_is_caught() -> None:
    """A lie: ordinary training in place of the worst group."""
    model = MODELS[0]
    lie = MinimaxClassifier(**{**model.get_params(), "risk": "mean"}).fit(
        data()["X"], target(model), groups=data()["group"]
    )
    value, _ = least(model, np.ones(N))
    assert losses_of(model, theta_of(lie), np.ones(N))[0].max() > value * 1.001
    assert WorstGroup().value(lie.group_losses_, np.full(G, 0.2)) > value


@pytest.mark.parametrize("risk", [CVaR(0.5), ChiSquare(0.1), "mean"], ids=str)
def test_a_model_with_a_risk_is_saved(risk: Any, tmp_path: Path) -> None:
    X = np.random.default_rng(0).standard_normal((300, 3))
    model = MinimaxClassifier(risk=risk).fit(X, X[:, 0] > 0, groups=np.arange(300) % 3)
    save(model, str(tmp_path / "model"))
    again = load(str(tmp_path / "model"))
    assert again.risk == risk
    np.testing.assert_array_equal(again.coef_, model.coef_)
