"""How many workers: for a deadline, for a budget, or as many as are worth it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np

from daskml_dist.advice._cost import fit_cost
from daskml_dist.advice._machine import Machine
from daskml_dist.advice._simulate import MOST_WORKERS
from daskml_dist.advice._words import count_of, time_of
from daskml_dist.advice._work import Work

_WORTH = 0.5  # efficiency below which a worker is not worth it


@final
@dataclass(frozen=True)
class Nodes:
    """A number of workers.

    Attributes
    ----------
    workers : how many; of those that come nearest where nothing is enough.
    seconds : of a fit with them. worker_seconds : what that costs.
    met : whether deadline and budget are kept.
    why : in words.
    """

    workers: int
    seconds: float
    worker_seconds: float
    met: bool
    why: str

    def __repr__(self) -> str:
        return self.why


def nodes_for(work: Work, machine: Machine, deadline: float | None, budget: float | None) -> Nodes:
    """The fewest workers that keep the deadline within the budget, as far as there are any.

    Parameters
    ----------
    deadline : seconds of a fit, or None.
    budget : seconds of a fit times workers, or None.
    """
    times = {workers: fit_cost(work, machine.at(workers)).seconds for workers in _candidates(work, machine)}
    within = {w: t for w, t in times.items() if budget is None or w * t <= budget}
    in_time = {w: t for w, t in within.items() if deadline is None or t <= deadline}
    if deadline is None and budget is None:
        return _worthwhile(times)
    if not in_time:
        return _missed(times, within, deadline, budget)
    workers = min(in_time) if deadline is not None else min(in_time, key=lambda w: in_time[w])
    seconds = times[workers]
    asked = "" if deadline is None else f" within {time_of(deadline)}"
    paid = "" if budget is None else f" of {time_of(budget)} x workers"
    why = (
        f"{count_of(workers, 'worker')}{asked}: a fit takes {time_of(seconds)} and costs "
        f"{time_of(workers * seconds)} x workers{paid}."
    )
    return Nodes(workers, seconds, workers * seconds, True, why)


def _missed(
    times: dict[int, float], within: dict[int, float], deadline: float | None, budget: float | None
) -> Nodes:
    """Say what comes nearest."""
    near = min(within or times, key=lambda w: times[w] if within else w * times[w])
    seconds, asked = times[near], []
    if not within and budget is not None:
        asked.append(
            f"No number of workers keeps the budget of {time_of(budget)} x workers; the cheapest is "
            f"{count_of(near, 'worker')}, {time_of(near * seconds)} x workers. Take fewer rows or a looser "
            "tol."
        )
    elif deadline is not None:
        limit = "" if budget is None else " within the budget"
        asked.append(
            f"No number of workers keeps the deadline of {time_of(deadline)}{limit}; the fastest is "
            f"{count_of(near, 'worker')}, {time_of(seconds)}. Take fewer rows, larger chunks, or faster "
            "workers."
        )
    return Nodes(near, seconds, near * seconds, False, " ".join(asked))


def _worthwhile(times: dict[int, float]) -> Nodes:
    """The most workers of which each still does half a worker's work."""
    worth = [w for w, t in times.items() if times[1] / (w * t) >= _WORTH]
    workers = min(worth, key=lambda w: times[w])
    seconds = times[workers]
    why = (
        f"{count_of(workers, 'worker')}: a fit takes {time_of(seconds)}, {times[1] / seconds:.3g} times as "
        f"fast as on one, {times[1] / (workers * seconds):.0%} of them at work. Beyond, less than half of "
        "each would be."
    )
    return Nodes(workers, seconds, workers * seconds, True, why)


def _candidates(work: Work, machine: Machine) -> list[int]:
    """Numbers of workers that are tried; more than there are chunks are of no use."""
    most = max(min(MOST_WORKERS, math.ceil(len(work.chunks) / machine.threads)), 1)
    some = np.geomspace(1, most, 300).round().astype(int).tolist()
    return sorted({*range(1, min(most, 64) + 1), *some})
