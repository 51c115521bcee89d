"""A pass that says what a model is worth whose descent saw a few rows at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from daskml_dist.kernels import Point, Question, Sweep, SweepAnswer, Together, View
from daskml_dist.solvers._base import Conversation, Problem, Progress, Solution, State, Turn
from daskml_dist.solvers.descent import Evaluation, Policy, proof_of, verified
from daskml_dist.solvers.joined import joined_progress
from daskml_dist.solvers.metric import Metric
from daskml_dist.solvers.model_step import model_step
from daskml_dist.solvers.progressive_newton import hessians
from daskml_dist.types import FloatArray


def verified_model(
    problems: Sequence[Problem],
    views: tuple[View, ...],
    state: State,
    converged: bool,
    notes: tuple[str, ...],
) -> Conversation:
    """Ask for F at the model of each problem, and tell how far from the minimum it is.

    The gap is proven where a Hessian costs hardly more than a gradient, else estimated by the metric of the
    sample; without one it is not known (infinity).
    """
    assert state.point is not None
    models = [one_model(state.point, k) for k in range(len(problems))]
    metrics = _metrics(state.arrays["metric"], len(problems))
    asked: list[Question[Any]] = []
    for problem, point, metric in zip(problems, models, metrics, strict=True):
        exact = problem.loss.smooth and hessians(problem) == "always" and not problem.sparse
        factor = metric.cholesky_factor if exact and metric is not None else None
        asked.append(Question(Sweep(problem.loss, point, hessian=exact, factor=factor)))
    replies = yield Turn(Question(Together(tuple(asked), views)), state)
    null_value = state.numbers.get("null_value", np.nan) / len(problems)
    reports = [_report(*facts, null_value) for facts in zip(problems, models, metrics, replies, strict=True)]
    progress = reports[0] if len(reports) == 1 else joined_progress(reports)
    return Solution(replace(state, passes=state.passes + 1, progress=progress), converged, notes=notes)


def _report(
    problem: Problem, point: Point, metric: Metric | None, reply: SweepAnswer, null_value: float
) -> Progress:
    """What is known at the model of one problem."""
    here = Evaluation.of(problem, point, reply)
    proof = None if metric is None else proof_of(problem, here, metric)
    metric = metric if here.hessian is None else Metric.of(here.hessian)
    step, decrease = np.zeros_like(here.gradient), np.inf
    if metric is not None and np.isfinite(here.gradient).all():
        step, decrease = model_step(problem, point, here.gradient, metric)
    policy = Policy("never", null_value if np.isfinite(null_value) else here.value)
    told, _ = verified(problem, policy, here, step, decrease, Metric.of(np.eye(1)), proof, State())
    assert told.progress is not None
    return told.progress


def one_model(point: Point, k: int) -> Point:
    """The model of one problem."""
    return replace(point, w=point.w[[k]], b=point.b[[k]])


def _metrics(metric: FloatArray, problems: int) -> list[Metric | None]:
    """The metric of each problem, where there is one."""
    if not metric.size:
        return [None] * problems
    return [Metric.of(one) if one.ndim == 2 else Metric.diagonal(one) for one in metric]
