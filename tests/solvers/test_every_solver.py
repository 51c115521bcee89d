"""Every solver keeps the contract of ``solvers/_base.py`` and finds SciPy's minimum; no cluster is needed."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from daskml_dist import solvers
from daskml_dist.errors import UnsupportedCombination, UnsupportedParameter
from daskml_dist.kernels import Moments, Point, Question, Sweep
from daskml_dist.losses import Logistic, Loss, Poisson, Softmax, Squared
from daskml_dist.penalties import L2, Bounded, ElasticNet
from daskml_dist.solvers import (
    GROUP_SOLVERS,
    LBFGS,
    BlockLBFGS,
    Conversation,
    DampedNewton,
    GradientDescent,
    GroupSolver,
    LassoSearch,
    LeastSquares,
    Narrowing,
    ProgressiveNewton,
    RateSearch,
    RidgeAccuracy,
    RidgeLeaveOneOut,
    RidgeSearch,
    Solver,
    State,
    StochasticGradient,
    TrustRegionNewton,
    Turn,
    WorkingSet,
    automatic,
    choose,
    converse,
    least_squares,
    named,
)
from daskml_dist.solvers.choose import SOLVERS
from tests.solvers.problems import (
    FAMILIES,
    LOSSES,
    PENALTIES,
    hold,
    known_minimum,
    minimum,
    relative_excess,
    states_with_a_point,
    task,
)

EVERY = [
    LeastSquares,
    ProgressiveNewton,
    DampedNewton,
    TrustRegionNewton,
    LBFGS,
    GradientDescent,
    WorkingSet,
]
every_solver = pytest.mark.parametrize("solver", EVERY, ids=lambda solver: solver.name)
PASSES: dict[type[Solver], int] = {GradientDescent: 300}  # where correlations are left as they are
READS_ALL_ROWS = {"HessianVector", "Moments", "Sweep", "TSQR"}


def loss_for(solver: type[Solver]) -> str:
    return "squared" if solver is LeastSquares else "poisson"


def combinations() -> list[Any]:
    return [
        pytest.param(solver, family, loss, penalty, id=f"{solver.name}-{loss}-{penalty}-{family}")
        for solver in EVERY
        for family in FAMILIES
        for loss in LOSSES
        for penalty in PENALTIES
        if solver is not LeastSquares or loss == "squared"
    ]


# -------------------------------------------------------------------------------- convergence


@pytest.mark.thinned(3)
@pytest.mark.parametrize(("solver", "family", "loss", "penalty"), combinations())
def test_it_finds_the_minimum(solver: type[Solver], family: str, loss: str, penalty: str) -> None:
    t = task(family, loss, penalty, tol=1e-9, max_passes=PASSES.get(solver, 100))
    talk = hold(solver().solve(t.problem), t.chunks)
    excess = relative_excess(t, talk.point, known_minimum(family, loss, penalty))
    progress = talk.solution.state.progress
    assert progress is not None and talk.solution.converged
    check_gap(progress.gap, progress.gap_kind, excess)
    if solver in (LBFGS, TrustRegionNewton, GradientDescent) and (family, penalty) == ("collinear", "none"):
        assert progress.gap_kind == "estimate"  # a direction that is 1e5 times flatter than its diagonal
        assert excess < 1e-3
    else:
        assert excess < 1e-8


def check_gap(gap: float, kind: str, excess: float) -> None:
    """What is called proven is true; rounding of F itself is 1e-14."""
    assert gap >= 0.0
    if kind != "estimate":
        assert excess <= gap + 1e-14


@every_solver
@pytest.mark.parametrize("intercept", [True, False])
def test_weights_and_no_intercept(solver: type[Solver], intercept: bool) -> None:
    t = task("scaled", loss_for(solver), "ridge", weighted=True, intercept=intercept, tol=1e-9)
    talk = hold(solver().solve(t.problem), t.chunks)
    assert abs(relative_excess(t, talk.point, minimum(t))) < 1e-8
    assert talk.point.intercept == intercept
    if not intercept:
        assert talk.point.raw_intercept == 0.0


@every_solver
def test_converse_is_the_same_conversation(solver: type[Solver]) -> None:
    t = task("iid", loss_for(solver), "ridge")
    by_hand, at_once = (
        hold(solver().solve(t.problem), t.chunks),
        converse(solver().solve(t.problem), t.chunks),
    )
    assert at_once.state.point is not None
    assert by_hand.point.w.tobytes() == at_once.state.point.w.tobytes()


# --------------------------------------------------------------------------------- the contract


@every_solver
def test_it_yields_questions_with_states(solver: type[Solver]) -> None:
    t = task("correlated", loss_for(solver), "none", tol=1e-10, max_passes=PASSES.get(solver, 100))
    talk = hold(solver().solve(t.problem), t.chunks)
    assert all(isinstance(turn, Turn) and isinstance(turn.question, Question) for turn in talk.turns)
    passes = [turn.state.passes for turn in talk.turns]
    assert passes == sorted(passes)
    read = [name in READS_ALL_ROWS for name in talk.names]
    assert passes == [sum(read[:i]) for i in range(len(read))]
    assert talk.solution.state.passes == sum(read)


@every_solver
def test_a_state_is_arrays_and_numbers(solver: type[Solver]) -> None:
    t = task("correlated", loss_for(solver), "none", tol=1e-10, max_passes=PASSES.get(solver, 100))
    talk = hold(solver().solve(t.problem), t.chunks)
    for state in [turn.state for turn in talk.turns] + [talk.solution.state]:
        assert all(type(a) is np.ndarray and a.dtype == np.float64 for a in state.arrays.values())
        assert all(type(number) is float for number in state.numbers.values())
        if state.point is not None:
            assert [a.dtype for a in (state.point.w, state.point.b, state.point.centre)] == [np.float64] * 3
        if state.progress is not None:
            assert all(isinstance(value, float | str) for value in vars(state.progress).values())


@pytest.mark.thinned(4)
@every_solver
@pytest.mark.parametrize("family", ["correlated", "heavy-tailed"])
def test_it_goes_on_from_any_state(solver: type[Solver], family: str) -> None:
    t = task(family, loss_for(solver), "none", tol=1e-9, max_passes=PASSES.get(solver, 100))
    talk = hold(solver().solve(t.problem), t.chunks)
    best = known_minimum(family, loss_for(solver), "none")
    for state in [State(), *states_with_a_point(talk), talk.solution.state]:
        resumed = hold(solver().solve(t.problem, replace(state, progress=None)), t.chunks)
        assert resumed.solution.converged
        assert relative_excess(t, resumed.point, best) < 1e-8
        if state.point is not None and solver is not LeastSquares:  # one pass is all that it has to learn
            assert resumed.names[0] == "Sweep", "what was learned must not be asked for again"
            assert resumed.solution.state.passes > state.passes


@every_solver
@pytest.mark.parametrize("most", [1, 2, 3])
def test_it_reads_no_more_often_than_it_may(solver: type[Solver], most: int) -> None:
    t = task("correlated", loss_for(solver), "none", tol=1e-15, max_passes=most)
    talk = hold(solver().solve(t.problem), t.chunks)
    assert sum(name in READS_ALL_ROWS for name in talk.names) <= most
    assert talk.solution.state.point is not None
    assert talk.solution.state.progress is not None
    if not talk.solution.converged:
        assert talk.solution.state.progress.gap > 1e-15


@every_solver
def test_a_fit_that_was_at_its_limit_does_not_read_on(solver: type[Solver]) -> None:
    if solver is LeastSquares:
        pytest.skip("one pass is all that it has to learn")
    t = task("correlated", loss_for(solver), "none", tol=1e-15, max_passes=2)
    state = hold(solver().solve(t.problem), t.chunks).solution.state
    again = hold(solver().solve(t.problem, state), t.chunks)
    assert again.names == [] and again.solution.state is state and not again.solution.converged


@every_solver
def test_a_start_at_the_minimum_is_recognised(solver: type[Solver]) -> None:
    t = task("shifted", loss_for(solver), "ridge")
    found = hold(solver().solve(replace(t.problem, tol=1e-12)), t.chunks).point
    raw = Point(found.w, found.raw_intercept, np.zeros(t.problem.features), True)
    again = hold(solver().solve(replace(t.problem, start=raw)), t.chunks)
    assert again.solution.state.passes == 1
    assert relative_excess(t, again.point, t.objective(found)) < 1e-10


@every_solver
def test_it_knows_no_more_than_it_is_told(solver: type[Solver]) -> None:
    """The first question does not depend on the data, and asking it does not change the problem."""
    t = task("iid", loss_for(solver), "ridge")
    first = [next(solver().solve(t.problem)).question.kernel for _ in range(2)]
    assert type(first[0]) is type(first[1])
    assert not isinstance(first[0], Sweep)


# ------------------------------------------------------------------------------------ refusals


@every_solver
def test_what_it_cannot_do_is_refused_by_name(solver: type[Solver]) -> None:
    hinged: Any = object.__new__(type("Hinged", (), {"smooth": False, "quadratic": False, "name": "hinged"}))
    if "smooth penalty" in solver.needs:
        with pytest.raises(UnsupportedCombination, match=f"'{solver.name}' needs a smooth penalty") as told:
            solver().refuse(Squared(), ElasticNet(1.0))
        assert all(part in str(told.value) for part in ("'squared'", "'elastic net'", "auto"))
    else:
        solver().refuse(Squared(), ElasticNet(1.0))
    with pytest.raises(UnsupportedCombination, match="needs a (smooth|quadratic) loss"):
        solver().refuse(hinged, L2(1.0))
    for loss in LOSSES.values():
        if loss.quadratic or solver is not LeastSquares:
            solver().refuse(loss, L2(1.0))
        else:
            with pytest.raises(UnsupportedCombination, match="needs a quadratic loss"):
                solver().refuse(loss, L2(1.0))


def test_solvers_are_named() -> None:
    assert named("auto", Logistic(), L2(1.0)) is None
    assert isinstance(named("newton", Logistic(), L2(1.0)), DampedNewton)
    with pytest.raises(
        UnsupportedParameter, match="solver='sag' was given; expected one of 'auto', .*'lbfgs'"
    ):
        named("sag", Logistic(), L2(1.0))
    with pytest.raises(UnsupportedCombination, match="solver='least-squares' needs a quadratic loss"):
        named("least-squares", Poisson(), L2(1.0))


def test_automatic() -> None:
    base = task("iid", "logistic", "ridge").problem

    def chosen(loss: Loss, rows: int, parameters: int, **others: Any) -> type[Solver]:
        features = parameters // (loss.margins if isinstance(loss, Softmax) else 1) - base.intercept
        return type(automatic(replace(base, loss=loss, rows=rows, features=features, **others)))

    enough = choose.FEW_ROWS * 20
    many = least_squares.MOST_FEATURES
    assert chosen(Squared(), 100, 10) is chosen(Squared(), 10**6, many) is LeastSquares
    assert chosen(Squared(), 10**6, many + 1) is TrustRegionNewton
    assert chosen(Logistic(), 10**6, choose.MOST_PARAMETERS + 1) is TrustRegionNewton
    assert chosen(Logistic(), 10**6, choose.MOST_PARAMETERS) is ProgressiveNewton
    assert chosen(Softmax(10), 10**6, 1000) is ProgressiveNewton
    assert chosen(Softmax(10), 10**6, 10_000) is BlockLBFGS
    assert chosen(Softmax(100), 10**6, 10**6) is TrustRegionNewton
    assert chosen(Logistic(), enough - 1, 20) is DampedNewton
    assert chosen(Poisson(), enough, 20) is ProgressiveNewton
    assert chosen(Poisson(), 10**6, choose.SPARSE_HESSIAN, sparse=True) is ProgressiveNewton
    assert chosen(Poisson(), 10**6, choose.SPARSE_HESSIAN + 1, sparse=True) is TrustRegionNewton
    few = choose.MOST_SPARSE
    assert chosen(Logistic(), 10**6, few, sparse=True, penalty=ElasticNet(1.0)) is ProgressiveNewton
    assert chosen(Squared(), 10**6, few, sparse=True) is LeastSquares
    assert chosen(Squared(), 10**6, few + 1, sparse=True) is TrustRegionNewton
    assert chosen(Squared(), 10**6, few, sparse=True, penalty=ElasticNet(1.0)) is LeastSquares
    for loss in (Squared(), Logistic()):
        assert chosen(loss, 10**6, few + 1, sparse=True, penalty=ElasticNet(1.0)) is WorkingSet
        assert chosen(loss, 10**6, many + 1, penalty=Bounded(L2(1.0), 0.0)) is WorkingSet
    with pytest.raises(UnsupportedCombination, match="sparse with 9999 features, y has 10 classes.*'elastic"):
        chosen(Softmax(10), 10**6, 10**5, sparse=True, penalty=ElasticNet(1.0))
    wide = replace(base, features=many, sparse=True, penalty=ElasticNet(1.0))
    alone = automatic(wide)
    for among_many in (automatic(wide, alone=False), automatic(replace(wide, targets=2))):
        assert isinstance(alone, WorkingSet) and isinstance(among_many, WorkingSet)
        assert 10 * among_many.gathered_bytes(wide) < alone.gathered_bytes(wide)


#: they choose among penalties, and are asked where estimators use them
SEARCHES = {LassoSearch, RidgeAccuracy, RidgeLeaveOneOut, RidgeSearch}


def test_every_solver_is_asked() -> None:
    concrete = {
        cls
        for name in solvers.__all__
        if inspect.isclass(cls := getattr(solvers, name))
        and issubclass(cls, Solver)
        and not inspect.isabstract(cls)
    }
    # those of joint losses have tests of their own, and no name; Narrowing is for kinks only; those of groups
    # are asked in test_every_group_solver.py; stochastic descents do not come near enough, and are asked in
    # linear_model/test_sgd.py and test_sgd_rates.py
    grouped = set(GROUP_SOLVERS.values())
    assert concrete - SEARCHES - grouped == {*EVERY, BlockLBFGS, Narrowing, RateSearch, StochasticGradient}
    assert all(issubclass(solver, GroupSolver) for solver in grouped)
    assert {*EVERY, Narrowing} == set(SOLVERS.values())
    assert all(SOLVERS[solver.name] is solver for solver in SOLVERS.values())


# --------------------------------------------------------------------------------- the lies


class _StopsAtOnce(Solver):
    """Says that the constant model is the minimum."""

    name = "lazy"
    needs = frozenset()

    def solve(self, problem: Any, state: State | None = None) -> Conversation:
        p = problem.features
        yield Turn(Question(Moments(np.zeros(p), np.zeros(1))), State())
        progress = solvers.Progress(1.0, 0.0, "closed-form", 0.0, 0.0)
        return solvers.Solution(
            State(1, Point(np.zeros((1, p)), np.zeros(1), np.zeros(p), True), progress), True
        )


class _NeverStops(Solver):
    name = "eager"
    needs = frozenset()

    def solve(self, problem: Any, state: State | None = None) -> Conversation:
        return (yield from DampedNewton().solve(replace(problem, max_passes=9), state))


def test_a_false_minimum_is_seen() -> None:
    with pytest.raises(AssertionError):
        test_it_finds_the_minimum(_StopsAtOnce, "iid", "squared", "ridge")


def test_a_false_proof_is_seen() -> None:
    with pytest.raises(AssertionError):
        check_gap(1e-9, "self-concordance", 1e-8)


def test_too_many_passes_are_seen() -> None:
    with pytest.raises(AssertionError):
        test_it_reads_no_more_often_than_it_may(_NeverStops, 1)
