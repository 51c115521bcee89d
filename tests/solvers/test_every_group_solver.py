"""Every solver for groups keeps the contract of ``solvers/_base.py``, and none proves what is not so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from daskml_dist.errors import UnsupportedCombination, UnsupportedParameter
from daskml_dist.kernels import Question
from daskml_dist.losses import Logistic, Loss, Poisson, Softmax, Squared
from daskml_dist.penalties import L2, ElasticNet
from daskml_dist.risks import ChiSquare, CVaR, Mean, Risk, WorstGroup
from daskml_dist.solvers import (
    GROUP_SOLVERS,
    ExponentiatedGradient,
    GroupDRO,
    GroupNewton,
    GroupSolver,
    ProximalBundle,
    State,
    Turn,
    automatic_for_groups,
    group_dro,
    group_start,
    named_for_groups,
    proximal_bundle,
)
from daskml_dist.types import Chunk
from tests.solvers.group_problems import Groups, groups, least
from tests.solvers.problems import hold

EVERY = [GroupNewton, ProximalBundle, ExponentiatedGradient, GroupDRO]
EXACT = [GroupNewton, ProximalBundle]
BASELINES = [ExponentiatedGradient, GroupDRO]
every_solver = pytest.mark.parametrize("solver", EVERY, ids=lambda solver: solver.name)
every_exact = pytest.mark.parametrize("solver", EXACT, ids=lambda solver: solver.name)
PROVEN = ("duality", "self-concordance")


def below(t: Groups) -> float:
    """The least risk: of the worst group by SciPy, of other risks by Newton's method to the last digits."""
    if isinstance(t.problem.risk, WorstGroup):
        return least(t)
    return t.risk(hold(GroupNewton().solve(replace(t.problem, tol=1e-12)), t.chunks))


@pytest.fixture
def poor_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small data are a sample of themselves: let it be a poor one."""
    monkeypatch.setattr(group_start, "_SMALL_ELEMENTS", 0)
    monkeypatch.setattr(group_start, "_ROWS", 100)
    monkeypatch.setattr(group_start, "_ROWS_A_PARAMETER", 5)


# -------------------------------------------------------------------------------- convergence


@pytest.mark.thinned(3)
@every_exact
@pytest.mark.parametrize("loss", [Logistic(), Poisson(), Squared()], ids=lambda loss: loss.name)
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.usefixtures("poor_samples")
def test_scipys_minimum(solver: type[GroupSolver], loss: Loss, intercept: bool) -> None:
    for seed, weighted in ((0, False), (1, True)):
        t = groups(seed, loss=loss, intercept=intercept, weighted=weighted, tol=1e-7)
        talk = hold(solver().solve(t.problem), t.chunks)
        assert talk.solution.converged
        assert t.risk(talk) == pytest.approx(least(t), rel=1e-6)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("solver", BASELINES, ids=lambda solver: solver.name)
@pytest.mark.parametrize("loss", [Logistic(), Squared()], ids=lambda loss: loss.name)
def test_baselines_come_near(solver: type[GroupSolver], loss: Loss) -> None:
    t = groups(loss=loss, tol=1e-2, max_passes=150)
    talk = hold(solver().solve(t.problem), t.chunks)
    assert t.risk(talk) == pytest.approx(least(t), rel=2e-2)


def cases(seeds: range) -> Iterator[Groups]:
    """Problems of all kinds."""
    risks = [WorstGroup(), CVaR(0.4), ChiSquare(0.5), Mean()]
    kinds = ["", "identical", "one row", "dominating"]
    losses = [Logistic(), Poisson(), Squared()]
    for seed in seeds:
        yield groups(
            seed,
            loss=losses[seed % 3],
            risk=risks[seed % 4],
            kind=kinds[(seed // 4) % 4],
            alpha=10.0 ** -(1 + seed % 3),
            n=60 + 5 * (seed % 9),
            G=1 if seed % 13 == 12 and (seed // 4) % 4 == 0 else 3,
            weighted=bool(seed % 2),
            intercept=bool(seed % 5),
        )


@pytest.mark.usefixtures("poor_samples")
@pytest.mark.parametrize(
    "seeds", [range(16), pytest.param(range(16, 144), marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_no_proof_is_below_the_truth(seeds: range) -> None:
    proven = 0
    for k, t in enumerate(cases(seeds)):
        best = below(t)
        for solver in EVERY:
            if solver.risks is not None and t.problem.risk.name not in solver.risks:
                continue
            problem = replace(t.problem, max_passes=2 + k % 4 if solver in EXACT else 8)
            talk = hold(solver().solve(problem), t.chunks)
            report = talk.solution.state.progress
            assert report is not None
            assert report.objective == pytest.approx(t.risk(talk), rel=1e-10)
            if report.gap_kind in PROVEN:
                proven += 1
                check_gap(report.gap, t.risk(talk), best)
    assert proven > 1.5 * len(seeds)


def check_gap(gap: float, value: float, best: float) -> None:
    """What is called proven is true; the scale of a gap is at most the value."""
    assert (value - best) / abs(value) <= gap * (1 + 1e-6) + 1e-12


@pytest.mark.thinned(2)
@every_exact
@pytest.mark.parametrize("risk", [WorstGroup(), CVaR(0.3), ChiSquare(0.2), Mean()], ids=repr)
@pytest.mark.usefixtures("poor_samples")
def test_every_risk_is_proven(solver: type[GroupSolver], risk: Risk) -> None:
    for kind in ("", "one row", "dominating"):
        t = groups(3, risk=risk, kind=kind, tol=1e-8)
        talk = hold(solver().solve(t.problem), t.chunks)
        report = talk.solution.state.progress
        assert report is not None and talk.solution.converged
        assert report.gap_kind in PROVEN
        check_gap(report.gap, t.risk(talk), below(t))
        weights = talk.solution.state.arrays["group_weights"]
        assert weights.sum() == pytest.approx(1.0) and (weights >= 0.0).all()


def test_many_features_in_few_passes() -> None:
    """More parameters than a Hessian of the sample is formed for, and none of the groups'."""
    t = groups(n=1500, p=600, G=5, alpha=0.1, tol=1e-6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(group_start, "_SMALL_ELEMENTS", 0)
        patch.setattr(group_start, "_ROWS_A_PARAMETER", 0)
        patch.setattr(group_start, "_ROWS", 500)
        talk = hold(ProximalBundle().solve(t.problem), t.chunks)
    assert talk.solution.converged and talk.solution.state.passes <= 25


# --------------------------------------------------------------------------------- the contract


@every_solver
def test_it_yields_questions_with_states(solver: type[GroupSolver]) -> None:
    t = groups(tol=1e-10, max_passes=20)
    talk = hold(solver().solve(t.problem), t.chunks)
    assert all(isinstance(turn, Turn) and isinstance(turn.question, Question) for turn in talk.turns)
    passes = [turn.state.passes for turn in talk.turns]
    assert passes == sorted(passes) and talk.solution.state.passes <= 20
    if solver is not GroupDRO:
        assert talk.solution.state.passes == talk.names.count("Together")
    for state in [turn.state for turn in talk.turns] + [talk.solution.state]:
        assert all(type(a) is np.ndarray and a.dtype == np.float64 for a in state.arrays.values())
        assert all(type(number) is float for number in state.numbers.values())
        if state.progress is not None:
            assert {"group_losses", "group_weights"} <= set(state.arrays)
            assert all(isinstance(value, float | str) for value in vars(state.progress).values())


@pytest.mark.thinned(2)
@every_solver
@pytest.mark.usefixtures("poor_samples")
def test_it_goes_on_from_any_state(solver: type[GroupSolver]) -> None:
    t = groups(5, tol=1e-7 if solver in EXACT else 2e-2, max_passes=100)
    talk = hold(solver().solve(t.problem), t.chunks)
    best = least(t)
    states = [turn.state for turn in talk.turns if turn.state.point is not None]
    for state in [State(), *states[:: max(len(states) // 4, 1)]]:
        again = hold(solver().solve(t.problem, replace(state, progress=None)), t.chunks)
        assert t.risk(again) <= best * (1 + (1e-6 if solver in EXACT else 3e-2))
        if state.point is not None:
            assert again.names[0] != "GroupSample", "what was learned must not be asked for again"
            assert again.solution.state.passes > state.passes


@every_solver
@pytest.mark.parametrize("most", [1, 2, 3])
def test_it_reads_no_more_often_than_it_may(solver: type[GroupSolver], most: int) -> None:
    t = groups(tol=1e-15, max_passes=most)
    talk = hold(solver().solve(t.problem), t.chunks)
    assert talk.solution.state.passes <= most
    assert talk.solution.state.point is not None and talk.solution.state.progress is not None
    if solver in BASELINES:
        assert not talk.solution.converged
        again = hold(solver().solve(t.problem, talk.solution.state), t.chunks)
        assert again.names == [] and again.solution.state is talk.solution.state


@every_solver
def test_a_given_start_is_begun_from(solver: type[GroupSolver]) -> None:
    t = groups(tol=1e-5)
    found = hold(ProximalBundle().solve(replace(t.problem, tol=1e-9)), t.chunks).point
    raw = replace(found, b=found.raw_intercept, centre=np.zeros(t.problem.features))
    near = replace(t.problem, start=raw, max_passes=3)
    talk = hold(solver().solve(near), t.chunks)
    assert t.risk(talk) == pytest.approx(least(t), rel=1e-5 if solver is not GroupDRO else 0.1)


# --------------------------------------------------------------------------- trouble and refusals


def test_steps_that_diverge_are_told() -> None:
    t = groups(loss=Poisson(), tol=1e-4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(group_dro, "LENGTH", 1e4)
        patch.setattr(group_dro, "_LEAST_ROWS", 1)
        patch.setattr("daskml_dist.solvers.group_steps.GroupGauge.__call__", _careless)
        talk = hold(GroupDRO().solve(t.problem), t.chunks)
    assert "too long" in talk.solution.notes[0] and not talk.solution.converged
    assert np.isfinite(t.risk(talk)) and talk.solution.state.passes <= 5


def _careless(gauge: Any, sample: Chunk) -> Any:
    """Steps a thousand times as long as they may be."""
    from daskml_dist.solvers.group_steps import GroupSteps
    from daskml_dist.solvers.pilot import guess

    point = guess(gauge.problem, sample)[1]
    return GroupSteps(point, np.full(gauge.problem.parameters, 1e-3), np.nan, 1.0, 1e-3)


def test_too_long_steps_are_shortened() -> None:
    t = groups(loss=Poisson(), tol=1e-2, max_passes=300)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("daskml_dist.solvers.exponentiated_gradient.LENGTH", 50.0)
        talk = hold(ExponentiatedGradient().solve(t.problem), t.chunks)
    assert np.isfinite(t.risk(talk))
    assert t.risk(talk) <= least(t) * 1.5


def test_solvers_are_named() -> None:
    ridge, worst = L2(1.0), WorstGroup()
    assert named_for_groups("auto", Logistic(), ridge, worst) is None
    for name, solver in GROUP_SOLVERS.items():
        assert type(named_for_groups(name, Logistic(), ridge, worst)) is solver
        with pytest.raises(UnsupportedCombination, match=f"'{name}' needs a smooth penalty"):
            named_for_groups(name, Logistic(), ElasticNet(1.0), worst)
    with pytest.raises(UnsupportedParameter, match="solver='sgd' was given; expected one of 'auto', 'g"):
        named_for_groups("sgd", Logistic(), ridge, worst)
    for solver in BASELINES:
        for risk in (CVaR(0.5), ChiSquare(0.1), Mean()):
            with pytest.raises(UnsupportedCombination, match="worst-group.*given was.*'bundle'"):
                named_for_groups(solver.name, Logistic(), ridge, risk)
            with pytest.raises(UnsupportedCombination, match="worst-group"):
                next(solver().solve(groups(risk=risk).problem))


def test_automatic() -> None:
    base = groups().problem
    assert isinstance(automatic_for_groups(base), GroupNewton)
    wide = replace(base, features=5_000)
    assert isinstance(automatic_for_groups(wide), ProximalBundle)
    with pytest.raises(UnsupportedCombination, match="Hessians of all groups.*solver='bundle'"):
        next(GroupNewton().solve(wide))
    with pytest.raises(UnsupportedCombination, match="gradients of all groups.*Use fewer"):
        next(ProximalBundle().solve(replace(base, features=10**8)))


@pytest.mark.thinned(2)
@pytest.mark.parametrize("solver", EVERY, ids=lambda solver: solver.name)
def test_several_classes(solver: type[GroupSolver]) -> None:
    t = groups(7, n=300)
    y = np.clip(t.y + (t.X[:, 0] > t.X[:, 0].mean()), 0, 2).astype(float)
    shares = np.bincount(y.astype(int)) / len(y)
    problem = replace(t.problem, loss=Softmax(3), mean=shares, tol=1e-6, max_passes=60)
    talk = hold(solver().solve(problem), replace(t, y=y).chunks)
    best = hold(GroupNewton().solve(problem), replace(t, y=y).chunks).solution.state.progress
    found = talk.solution.state.progress
    assert best is not None and found is not None
    assert found.objective <= best.objective * (1 + (1e-5 if solver in EXACT else 5e-2))


# --------------------------------------------------------------------------------- the lies


def test_a_false_proof_is_seen() -> None:
    with pytest.raises(AssertionError):
        check_gap(1e-6, 1.0, 1.0 - 1e-5)


def test_lines_that_are_no_lines_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lie: lines that are above the losses prove too much."""
    honest = proximal_bundle.GroupEvaluation.each

    def lying(problem: Any, points: Any, answers: Any) -> Any:
        return [replace(one, gradients=0.5 * one.gradients) for one in honest(problem, points, answers)]

    monkeypatch.setattr(proximal_bundle.GroupEvaluation, "each", lying)
    monkeypatch.setattr(group_start, "_SMALL_ELEMENTS", 0)
    monkeypatch.setattr(group_start, "_ROWS", 100)
    monkeypatch.setattr(group_start, "_ROWS_A_PARAMETER", 5)
    with pytest.raises(AssertionError):
        for seed in range(10):
            t = groups(seed, max_passes=4)
            talk = hold(ProximalBundle().solve(t.problem), t.chunks)
            report = talk.solution.state.progress
            assert report is not None
            check_gap(report.gap, t.risk(talk), least(t))
