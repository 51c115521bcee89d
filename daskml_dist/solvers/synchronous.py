"""Synchronous steps: each node draws a share of its rows, their gradients are summed, one step is made."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any, Literal, final

import numpy as np

from daskml_dist.kernels import Batch, MiniBatch, Question, Stepping, View, Walk
from daskml_dist.parameter_server import Consistency
from daskml_dist.solvers._base import Problem, State, Turn
from daskml_dist.solvers.track import Epoch, Track
from daskml_dist.splits import Folds
from daskml_dist.types import FloatArray

MOST_STEPS = 128  # of an epoch: a round takes some 20 ms on a cluster, and gains hardly anything beyond
LEAST_ROWS = 32  # of a step
_PIECES = 8  # of an epoch, after each of which the model is looked at

Steps = Generator[Turn, Any, tuple[Track, Epoch]]


@final
@dataclass(frozen=True)
class Task:
    """What is to be done in an epoch, of K problems.

    Attributes
    ----------
    problem : the first of the problems; they differ in their targets and weights alone.
    views : how each of them sees the rows.
    weights : (K,) sums of the weights of the rows that are trained on.
    walk : in which order rows come, and which are held out.
    stepping : from a gradient to the next point.
    automatic : whether the choice from the sample says how long steps are.
    average : see ``StochasticGradient``.
    rows_a_step : of all nodes together, or None.
    local_steps, control_variates, folds : see ``StochasticGradient``.
    once : whether other data come after this epoch, so that the average goes on.
    consistency, servers : of servers of parameters.
    factor : by which automatic learning rates are multiplied.
    """

    problem: Problem
    views: tuple[View, ...]
    weights: FloatArray
    walk: Walk
    stepping: Stepping
    automatic: bool
    average: Literal["auto"] | int | None
    rows_a_step: int | None
    once: bool
    local_steps: int | None = None
    control_variates: bool | str = "auto"
    folds: Folds | None = None
    consistency: Consistency = Consistency(0)
    servers: int = 1
    factor: float = 1.0

    @property
    def rows(self) -> float:
        """n, the rows of an epoch."""
        return max(self.problem.rows * (1.0 - self.walk.held), 1.0)

    @property
    def steps(self) -> int:
        """R, the steps of an epoch."""
        if self.rows_a_step is not None:
            return max(round(self.rows / self.rows_a_step), 1)
        least = max(LEAST_ROWS, 2 * min(self.problem.parameters, LEAST_ROWS))
        return min(max(int(self.rows / least), 1), MOST_STEPS)

    def begun(self, track: Track) -> Track:
        """The track at the beginning of an epoch: the average begins anew where the same rows come again."""
        again = self.average == "auto" and not self.once
        return replace(track, mean=track.theta, averaged=0.0) if again else track

    def slopes(self, batch: Batch, theta: FloatArray, parts: int) -> FloatArray:
        """(K, q) an unbiased gradient of F: rows of one of so many parts, and the penalty."""
        with np.errstate(over="ignore", invalid="ignore"):
            return self.stepping.with_penalty(batch.gradient * (parts / self.weights)[:, None], theta)

    def stepped(self, track: Track, gradient: FloatArray, rows: float) -> Track:
        """The track one step further, by a gradient over so many rows."""
        seen = track.seen + rows
        rate = self.factor * track.chosen.rate(rows, seen, self.rows) if self.automatic else None
        with np.errstate(over="ignore", invalid="ignore"):
            theta, memory = self.stepping.moved(track.theta, gradient, track.memory, rate)
            track = replace(track, theta=theta, memory=memory, seen=seen)
            return self.averaged(track, self.stepping.optimizer.model(memory, theta))

    def turned(self, track: Track, epoch: Epoch) -> Track:
        """The track after an epoch of steps that met all rows, with what they tell together."""
        whole = self.automatic and self.average == "auto" and not self.once and not epoch.diverged
        found = epoch.turned() if whole else None
        return track if found is None else replace(track, theta=found, mean=found)

    def averaged(self, track: Track, theta: FloatArray) -> Track:
        """The track with one more iterate in its average, if that is one of those that count."""
        if self.average == "auto":
            return track.averaging(theta, 1.0)
        if self.average is not None and track.seen >= self.average:
            return track.averaging(theta, 0.0)
        return track


def synchronous(task: Task, track: Track, state: State) -> Steps:
    """One epoch of steps, each by rows of all nodes; one round of questions a step."""
    assert state.point is not None
    epoch, track, optimizer = Epoch(track, state.point), task.begun(track), task.stepping.optimizer
    R, template, begun = task.steps, state.point, state
    for r in range(R):
        theta = optimizer.at(track.memory, track.theta)
        walk = replace(task.walk, epoch=int(track.epochs), part=r, parts=R)
        question = MiniBatch(task.problem.loss, template.at(theta), task.views, walk, task.folds)
        batch: Batch = yield Turn(Question(question), state)
        gradient = task.slopes(batch, theta, R)
        epoch.add(batch, gradient, task.stepping.preconditioned(gradient), task.stepping.penalties(theta))
        epoch.places += theta
        if epoch.diverged:
            break
        track = task.stepped(track, gradient, task.rows / R)
        if (r + 1) % max(R // _PIECES, 1) == 0:
            epoch.keep(track.model(optimizer))
            state = replace(begun, point=epoch.kept)  # what else it knows is of the beginning of the epoch
    return task.turned(track, epoch), epoch
