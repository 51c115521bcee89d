"""Rounds of Newton's method that take a stochastic model to the optimum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from daskml_dist.kernels import View
from daskml_dist.solvers._base import Conversation, Problem, Solution, State
from daskml_dist.solvers.descent import Policy, descend
from daskml_dist.solvers.joined import joined_point, joined_progress
from daskml_dist.solvers.metric import Metric
from daskml_dist.solvers.together import Member, held, in_turn
from daskml_dist.solvers.verified_model import one_model

_LEAST_TOL = 1e-13  # so that rounds are made as long as they gain something


def corrected(
    problems: Sequence[Problem],
    views: Sequence[View],
    state: State,
    rounds: int,
    notes: tuple[str, ...],
) -> Conversation:
    """So many Newton steps from the model of each problem, all in the same passes, and the gap there."""
    assert state.point is not None
    null_value = state.numbers.get("null_value", np.nan) / len(problems)
    policy = Policy("always", null_value, look=False)
    members = []
    for k, (problem, view) in enumerate(zip(problems, views, strict=True)):
        own = replace(problem, tol=_LEAST_TOL, max_passes=rounds + 1, start=None)
        talk = descend(own, policy, Metric.of(np.eye(own.parameters)), State(), one_model(state.point, k))
        members.append(Member(talk, view))
    meeting = in_turn(members, len(members))
    met = yield from held(meeting, lambda own: replace(state, passes=state.passes + own.passes))
    solutions = [one.solution for one in met.judged]
    points = [one.state.point for one in solutions if one.state.point is not None]
    reports = [one.state.progress for one in solutions if one.state.progress is not None]
    progress = reports[0] if len(reports) == 1 else joined_progress(reports)
    told = tuple(dict.fromkeys(note for one in solutions for note in one.notes))
    end = replace(met.state, point=joined_point(points), progress=progress)
    return Solution(end, not notes and not told, notes=(*notes, *told))
