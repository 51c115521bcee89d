"""Gradient descent by each rule of steps: textbook steps, passes, divergence, and going on from any state."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize

from daskml_dist.errors import UnsupportedCombination, UnsupportedParameter
from daskml_dist.kernels import Point
from daskml_dist.losses import Squared
from daskml_dist.optimizers import SGD, Adam, Averaging, Momentum, Nesterov, Optimizer, RMSProp, ScheduleFree
from daskml_dist.optimizers.schedules import Adaptive, Cosine, InverseScaling, WarmUp
from daskml_dist.penalties import Bounded, ElasticNet, Unpenalised
from daskml_dist.solvers import GradientDescent, State
from daskml_dist.solvers.descent import STALLED, TRIAL_STEPS
from tests.solvers.problems import Talk, Task, hold, known_minimum, relative_excess, task

SEARCHED = ("barzilai_borwein", "backtracking")
STEPS: list[str | Optimizer] = [
    *SEARCHED,
    SGD(1.0),
    SGD(InverseScaling(1.0, 0.1)),
    SGD(Adaptive(1.0, tol=1e-12, n_iter_no_change=2)),
    Momentum(0.5, 0.8),
    Nesterov(0.5, 0.8),
    Adam(Cosine(0.1, steps=200, eta_min=1e-5)),
    RMSProp(Cosine(0.05, steps=200, eta_min=1e-6)),
    ScheduleFree(WarmUp(InverseScaling(1.0, 0.0), 5), beta=0.9),
]
every_step = pytest.mark.parametrize("step", STEPS, ids=repr)


def talk(t: Task, step: Any, state: State | None = None) -> Talk:
    return hold(GradientDescent(step).solve(t.problem, state), t.chunks)


def gradient(t: Task, point: Point) -> np.ndarray:
    """(q,) of F in the centred coordinates, in plain NumPy."""
    rows = np.column_stack([t.X - point.centre, np.ones(len(t.X))])
    slope = t.problem.loss.value_slope(t.y, rows @ point.theta[0])[1]
    ridge = np.append(t.problem.penalty.gradient(point.w[0]), 0.0)
    return np.asarray(rows.T @ slope / len(t.X) + ridge)


def asked(held: Talk) -> list[Point]:
    """Where F was asked for, one point a pass."""
    return [kernel.point for kernel in held.kernels[1:]]


# ---------------------------------------------------------------------------------- convergence


@every_step
@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_every_rule_converges(step: Any, loss: str) -> None:
    t = task("scaled", loss, "ridge", tol=1e-6, max_passes=400)
    held = talk(t, step)
    progress = held.solution.state.progress
    assert held.solution.converged and progress is not None and progress.gap <= 1e-6
    excess = relative_excess(t, held.point, known_minimum("scaled", loss, "ridge"))
    assert 0.0 <= excess < 3e-6
    assert progress.objective == pytest.approx(t.objective(held.point), rel=1e-12)


@pytest.mark.parametrize(("step", "most"), [("barzilai_borwein", 40), ("backtracking", 90), (SGD(1.5), 300)])
def test_passes_where_features_are_correlated(step: Any, most: int) -> None:
    """A condition number of some hundreds is left after scaling."""
    t = task("correlated", "squared", "ridge", tol=1e-6, max_passes=400)
    held = talk(t, step)
    assert held.solution.converged
    assert held.solution.state.passes <= most


def test_momentum_is_worth_its_name() -> None:
    t = task("correlated", "squared", "ridge", tol=1e-6, max_passes=1000)
    plain, ahead = (talk(t, step).solution.state.passes for step in (SGD(1.0), Nesterov(1.0, 0.9)))
    assert ahead < 0.5 * plain


@pytest.mark.parametrize("family", ["iid", "scaled", "shifted", "heavy-tailed"])
def test_few_passes_where_features_are_not(family: str) -> None:
    t = task(family, "logistic", "ridge")
    assert talk(t, "barzilai_borwein").solution.state.passes <= 8


# ------------------------------------------------------------------------------- textbook steps


def test_a_fixed_step_is_the_textbooks() -> None:
    t = task("correlated", "logistic", "ridge", max_passes=12, tol=0.0)
    held = talk(t, SGD(0.7))
    metric, points = held.solution.state.arrays["metric"], asked(held)
    assert len(points) == 12
    for before, after in zip(points[:-1], points[1:], strict=True):
        expected = before.theta[0] - 0.7 * gradient(t, before) / metric
        assert_allclose(after.theta[0], expected, rtol=1e-9, atol=1e-14)


def test_the_metric_leaves_a_largest_curvature_of_one() -> None:
    t = task("correlated", "squared", "ridge", max_passes=1, tol=0.0)
    metric = talk(t, SGD(1.0)).solution.state.arrays["metric"]
    rows = np.column_stack([t.X - t.X.mean(axis=0), np.ones(len(t.X))])
    hessian = rows.T @ rows / len(rows) + np.diag([1e-3] * 8 + [0.0])
    values = np.linalg.eigvalsh(hessian / np.sqrt(np.outer(metric, metric)))
    assert values[-1] == pytest.approx(1.0, rel=0.05)
    assert_allclose(metric / np.diag(hessian), metric[-1], rtol=1e-2)  # the centre is that of a few rows


def test_barzilai_and_borweins_lengths() -> None:
    t = task("correlated", "squared", "ridge", tol=1e-9, max_passes=400)
    held = talk(t, "barzilai_borwein")
    metric = held.solution.state.arrays["metric"]
    both = []
    states = [turn.state for turn in held.turns if turn.state.point is not None]
    for before, after in zip(states[:-1], states[1:], strict=True):
        if before.point is after.point:
            continue  # a step that was refused
        s = after.point.theta[0] - before.point.theta[0]
        y = gradient(t, after.point) - gradient(t, before.point)
        long, short = s @ (metric * s) / (s @ y), s @ y / (y @ (y / metric))
        both = [*both, short][-6:]
        expected = min(both) if short < 0.8 * long else long
        assert after.numbers["length"] == pytest.approx(expected, rel=1e-5)
        step = -expected * gradient(t, after.point) / metric
        assert_allclose(after.arrays["step"], step, rtol=1e-4, atol=1e-12)
    assert len(both) == 6


def test_a_step_is_a_pass() -> None:
    """Trial steps are asked for after a step too far, and by backtracking always; never a Hessian."""
    for step, most in (("barzilai_borwein", 3), ("backtracking", 400), (SGD(1.0), 0)):
        t = task("correlated", "squared", "none", max_passes=400)
        held = talk(t, step)
        looks = [kernel.steps == TRIAL_STEPS for kernel in held.kernels[1:]]
        assert not any(kernel.hessian for kernel in held.kernels[1:])
        assert sum(looks) <= most and not looks[0]
        assert all(looks[1:]) or step != "backtracking"
        assert len(looks) == held.solution.state.passes
        assert held.names[0] == "Sample"


def test_backtracking_never_rises() -> None:
    t = task("heavy-tailed", "poisson", "none", max_passes=400)
    held = talk(t, "backtracking")
    values = [turn.state.progress.objective for turn in held.turns if turn.state.progress is not None]
    assert (np.diff(values) <= 0.0).all() and held.solution.converged


# --------------------------------------------------------------------------- what is not smooth


@pytest.mark.thinned(5)
@pytest.mark.parametrize("step", SEARCHED)
@pytest.mark.parametrize(
    "penalty",
    [
        ElasticNet(0.05),
        ElasticNet(0.02, 0.1),
        Bounded(Unpenalised(), 0.0),
        Bounded(ElasticNet(0.02), -0.1, 0.2),
    ],
    ids=repr,
)
@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_proximal_steps(loss: str, penalty: Any, step: str) -> None:
    """Against SciPy with the positive and the negative part of each coefficient as variables."""
    base = task("correlated", loss, "none", tol=1e-10, max_passes=2000)
    t = replace(base, problem=replace(base.problem, penalty=penalty))
    held = talk(t, step)
    assert held.solution.converged
    p = t.problem.features
    low, high = (np.broadcast_to(bound, p) for bound in (penalty.lower, penalty.upper))

    def value(parts: np.ndarray) -> float:
        w = parts[:p] - parts[p:-1]
        smooth = float(t.problem.loss.value(t.y, t.X @ w + parts[-1]).mean())
        ridge = float(0.5 * penalty.curvature(w) @ np.square(w))
        return smooth + ridge + float(penalty.l1) * float(parts[:-1].sum())

    box = [(0.0, max(b, 0.0)) for b in high] + [(0.0, max(-b, 0.0)) for b in low] + [(None, None)]
    found = minimize(
        value, np.zeros(2 * p + 1), bounds=box, method="L-BFGS-B", options={"ftol": 1e-14, "gtol": 1e-9}
    )
    assert t.objective(held.point) <= found.fun * (1.0 + 1e-8)
    w = held.point.w[0]
    assert ((w >= low) & (w <= high)).all()
    assert (np.abs(w[w != 0.0]) > 1e-8).all(), "zeros are exact"


# ---------------------------------------------------------------------------------- divergence


@pytest.mark.parametrize("step", [SGD(50.0), Momentum(5.0), SGD(InverseScaling(1e6, 1e-3))], ids=repr)
@pytest.mark.parametrize("loss", ["poisson", "squared"])
def test_divergence_is_detected_and_the_best_is_kept(step: Any, loss: str) -> None:
    t = task("iid", loss, "none", max_passes=500)
    held = talk(t, step)
    state = held.solution.state
    (note,) = held.solution.notes
    assert "is too large: after" in note and repr(step) in note and "best model so far is kept" in note
    assert not held.solution.converged and state.passes < 100
    best = min(t.objective(point) for point in asked(held)[:-1])
    assert t.objective(held.point) == best
    assert state.progress is not None and state.progress.objective == pytest.approx(best, rel=1e-12)
    assert np.isfinite(held.point.w).all()


def test_going_in_circles_is_told() -> None:
    t = task("iid", "squared", "none", max_passes=60)
    held = talk(t, SGD(1.9999))  # the steepest direction is overshot by nearly as much as there is
    assert not held.solution.converged or held.solution.state.passes > 20
    t = task("imbalanced", "logistic", "none", max_passes=120)
    held = talk(t, SGD(3.0))
    assert not held.solution.converged
    assert any("has not fallen for" in note or "is too large: after" in note for note in held.solution.notes)
    best = min(t.objective(point) for point in asked(held))
    assert t.objective(held.point) == best


def test_a_search_that_finds_nothing_says_so() -> None:
    t = task("iid", "squared", "none", tol=0.0, max_passes=500)
    held = talk(t, "backtracking")
    assert not held.solution.converged
    assert held.solution.notes in ((), (STALLED,))
    assert relative_excess(t, held.point, known_minimum("iid", "squared", "none")) < 1e-12


def test_an_overflow_at_the_start_is_survived() -> None:
    t = task("iid", "poisson", "none", max_passes=50)
    far = Point(np.full((1, 8), 1e3), np.zeros(1), np.zeros(8), True)
    for step in ("barzilai_borwein", "backtracking"):
        held = hold(GradientDescent(step).solve(replace(t.problem, start=far)), t.chunks)
        assert held.solution.converged


@pytest.mark.parametrize("separated", [True, False])
def test_a_ray_without_end_is_found(separated: bool) -> None:
    """And none where the classes are separated but for a few rows."""
    t = task("iid", "logistic", "none", n=3000, p=2, max_passes=3000, tol=1e-2)
    y = (t.X[:, 0] > 0).astype(np.float64)
    if not separated:
        y[np.argsort(t.X[:, 0])[[5, -5]]] = 1.0, 0.0
    t = replace(t, y=y)
    held = hold(GradientDescent().solve(replace(t.problem, mean=np.array([y.mean()]))), t.chunks)
    assert held.solution.converged
    assert ["no finite optimum" in note for note in held.solution.notes] == [True] * separated


# ------------------------------------------------------------------------------------ going on


def stored(state: State) -> State:
    """Through npz, without what a checkpoint leaves out."""
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **state.arrays)
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        return replace(state, arrays=dict(arrays), progress=None)


@pytest.mark.thinned(3)
@every_step
def test_it_goes_on_to_the_same_bits(step: Any) -> None:
    t = task("correlated", "poisson", "none", tol=1e-5, max_passes=40)
    whole = talk(t, step)
    for turn in whole.turns[2::5]:
        resumed = talk(t, step, stored(turn.state))
        assert resumed.point.theta.tobytes() == whole.point.theta.tobytes()
        end, other = resumed.solution.state, whole.solution.state
        assert (end.passes, end.progress) == (other.passes, other.progress)
        assert resumed.solution.notes == whole.solution.notes


def test_another_state_would_be_seen() -> None:
    t = task("correlated", "poisson", "none", tol=1e-5, max_passes=40)
    whole = talk(t, Momentum(0.5, 0.8))
    state = whole.turns[5].state
    lie = replace(state, arrays={**state.arrays, "w": state.arrays["w"] * (1.0 + 1e-12)})
    assert talk(t, Momentum(0.5, 0.8), lie).point.theta.tobytes() != whole.point.theta.tobytes()


def test_the_mark_tells_the_rules_apart() -> None:
    assert len({GradientDescent(step).mark for step in STEPS}) == len(STEPS)


def test_certify_proves() -> None:
    t = task("correlated", "logistic", "ridge", max_passes=400, certify=True)
    for step in ("barzilai_borwein", Nesterov(1.0, 0.9)):
        held = talk(t, step)
        progress = held.solution.state.progress
        assert held.solution.converged and progress is not None
        assert progress.gap_kind == "self-concordance"
        excess = relative_excess(t, held.point, known_minimum("correlated", "logistic", "ridge"))
        assert excess <= progress.gap + 1e-14


def test_a_proof_goes_on_too() -> None:
    t = task("correlated", "logistic", "ridge", max_passes=400, certify=True, tol=0.2)
    held = talk(t, "barzilai_borwein")
    states = [turn.state for turn in held.turns if "factor" in turn.state.arrays]
    assert states
    for state in states:
        assert talk(t, "barzilai_borwein", stored(state)).solution.converged


# ------------------------------------------------------------------------------------ refusals


def test_steps_that_there_are_not() -> None:
    with pytest.raises(UnsupportedParameter, match="step='newton'.*'barzilai_borwein', 'backtracking'"):
        GradientDescent("newton")
    with pytest.raises(UnsupportedParameter, match="Averaging.*none that a pass has verified. Use step=SGD"):
        GradientDescent(Averaging(SGD(1.0)))
    with pytest.raises(UnsupportedParameter, match="expected 'barzilai_borwein'"):
        GradientDescent(0.5)  # type: ignore[arg-type]


def test_optimizers_refuse_what_is_not_smooth() -> None:
    with pytest.raises(UnsupportedCombination, match=r"SGD.*needs a smooth penalty.*'barzilai_borwein'"):
        GradientDescent(SGD(1.0)).refuse(Squared(), ElasticNet(1.0))
    GradientDescent("backtracking").refuse(Squared(), ElasticNet(1.0))
