"""Model averaging: nodes descend by themselves, and their parameters are averaged by rows now and then."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import numpy as np

from daskml_dist.kernels import Averaged, Batch, Likeness, LocalSteps, MiniBatch, Question, Walk
from daskml_dist.solvers._base import State, Turn
from daskml_dist.solvers.synchronous import LEAST_ROWS, Steps, Task
from daskml_dist.solvers.track import Epoch, Track
from daskml_dist.types import FloatArray

_EIGHTHS = (0, 1, 3, 8)  # of the first epoch: rounds are twice as long each time; then they are epochs
_UNLIKE = 5.0  # F from which on chunks are taken to be unlike
_LOOKED_AT = 256  # rows of a chunk


def averaged_models(task: Task, track: Track, state: State) -> Steps:
    """One epoch of local steps, a question a round; one more for a slope before it where nodes differ."""
    assert state.point is not None
    epoch, track, begun = Epoch(track, state.point, 1), task.begun(track), state
    if task.once:  # of other rows than the start was judged by
        epoch.start_value = np.inf
    unlike = yield from _are_unlike(task, track, state)
    for part, until, parts in _rounds(task, first=track.epochs == 0.0):
        walk = replace(task.walk, epoch=int(track.epochs), part=part, parts=parts, until=until)
        slopes: FloatArray | None = None
        if unlike:
            slopes = yield from _anchor(task, track, state, epoch)
        question = _question(task, track, walk, slopes)
        found: Averaged = yield Turn(Question(question), state)
        epoch.add(found.batch, np.zeros_like(found.theta), found.theta, task.stepping.penalties(found.mean))
        if epoch.diverged:
            break
        track = _moved(task, track, found, epoch, (until - part) / parts)
        epoch.keep(track.model(task.stepping.optimizer))
        state = replace(begun, point=epoch.kept)
    return track, epoch


def _rounds(task: Task, *, first: bool) -> list[tuple[int, int, int]]:
    """Where the rounds of an epoch begin and end, as parts of it."""
    if task.local_steps is not None:
        parts = max(round(task.steps / task.local_steps), 1)
        return [(part, part + 1, parts) for part in range(parts)]
    cuts = _EIGHTHS if first else (_EIGHTHS[0], _EIGHTHS[-1])
    return [(part, until, _EIGHTHS[-1]) for part, until in zip(cuts, cuts[1:], strict=False)]


def _question(task: Task, track: Track, walk: Walk, slopes: FloatArray | None) -> LocalSteps:
    """The local steps of a round."""
    assert walk.until is not None
    share = (walk.until - walk.part) / walk.parts
    steps = max(round(task.steps * share), 1)
    total = None
    if task.automatic:
        total = task.factor * track.chosen.total(track.seen, share * task.rows, task.rows, steps)
    return LocalSteps(
        loss=task.problem.loss,
        point=track.chosen.point.at(track.theta),
        views=task.views,
        walk=walk,
        stepping=task.stepping,
        memory=track.memory,
        steps=steps,
        least=1 if task.rows_a_step is not None else LEAST_ROWS,
        total=total,
        leverage=track.chosen.leverage,
        slopes=slopes,
        folds=task.folds,
    )


def _moved(task: Task, track: Track, found: Averaged, epoch: Epoch, share: float) -> Track:
    """The track after a round; how far it has moved is an estimate of how far it is off."""
    steps = max(round(task.steps * share), 1)
    memory = replace(track.memory, step=track.memory.step + steps)
    epoch.moved(found.mean - track.mean)
    track = replace(track, theta=found.theta, memory=memory, seen=track.seen + share * task.rows)
    if task.average == "auto":
        return replace(track, mean=found.mean, averaged=1.0)
    return task.averaged(track, found.theta)


def _are_unlike(task: Task, track: Track, state: State) -> Generator[Turn, Any, bool]:
    """Whether the rows of nodes are unlike, so that their minima are not where the one of all rows is."""
    if isinstance(task.control_variates, bool):
        return task.control_variates
    point = track.chosen.point.at(track.theta)
    looked = Likeness(task.problem.loss, point, task.views, task.stepping, task.walk, _LOOKED_AT, task.folds)
    ratio: float = yield Turn(Question(looked), state)
    return ratio > _UNLIKE


def _anchor(task: Task, track: Track, state: State, epoch: Epoch) -> Generator[Turn, Any, FloatArray]:
    """The mean slope of the loss over all rows where a round begins: a pass."""
    point = track.chosen.point.at(track.theta)
    asked = MiniBatch(task.problem.loss, point, task.views, task.walk, task.folds)
    batch: Batch = yield Turn(Question(asked), state)
    epoch.passes += 1
    return np.asarray(batch.gradient / task.weights[:, None])
