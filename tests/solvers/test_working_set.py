"""Working sets: the minimum by its own conditions, bounds from below that hold, and sets that stay small."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from daskml_dist.errors import UnsupportedCombination
from daskml_dist.kernels import Point, Question, Sweep, answer
from daskml_dist.losses import Logistic, Loss, Poisson, Softmax, Squared
from daskml_dist.penalties import L2, Bounded, ElasticNet, Penalty, Scaled, Unpenalised
from daskml_dist.solvers import Problem, WorkingSet, working_set
from daskml_dist.solvers.dual_bound import dual_bound
from daskml_dist.types import AnyArray, Chunk, FloatArray
from tests.solvers.problems import hold, states_with_a_point

N, P = 240, 600
LOSSES: dict[str, Loss] = {"squared": Squared(), "logistic": Logistic(), "poisson": Poisson()}
STEPS = np.tile([1.0, 2.0, 0.5], P // 3)
PENALTIES: dict[str, Penalty] = {
    "lasso": ElasticNet(0.01),
    "elastic net": ElasticNet(0.005, 0.01),
    "ridge, not negative": Bounded(L2(0.05), 0.0),
    "lasso within bounds": Bounded(ElasticNet(0.005), -0.2, np.tile([0.1, np.inf], P // 2)),
    "lasso of other units": Scaled(ElasticNet(0.01), STEPS),
}
every_loss = pytest.mark.parametrize("loss", LOSSES)
every_penalty = pytest.mark.parametrize("penalty", PENALTIES)
every_intercept = pytest.mark.parametrize("intercept", [True, False], ids=["intercept", "no intercept"])


def rows() -> AnyArray:
    """Sparse columns of all sizes: a constant one, an empty one, two that are equal, and rare ones."""
    rng = np.random.default_rng(1)
    X = scipy.sparse.random_array((N, P), density=0.05, rng=rng).toarray()
    X *= np.exp(rng.standard_normal(P))
    X[:, 0], X[:, 1], X[:, 3] = 2.0, 0.0, X[:, 2]
    X[:, 4] = np.arange(N) == 7
    return X


X = rows()
WEIGHT = np.random.default_rng(2).integers(0, 4, N) / 2.0


def chunks(y: FloatArray, *, sparse: bool = True, weighted: bool = True) -> list[Chunk]:
    cuts = [0, 80, 80, 81, N]
    return [
        Chunk(
            i, scipy.sparse.csr_array(X[a:b]) if sparse else X[a:b], y[a:b], WEIGHT[a:b] if weighted else None
        )
        for i, (a, b) in enumerate(zip(cuts[:-1], cuts[1:], strict=True))
    ]


def problem(loss: str, penalty: str, intercept: bool, **settings: Any) -> tuple[Problem, FloatArray]:
    rng = np.random.default_rng(3)
    z = X[:, 2:40] @ rng.standard_normal(38) * 2.0 + 0.3 * rng.standard_normal(N)
    y = {"squared": z, "logistic": (z > 0.2) * 1.0, "poisson": np.floor(np.exp(np.clip(z, -2, 2)))}[loss]
    made = Problem(
        loss=LOSSES[loss],
        penalty=PENALTIES[penalty],
        intercept=intercept,
        rows=N,
        features=P,
        targets=1,
        weight_sum=float(WEIGHT.sum()),
        events=0,
        mean=np.atleast_1d(WEIGHT @ y / WEIGHT.sum()),
        sparse=True,
    )
    return replace(made, **settings), y


def violation(made: Problem, y: FloatArray, at: Point) -> float:
    """How far the point is from the conditions of a minimum, relative to the largest gradient there is."""
    w, s = at.w[0], WEIGHT / WEIGHT.sum()
    slope = s * made.loss.value_slope(y, (X - at.centre) @ w + at.b[0])[1]
    size = float((np.abs(slope) @ np.abs(X)).max())
    gradient = X.T @ slope + made.penalty.gradient(w)
    down = gradient + np.where(w > 0.0, made.penalty.l1, -np.asarray(made.penalty.l1))  # going down to w - e
    up = gradient + np.where(w < 0.0, -np.asarray(made.penalty.l1), made.penalty.l1)
    down, up = np.where(w <= made.penalty.lower, 0.0, down), np.where(w >= made.penalty.upper, 0.0, up)
    off = max(float(np.max(down, initial=0.0)), float(np.max(-up, initial=0.0)))
    return max(off, abs(float(slope.sum())) if at.intercept else 0.0) / size


@pytest.mark.thinned(5)
@every_loss
@every_penalty
@every_intercept
def test_it_finds_the_minimum(loss: str, penalty: str, intercept: bool) -> None:
    made, y = problem(loss, penalty, intercept, tol=1e-12)
    talk = hold(WorkingSet().solve(made), chunks(y))
    assert talk.solution.converged and talk.solution.state.passes <= 25
    assert violation(made, y, talk.point) < 1e-6
    progress = talk.solution.state.progress
    assert progress is not None
    assert progress.gap_kind == "duality"
    assert 0 < np.count_nonzero(talk.point.w) < 0.9 * P


@every_loss
@every_intercept
def test_dense_rows_have_the_same_minimum(loss: str, intercept: bool) -> None:
    made, y = problem(loss, "lasso", intercept, tol=1e-12, sparse=False)
    talk = hold(WorkingSet().solve(made), chunks(y, sparse=False))
    assert talk.solution.converged and violation(made, y, talk.point) < 1e-6


@pytest.mark.thinned(5)
@every_loss
@every_penalty
@every_intercept
def test_no_bound_is_above_the_minimum(loss: str, penalty: str, intercept: bool) -> None:
    """At random points, at points on the way, and near the minimum, where it must be a good one too."""
    made, y = problem(loss, penalty, intercept, tol=1e-12)
    talk = hold(WorkingSet().solve(made), chunks(y))
    assert talk.solution.state.progress is not None
    best = talk.solution.state.progress.objective
    rng, last = np.random.default_rng(5), talk.point
    points = [last.at(last.theta * size) for size in (1.0, 0.0, 0.5, 2.0, -1.0)]
    points += [last.at(last.theta + size * rng.standard_normal(last.theta.shape)) for size in (1e-6, 1e-2, 1)]
    gaps = [check_bound(made, y, clipped(made, at), best) for at in points]
    way = [state.point for state in states_with_a_point(talk) if state.point is not None]
    gaps += [check_bound(made, y, at, best) for at in way]
    assert min(gaps) < 1e-8 * best


def clipped(made: Problem, at: Point) -> Point:
    return replace(at, w=np.clip(at.w, made.penalty.lower, made.penalty.upper))


def check_bound(made: Problem, y: FloatArray, at: Point, best: float, high: float = 0.0) -> float:
    """The duality gap at a point; ``high`` is added to the bound, for a lie."""
    held = chunks(y)
    told = answer(Question(Sweep(made.loss, at, rising=True)), held, len(held))
    value = float(told.value[0] / told.weight_sum + made.penalty.value(at.w[0]))
    bound = dual_bound(made, at, told, value) + high
    assert bound <= best * (1 + 1e-12)
    return value - bound


def test_a_bound_that_is_too_high_is_seen() -> None:
    made, y = problem("logistic", "lasso", True, tol=1e-12)
    talk = hold(WorkingSet().solve(made), chunks(y))
    best = talk.solution.state.progress.objective  # type: ignore[union-attr]
    check_bound(made, y, talk.point, best)
    with pytest.raises(AssertionError):
        check_bound(made, y, talk.point, best, 1e-6)


def test_slopes_that_do_not_add_up_to_zero_would_be_no_bound() -> None:
    """At an intercept that is off, the lines alone are above the minimum; a share of them is not."""
    made, y = problem("logistic", "lasso", True, tol=1e-12)
    talk = hold(WorkingSet().solve(made), chunks(y))
    best = talk.solution.state.progress.objective  # type: ignore[union-attr]
    off = talk.point.theta.copy()
    off[0, -1] += 0.5
    at = talk.point.at(off)
    check_bound(made, y, at, best)
    held = chunks(y)
    told = answer(Question(Sweep(made.loss, at, rising=True)), held, len(held))
    free = replace(made, intercept=False)
    naive = dual_bound(free, replace(at, intercept=False), replace(told, gradient=told.gradient[:, :-1]), 9.0)
    value = float(told.value[0] / told.weight_sum + made.penalty.value(at.w[0]))
    assert naive <= value
    assert dual_bound(made, at, replace(told, rising=None), value) == -np.inf


def test_where_nothing_bounds_a_coefficient_nothing_is_proven() -> None:
    made, y = problem("squared", "lasso", True)
    made = replace(made, penalty=Bounded(Unpenalised(), 0.0), tol=1e-10)
    talk = hold(WorkingSet().solve(made), chunks(y))
    assert talk.solution.state.progress is not None and talk.solution.converged
    assert talk.solution.state.progress.gap_kind == "estimate"


# ------------------------------------------------------------------------------- sets of columns


def asked_columns(talk: Any) -> list[AnyArray]:
    kernels = [turn.question.kernel for turn in talk.turns if isinstance(turn.question.kernel, Sweep)]
    return [kernel.columns for kernel in kernels if kernel.columns is not None]


def test_sets_stay_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working_set, "_LEAST", 10)
    made, y = problem("logistic", "lasso", True, tol=1e-10)
    talk = hold(WorkingSet().solve(made), chunks(y))
    assert talk.solution.converged
    sizes = [len(columns) for columns in asked_columns(talk)]
    active = np.count_nonzero(talk.point.w)
    assert sizes[0] == 0 and active <= sizes[-1] <= 2 * active
    assert all((np.diff(columns) > 0).all() for columns in asked_columns(talk))


@pytest.mark.thinned(3)
@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize("penalty", ["lasso", "elastic net", "ridge, not negative"])
def test_more_active_columns_than_a_set_may_have(loss: str, penalty: str) -> None:
    made, y = problem(loss, penalty, True, tol=1e-4, max_passes=300)
    talk = hold(WorkingSet(most=40).solve(made), chunks(y))
    assert max(len(columns) for columns in asked_columns(talk)) == 40
    assert np.count_nonzero(talk.point.w) > 40
    assert talk.solution.converged
    assert violation(made, y, talk.point) < 1e-2
    short = hold(WorkingSet(most=40).solve(replace(made, max_passes=6)), chunks(y)).solution
    assert not short.converged and short.notes == (working_set.CROWDED,)


def test_it_goes_on_with_the_set_it_had() -> None:
    made, y = problem("logistic", "lasso", True, tol=1e-10)
    talk = hold(WorkingSet().solve(made), chunks(y))
    for state in list(states_with_a_point(talk))[1:]:
        again = hold(WorkingSet().solve(made, replace(state, progress=None)), chunks(y))
        assert again.solution.converged and violation(made, y, again.point) < 1e-6
        assert len(asked_columns(again)[0]) > 0
        assert len(again.turns) <= len(talk.turns)


def test_a_start_brings_its_columns_along() -> None:
    made, y = problem("logistic", "lasso", True, tol=1e-10)
    found = hold(WorkingSet().solve(made), chunks(y)).point
    near = hold(WorkingSet().solve(replace(made, tol=1e-7, start=found)), chunks(y))
    assert near.solution.state.passes == 1
    assert list(asked_columns(near)[0]) == list(np.flatnonzero(found.w[0]))


def test_several_classes_are_refused() -> None:
    made, _ = problem("logistic", "lasso", True)
    with pytest.raises(UnsupportedCombination, match="'working-set' was given with 3 classes.*solver='auto'"):
        next(WorkingSet().solve(replace(made, loss=Softmax(3))))
