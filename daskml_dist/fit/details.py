"""What a conversation reveals beside the numbers of its steps."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import final

import numpy as np

from daskml_dist.cluster import Hands
from daskml_dist.kernels import Point
from daskml_dist.monitor import (
    Candidates,
    Coefficients,
    Detail,
    GroupsSeen,
    HeldOutScore,
    Placed,
    Stale,
    Work,
)
from daskml_dist.solvers import (
    SCORE,
    SCORE_ERROR,
    SERVED,
    STALENESS,
    GroupProblem,
    Problem,
    State,
    Uncertainty,
    uncertainty,
    unsuited,
)
from daskml_dist.types import FloatArray

LARGEST = 20
"""Coefficients that are told."""

_PAUSE = 0.25  # seconds between two tellings of the same


@final
class Details:
    """Looks at the states of a fit, and at the hands after each answer, as often as somebody can see.

    Parameters
    ----------
    hands : who answers.
    problem : what is solved.
    began : when, by ``time.monotonic``.
    """

    def __init__(self, hands: Hands, problem: Problem, began: float) -> None:
        self.hands, self.problem, self.began = hands, problem, began
        self._told = self._since = began
        self._unsuited = unsuited(problem)
        self._passes = self._scored = -1
        self._followed: list[int] = []  # coefficients that were among the largest
        self._asked, self._slowest, self._nbytes = 0.0, 0.0, 0
        self._busy: dict[str, float] = {}

    def placed(self) -> Iterator[Detail]:
        """Who answers for what; nothing where the cluster does not say."""
        with suppress(OSError, TimeoutError, AttributeError):  # no plan yet, or nobody to ask
            yield Placed(self.hands.layout())

    def answered(self) -> None:
        """A question was answered."""
        cost, busy = self.hands.cost, self.hands.busy
        self._asked += cost.seconds
        self._nbytes += cost.partial_bytes
        self._slowest += min(max((one.seconds for one in busy), default=0.0), cost.seconds)
        for one in busy:
            self._busy[one.worker] = self._busy.get(one.worker, 0.0) + one.seconds

    def of(self, state: State, last: bool = False) -> Iterator[Detail]:
        """What is to be told now.

        Parameters
        ----------
        state : the newest one.
        last : whether nothing comes after it, so that what is left must be told now.
        """
        if SCORE in state.numbers and state.passes != self._scored:
            self._scored = state.passes
            score, error = state.numbers[SCORE], state.numbers[SCORE_ERROR]
            yield HeldOutScore(state.passes, self._seconds(), float(score), float(error))
        now = time.monotonic()
        if state.passes == self._passes or not (last or now - self._told >= _PAUSE or self._passes < 0):
            return
        self._passes, self._told = state.passes, now
        yield from self._all(state, now)
        if last and "held_out" in state.arrays:
            yield scored("mean loss on held-out rows", state.arrays["held_out"])

    def _all(self, state: State, now: float) -> Iterator[Detail]:
        if state.point is not None:
            yield self._largest(state, state.point)
        if self._asked:
            yield self._work(state.passes, now)
        if "group_losses" in state.arrays and isinstance(self.problem, GroupProblem):
            yield self._groups(self.problem, state)
        served = _served(state.numbers)
        if served:
            yield Stale(state.passes, self._seconds(), *served)

    def _seconds(self) -> float:
        return time.monotonic() - self.began

    def _largest(self, state: State, point: Point) -> Coefficients:
        """The largest coefficients of all margins, and as many again that were among them before."""
        flat = np.nan_to_num(point.w.ravel())
        few = min(LARGEST, flat.size)
        now = np.argpartition(-np.abs(flat), few - 1)[:few] if few else np.empty(0, dtype=np.int64)
        largest = dict.fromkeys(now.tolist())
        before = [i for i in self._followed if i not in largest]
        self._followed = [*largest, *before[:LARGEST]]
        names = tuple(self._name(i, *point.w.shape) for i in self._followed)
        values = tuple(flat[self._followed].tolist())
        why_not = self._unsuited
        sure = Uncertainty(np.empty(0), why_not) if why_not else uncertainty(self.problem, state, now)
        return Coefficients(
            state.passes, self._seconds(), names, values, tuple(sure.errors.tolist()), sure.source
        )

    def _name(self, i: int, margins: int, features: int) -> str:
        names = self.hands.names
        name = f"x{i % features}" if names is None else str(names[i % features])
        return name if margins == 1 else f"{name} (class {i // features})"

    def _work(self, passes: int, now: float) -> Work:
        told = Work(
            passes,
            now - self.began,
            now - self._since,
            self._asked,
            self._slowest,
            tuple(self._busy),
            tuple(self._busy.values()),
            int(self._nbytes),
        )
        self._since = now
        self._asked, self._slowest, self._nbytes, self._busy = 0.0, 0.0, 0, {}
        return told

    def _groups(self, problem: GroupProblem, state: State) -> GroupsSeen:
        losses, weights = state.arrays["group_losses"], state.arrays["group_weights"]
        names = problem.names or tuple(map(str, range(len(losses))))
        seen = tuple(np.ravel(losses).tolist()), tuple(np.ravel(weights).tolist())
        return GroupsSeen(state.passes, self._seconds(), names, *seen)


def _served(numbers: Mapping[str, float]) -> tuple[tuple[int, ...], tuple[int, ...], int, int] | None:
    """Staleness, pulls that were so stale, pushes and bytes; None without servers of parameters."""
    prefix = SERVED + STALENESS
    found = {int(name.removeprefix(prefix)): n for name, n in numbers.items() if name.startswith(prefix)}
    if not found:
        return None
    stale = sorted(found)
    pulls = tuple(int(found[s]) for s in stale)
    return tuple(stale), pulls, int(numbers[f"{SERVED}pushes"]), int(numbers[f"{SERVED}nbytes"])


def scored(metric: str, losses: FloatArray) -> Candidates:
    """What (C, S) losses on the held-out rows of splits say of candidates; the lowest mean is best."""
    finite = np.where(np.isfinite(losses), losses, np.nan)
    splits = losses.shape[1]
    errors = finite.std(axis=1, ddof=1) / np.sqrt(splits) if splits > 1 else np.full(len(losses), np.nan)
    names = tuple(f"candidate {c + 1}" for c in range(len(losses)))
    means = np.nan_to_num(finite.mean(axis=1), nan=np.inf)
    return Candidates(metric, names, tuple(means.tolist()), tuple(errors.tolist()), int(np.argmin(means)))
