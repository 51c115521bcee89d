"""A target of several columns for solvers that have one: each column is a conversation of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from daskml_dist.kernels import Point, View
from daskml_dist.solvers._base import Conversation, Problem, Solution, Solver, State
from daskml_dist.solvers.joined import joined_point, joined_progress
from daskml_dist.solvers.together import Member, at_once, held, in_turn, noted

A = TypeVar("A")


def by_target(solver: Solver, problem: Problem, state: State | None = None) -> Conversation:
    """Solve for all targets, from the start, or going on from a state.

    A solver that takes many targets is asked for all of them, and any other one for each by itself. These
    conversations share their passes, and what they know is one state, with which a training is interrupted,
    kept and gone on with like that of one target. ``max_passes`` is how many each of them may make.
    """
    if problem.targets == 1 or solver.many_targets:
        return (yield from solver.solve(problem, state))
    targets = range(problem.targets)
    states = [_own(state, t) for t in targets]
    begun = [None if own.point is None else own for own in states]
    talks = [solver.solve(_one(problem, t), begun[t]) for t in targets]
    members = [Member(noted(talk, states, t), View(target=t)) for t, talk in enumerate(talks)]
    meeting = in_turn(members, at_once(solver, problem), 0 if state is None else state.passes)
    met = yield from held(meeting, lambda own: _joined(states, own.passes))
    solutions = [one.solution for one in met.judged]
    notes = {f"{note} (target {t})": None for t, one in enumerate(solutions) for note in one.notes}
    return Solution(met.state, all(one.converged for one in solutions), notes=tuple(notes))


def _one(problem: Problem, t: int) -> Problem:
    """The problem of one target."""
    start = None if problem.start is None else _row(problem.start, t)
    return replace(problem, penalty=problem.penalty.of(t), targets=1, mean=problem.mean[[t]], start=start)


def _joined(states: Sequence[State], passes: int) -> State:
    """What is known of all targets; no point until there is one of each."""
    points = [state.point for state in states if state.point is not None]
    reports = [state.progress for state in states if state.progress is not None]
    return State(
        passes,
        joined_point(points) if len(points) == len(states) else None,
        joined_progress(reports) if reports else None,
        _numbered([state.arrays for state in states]),
        _numbered([{**state.numbers, "passes": float(state.passes)} for state in states]),
    )


def _own(state: State | None, t: int) -> State:
    """What such a state knows of one target."""
    if state is None or state.point is None:
        return State()
    arrays, numbers = _of_number(state.arrays, t), _of_number(state.numbers, t)
    return State(int(numbers.pop("passes")), _row(state.point, t), None, arrays, numbers)


def _row(point: Point, t: int) -> Point:
    return replace(point, w=point.w[[t]], b=point.b[[t]])


def _numbered(parts: Sequence[Mapping[str, A]]) -> dict[str, A]:
    """The entries of all targets, by the number of the target and their names."""
    return {f"{t} {name}": entry for t, part in enumerate(parts) for name, entry in part.items()}


def _of_number(entries: Mapping[str, A], t: int) -> dict[str, A]:
    start = f"{t} "
    return {name.removeprefix(start): entry for name, entry in entries.items() if name.startswith(start)}
