"""The minimax estimators by each of their solvers: SciPy's optimum, the same bits anywhere, and refusals."""

from __future__ import annotations

import warnings
from typing import Any

import dask.array as da
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning

from daskml_dist.errors import CheckpointInvalid, UnsupportedCombination, UnsupportedParameter
from daskml_dist.linear_model import LogisticRegression, MinimaxClassifier, MinimaxRegressor
from daskml_dist.risks import CVaR
from tests.linear_model.problems import chunked
from tests.linear_model.test_minimax import G, N, data, least, losses_of, target, theta_of

NEW = ["bundle", "exponentiated-gradient", "group-dro"]
TOLERANCES = {"bundle": 1e-6, "exponentiated-gradient": 1e-2, "group-dro": 1e-2}
#: of the risk, where groups are small
ACCURACY = {"bundle": 1e-6, "exponentiated-gradient": 1e-2, "group-dro": 0.1}
BITS = ("coef_", "intercept_", "gap_", "group_weights_", "group_losses_")
every_new = pytest.mark.parametrize("solver", NEW)


def fitted(model: Any, *parts: Any, **groups: Any) -> Any:
    """The fit of a baseline may end above its tolerance."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(*parts, **groups)


@pytest.fixture
def poor_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daskml_dist.solvers.group_start._SMALL_ELEMENTS", 0)
    monkeypatch.setattr("daskml_dist.solvers.group_start._ROWS", 200)
    monkeypatch.setattr("daskml_dist.solvers.group_start._ROWS_A_PARAMETER", 5)


@pytest.mark.thinned(2)
@every_new
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.usefixtures("poor_samples")
def test_scipys_minimum(solver: str, weighted: bool) -> None:
    weight = data()["weight"] if weighted else np.ones(N)
    for model in (
        MinimaxClassifier(alpha=1e-2, solver=solver, tol=TOLERANCES[solver], verbose=0),
        MinimaxRegressor(alpha=1e-2, solver=solver, tol=TOLERANCES[solver], verbose=0),
    ):
        fitted(model, data()["X"], target(model), weight, groups=data()["names"])
        value, _ = least(model, weight)
        ours = losses_of(model, theta_of(model), weight)[0]
        assert ours.max() == pytest.approx(value, rel=ACCURACY[solver])
        assert model.gap_kind_ == "duality"
        assert (ours.max() - value) / ours.max() <= model.gap_
        assert model.groups_.tolist() == list("abcde")
        assert model.group_weights_.sum() == pytest.approx(1.0)
        penalty = 0.5 * model.alpha * float(np.square(model.coef_).sum())
        assert_allclose(model.group_losses_[::-1] + penalty, ours, rtol=1e-9)


@every_new
def test_backends_give_the_same_bits(solver: str, client: Any) -> None:
    parts = [chunked(part, 5) for part in (data()["X"], data()["labels"], data()["weight"], data()["names"])]
    models = [
        fitted(
            MinimaxClassifier(solver=solver, tol=1e-4, max_iter=6, scheduler=place, verbose=0),
            *parts[:3],
            groups=parts[3],
        )
        for place in (client, "threads")
    ]
    for name in BITS:
        first, second = (np.asarray(getattr(model, name)) for model in models)
        assert first.tobytes() == second.tobytes(), name


def test_one_group_is_ordinary_training() -> None:
    X, y = data()["X"], data()["labels"]
    expected = LogisticRegression(C=1 / (1e-2 * N), tol=1e-12, verbose=0).fit(X, y)
    for risk in ("worst-group", "mean"):
        model = MinimaxClassifier(risk=risk, solver="bundle", alpha=1e-2, tol=1e-10, verbose=0)
        groups = np.zeros(N) if risk == "worst-group" else data()["group"]
        assert_allclose(model.fit(X, y, groups=groups).coef_, expected.coef_, rtol=2e-4, atol=1e-9)


@pytest.mark.usefixtures("poor_samples")
def test_the_bundle_knows_regret_and_offsets() -> None:
    X, y, names = data()["X"], data()["reals"], data()["names"]
    for changes in ({"regret": True}, {"group_offsets": {"a": 0.5, "e": -0.25}}, {"risk": CVaR(0.3)}):
        newton, bundle = (
            MinimaxRegressor(alpha=1e-2, solver=solver, tol=1e-9, verbose=0, **changes).fit(
                X, y, groups=names
            )
            for solver in ("group-newton", "bundle")
        )
        assert_allclose(bundle.group_losses_, newton.group_losses_, rtol=1e-4)
        assert bundle.gap_ <= 1e-9 and newton.gap_kind_ == "duality"


@pytest.mark.parametrize("solver", ["bundle", "exponentiated-gradient"])
def test_sparse_rows(solver: str) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((600, 12)) * (rng.random((600, 12)) < 0.3)
    y, group = (X[:, 0] + 0.5 * rng.standard_normal(600) > 0).astype(int), rng.integers(0, 3, 600)
    dense, sparse = (
        fitted(MinimaxClassifier(solver=solver, tol=1e-8, max_iter=20, verbose=0), rows, y, groups=group)
        for rows in (X, csr_array(X))
    )
    assert_allclose(sparse.coef_, dense.coef_, rtol=1e-3, atol=1e-4)


@pytest.mark.usefixtures("poor_samples")
def test_where_hessians_do_not_fit_the_bundle_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y, group = data()["X"], data()["labels"], data()["group"]
    monkeypatch.setattr("daskml_dist.solvers.group_newton.MOST_BYTES", 8 * G * 5**2 - 1)
    chosen, named = (
        MinimaxClassifier(solver=solver, verbose=0).fit(X, y, groups=group) for solver in ("auto", "bundle")
    )
    for name in BITS:
        assert np.asarray(getattr(chosen, name)).tobytes() == np.asarray(getattr(named, name)).tobytes(), name
    with pytest.raises(UnsupportedCombination, match="5 groups with 5 parameters.*Use solver='bundle'"):
        MinimaxClassifier(solver="group-newton").fit(X, y, groups=group)


@every_new
@pytest.mark.usefixtures("poor_samples")
def test_a_fit_goes_on_from_its_checkpoint(solver: str, tmp_path: Any) -> None:
    X, y, group = data()["X"], data()["labels"], data()["group"]
    settings = {"alpha": 1e-2, "tol": TOLERANCES[solver], "solver": solver, "verbose": 0}
    short = MinimaxClassifier(**settings, max_iter=3, checkpoint=str(tmp_path))
    fitted(short, X, y, groups=group)
    rest = fitted(MinimaxClassifier(**settings, checkpoint=str(tmp_path)), X, y, groups=group)
    assert rest.n_passes_ >= short.n_passes_
    ours = losses_of(rest, theta_of(rest), np.ones(N))[0].max()
    assert ours == pytest.approx(least(rest, np.ones(N))[0], rel=ACCURACY[solver])
    if solver == "bundle":
        assert rest.gap_ <= 1e-6
    with pytest.raises(CheckpointInvalid, match="solver was"):
        MinimaxClassifier(**{**settings, "solver": "group-newton"}, checkpoint=str(tmp_path)).fit(
            X, y, groups=group
        )


@pytest.mark.usefixtures("poor_samples")
def test_other_groups_in_the_same_checkpoint_prove_nothing_false(tmp_path: Any) -> None:
    """Lines of other groups would be a lie: a state has none."""
    X, y, weight = data()["X"], data()["reals"], np.ones(N)
    settings = {"alpha": 1e-2, "tol": 1e-6, "solver": "bundle", "verbose": 0, "checkpoint": str(tmp_path)}
    MinimaxRegressor(**settings).fit(X, y, groups=np.random.default_rng(0).integers(0, G, N))
    model = MinimaxRegressor(**settings).fit(X, y, groups=data()["group"])
    value, _ = least(model, weight)
    ours = losses_of(model, theta_of(model), weight)[0].max()
    assert (ours - value) / ours <= model.gap_ <= 1e-6


def test_partitions_are_groups() -> None:
    order = np.argsort(data()["group"], kind="stable")
    sizes = tuple(np.bincount(data()["group"]).tolist())
    X = da.from_array(data()["X"][order], chunks=(sizes, (4,)))
    y = da.from_array(data()["labels"][order], chunks=(sizes,))
    by_chunk = MinimaxClassifier(solver="bundle", tol=1e-8, verbose=0).fit(X, y)
    by_column = MinimaxClassifier(tol=1e-8, verbose=0).fit(
        data()["X"], data()["labels"], groups=data()["group"]
    )
    assert_allclose(by_chunk.group_losses_, by_column.group_losses_, rtol=1e-3)


def test_what_is_not_known_is_refused() -> None:
    X, y, group = data()["X"], data()["labels"], data()["group"]
    with pytest.raises(UnsupportedParameter, match="expected one of 'auto', 'group-newton', 'bundle', 'exp"):
        MinimaxClassifier(solver="newton").fit(X, y, groups=group)
    with pytest.raises(UnsupportedParameter, match="the name of a solver"):
        MinimaxClassifier(solver=3).fit(X, y, groups=group)
    for solver in ("exponentiated-gradient", "group-dro"):
        with pytest.raises(UnsupportedCombination, match=f"solver='{solver}' knows the risks"):
            MinimaxRegressor(solver=solver, risk=CVaR(0.5)).fit(X, y, groups=group)


def test_a_baseline_says_that_it_came_no_closer() -> None:
    model = MinimaxClassifier(solver="group-dro", tol=1e-9, verbose=0)
    with pytest.warns(ConvergenceWarning, match="Steps by a few rows come hardly closer: use solver='auto'"):
        model.fit(data()["X"], data()["labels"], groups=data()["group"])
    assert model.gap_ < 0.1 and model.n_passes_ < 100
