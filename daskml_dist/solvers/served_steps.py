"""Steps at servers of parameters: nodes pull, step by their own rows, and push, each at its own pace."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from daskml_dist.kernels import Batch
from daskml_dist.parameter_server import Counts, Descent, Held, Served
from daskml_dist.solvers._base import State, Turn
from daskml_dist.solvers.synchronous import Steps, Task
from daskml_dist.solvers.track import Epoch, Track
from daskml_dist.types import FloatArray

STALENESS = "staleness_"  # before a number of clocks, of the number of pulls that were so stale
_KEPT_BYTES = 1 << 26  # of the pushes that a node keeps, at most: then servers go into a checkpoint


def parameter_server(task: Task, track: Track, state: State) -> Steps:
    """One epoch at the servers; a question a checkpoint: one, unless parameters are many."""
    assert state.point is not None
    epoch, track, begun = Epoch(track, state.point), task.begun(track), state
    for first, last in _between_checkpoints(task, track):
        served: Served = yield Turn(_descent(task, track, first, last), state)
        _note(epoch, track, served)
        if epoch.diverged:
            break
        track = _moved(track, served)
        epoch.keep(track.model(task.stepping.optimizer))
        state = replace(begun, point=epoch.kept)
    return task.turned(track, epoch), epoch


def _between_checkpoints(task: Task, track: Track) -> Iterator[tuple[int, int]]:
    """Runs of clocks whose pushes a node can keep."""
    exact = 26 if task.consistency.whole_clocks else 8  # bytes of a number
    most = max(_KEPT_BYTES // (exact * track.theta.size), 1)
    return ((first, min(first + most, task.steps)) for first in range(0, task.steps, most))


def _descent(task: Task, track: Track, first: int, last: int) -> Descent:
    average: tuple[float, float] | None = None
    if task.average is not None:
        average = (1.0, 0.0) if task.average == "auto" else (0.0, float(task.average))
    return Descent(
        loss=task.problem.loss,
        point=track.chosen.point,
        views=task.views,
        weights=task.weights,
        walk=replace(task.walk, epoch=int(track.epochs), parts=task.steps),
        stepping=task.stepping,
        held=Held(track.theta, track.mean, track.averaged, track.memory, track.seen),
        first=first,
        last=last,
        rows=task.rows,
        rate=track.chosen.rates(task.rows, task.factor) if task.automatic else None,
        average=average,
        consistency=task.consistency,
        servers=task.servers,
    )


def _note(epoch: Epoch, track: Track, served: Served) -> None:
    """Tell the epoch what each clock has told."""
    told = zip(served.batches, served.directions, served.penalties, strict=True)
    with np.errstate(over="ignore", invalid="ignore"):
        for (weight, value), direction, penalty in told:
            epoch.add(Batch(weight, value, direction), _slope(track, direction), direction, penalty)
            if epoch.diverged:
                return
        epoch.places += served.places
    epoch.diverged = not served.finite


def _slope(track: Track, direction: FloatArray) -> FloatArray:
    """The slope of F that a direction is made of."""
    metric = track.chosen.metric
    if metric.ndim == 3:
        return np.asarray(np.einsum("kij,kj->ki", metric, direction))
    return metric * direction if metric.size else direction


def _moved(track: Track, served: Served) -> Track:
    held = served.held
    counted = dict(track.served)
    for name, number in _numbers(served.counts).items():
        counted[name] = counted.get(name, 0.0) + number
    largest = max(counted.get("largest_staleness", 0.0), float(served.counts.largest_staleness))
    counted["largest_staleness"] = largest
    return replace(
        track,
        theta=held.theta,
        mean=held.mean,
        averaged=held.averaged,
        memory=held.memory,
        seen=held.seen,
        served=counted,
    )


def _numbers(counts: Counts) -> dict[str, float]:
    """What adds up over epochs."""
    names = ("pushes", "duplicates", "released", "nbytes", "restored", "went_back")
    numbers = {name: float(getattr(counts, name)) for name in names}
    return numbers | {f"{STALENESS}{s}": float(pulls) for s, pulls in counts.staleness.items()}
