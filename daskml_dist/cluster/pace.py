"""How fast each worker was, and how even the passes were: numbers only, no Dask and no clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, median
from typing import final

from daskml_dist.partition import BALANCED, Plan

SMOOTHING = 0.3  # the weight of the newest measurement
CONSECUTIVE = 2  # passes out of balance before something is done
OBVIOUS = 2.0  # imbalance from which on one is enough
LEAST = 0.05  # seconds: shorter passes wait for messages more than for work
_CHANGED = 1.25  # two measurements that are off by more than this in the same direction: the past is over


@final
class Pace:
    """What the passes so far tell of the workers.

    The pace of a worker is its seconds for a unit of work over the median of the workers in the same
    pass, so that passes of different kernels can be compared; it is smoothed exponentially.
    """

    def __init__(self, known: Mapping[str, float] | None = None) -> None:
        self.relative: dict[str, float] = dict(known or {})
        self.sweeps = 0
        self.imbalance = 1.0
        self._uneven = 0
        self._last: dict[str, float] = {}
        self._now: dict[str, float] = {}
        self._unit = 0.0

    def heard(
        self, work: Sequence[float], owners: Sequence[str], seconds: Sequence[float], idle: int
    ) -> None:
        """Note a pass.

        Parameters
        ----------
        work : of each shard, such as its rows.
        owners : the worker that did it.
        seconds : how long that took.
        idle : slots that had no shard.
        """
        self.sweeps += 1
        mean = sum(seconds) / (len(seconds) + idle) if seconds else 0.0
        if not mean or max(seconds) < LEAST:
            return
        self.imbalance = max(seconds) / mean
        self._uneven = self._uneven + 1 if self.imbalance > BALANCED else 0
        self._now = _rates(work, owners, seconds)
        self._unit = median(self._now.values()) if self._now else 0.0
        for worker, rate in self._now.items():
            if self._unit > 0.0:
                self._smooth(worker, rate / self._unit)

    @property
    def uneven(self) -> bool:
        """Whether passes were out of balance often enough, or obviously."""
        return self._uneven >= CONSECUTIVE or (self._uneven > 0 and self.imbalance > OBVIOUS)

    @property
    def measured(self) -> bool:
        """Whether there was a pass long enough to be measured."""
        return self._unit > 0.0

    def paces(self) -> dict[str, float]:
        """Seconds for a unit of work of the last kind on a thread of each worker."""
        return {worker: pace * (self._unit or 1.0) for worker, pace in self.relative.items()}

    def settled(self) -> None:
        """Something was decided; what comes is counted anew."""
        self._uneven = 0

    def would_take(self, plan: Plan, costs: Sequence[float]) -> float | None:
        """Seconds of the last pass under another plan; None where one of its workers was not heard."""
        if not set(plan.owners) <= set(self._now):
            return None
        loads = zip(plan.shards, plan.owners, strict=True)
        return max(self._now[owner] * sum(costs[i] for i in ids) for ids, owner in loads)

    def _smooth(self, worker: str, pace: float) -> None:
        known, last = self.relative.get(worker), self._last.get(worker)
        self._last[worker] = pace
        if known is None:
            self.relative[worker] = pace
        elif last is not None and _off(known, (last, pace)):
            self.relative[worker] = fmean((last, pace))
        else:
            self.relative[worker] = SMOOTHING * pace + (1.0 - SMOOTHING) * known


def _rates(work: Iterable[float], owners: Iterable[str], seconds: Iterable[float]) -> dict[str, float]:
    """Seconds for a unit of work, of each worker that had any."""
    total: dict[str, tuple[float, float]] = {}
    for done, owner, spent in zip(work, owners, seconds, strict=True):
        before = total.get(owner, (0.0, 0.0))
        total[owner] = (before[0] + done, before[1] + spent)
    return {owner: spent / done for owner, (done, spent) in total.items() if done > 0.0}


def _off(known: float, measured: tuple[float, float]) -> bool:
    """Whether both measurements are far above what was known, or both far below."""
    return min(measured) > _CHANGED * known or max(measured) * _CHANGED < known
