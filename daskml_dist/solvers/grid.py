"""A grid of problems, candidates by splits, solved in the same few passes."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any, final

from daskml_dist.kernels import Point, Question, View
from daskml_dist.solvers._base import Conversation, Problem, Solver, State, Turn
from daskml_dist.solvers.descent import Evaluation, Policy, descend
from daskml_dist.solvers.metric import Metric
from daskml_dist.solvers.model_step import model_step
from daskml_dist.solvers.pilot import UNTRUSTED, Pilot, PilotAnswer, weighted_mean
from daskml_dist.solvers.progressive_newton import ProgressiveNewton, hessians, sample_for
from daskml_dist.solvers.together import Meeting, Member, together
from daskml_dist.splits import Folds
from daskml_dist.types import Chunk


@final
@dataclass(frozen=True)
class Grid:
    """Candidates, each to be trained on each split and, in the end, on all rows.

    Attributes
    ----------
    problems : [c][s] of candidate c and split s; the last one of a candidate has all rows.
    views : [s] what they see.
    folds : of the splits.
    """

    problems: tuple[tuple[Problem, ...], ...]
    views: tuple[View, ...]
    folds: Folds

    def solve(self, solver: Solver) -> Generator[Turn, Any, Meeting]:
        """Solve all of them; the answers come candidate by candidate, split by split."""
        judged = [replace(view, part="tested", class_weight=None) for view in self.views[:-1]]
        whole, passes = self.problems[0][-1], 0
        conversations = [[solver.solve(problem) for problem in row] for row in self.problems]
        if isinstance(solver, ProgressiveNewton):
            sample = replace(sample_for(whole), folds=self.folds)
            answers = yield Turn(Question(sample, PilotGrid(self)), State())
            passes = 1 if whole.streamed else 0
            conversations = [
                [_descent(problem, answer, passes) for problem, answer in zip(*row, strict=True)]
                for row in zip(self.problems, answers, strict=True)
            ]
        members = [
            Member(conversation, view, judge)
            for row in conversations
            for conversation, view, judge in zip(row, self.views, [*judged, None], strict=True)
        ]
        return (yield from together(members, self.folds, passes))


def _descent(problem: Problem, pilot: PilotAnswer, passes: int) -> Conversation:
    """Without proofs: the radius of a proof costs as much as a Hessian, for each problem."""
    hessian = "always" if pilot.contraction > UNTRUSTED else hessians(problem)
    policy = Policy(hessian, pilot.null_value, pilot.contraction, prove=False)
    return descend(problem, policy, Metric.of(pilot.hessian), State(passes), pilot.point)


@final
@dataclass(frozen=True)
class PilotGrid:
    """Solve a grid on a sample of the rows, inside the task that gathered them.

    Each candidate is solved on all rows, from the minimum of the one before it. The splits of a candidate
    differ little from that: they get one step from there, in the same metric.
    """

    grid: Grid

    def __call__(self, sample: Chunk) -> list[list[PilotAnswer]]:
        """[c][s] where to start, and what the sample tells of F there."""
        grid = self.grid
        seen = [view.of(sample, grid.folds, sample.groups) for view in grid.views]
        centre = weighted_mean(seen[-1])
        answers, start = [], None
        for row in grid.problems:
            if not row[-1].intercept:
                centre = 0.0 * centre
            whole = Pilot(row[-1]).on(seen[-1], centre, start)
            trusted = whole.contraction <= UNTRUSTED
            start = whole.point if trusted else None
            metric = Metric.of(whole.hessian)
            points = [
                _moved(problem, whole.point, metric, part) if trusted else whole.point
                for problem, part in zip(row[:-1], seen[:-1], strict=True)
            ]
            answers.append([replace(whole, point=point) for point in [*points, whole.point]])
        return answers


def _moved(problem: Problem, point: Point, metric: Metric, part: Chunk) -> Point:
    """One step towards the minimum over some of the rows."""
    here = Evaluation.on(problem, point, part)
    step, _ = model_step(problem, point, here.gradient, metric)
    return point.at((point.theta[0] + step)[None])
