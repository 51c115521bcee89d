"""Where a stochastic descent is, and what an epoch has told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar, final

import numpy as np

from daskml_dist.kernels import Batch, Point, averaged
from daskml_dist.optimizers import Optimizer, OptimizerState
from daskml_dist.solvers._base import Progress, State
from daskml_dist.solvers.chosen_step import Chosen, inverse_of
from daskml_dist.solvers.ground import read, written
from daskml_dist.types import FloatArray

A = TypeVar("A")

_FAR = 10.0  # times what was known at the start: an objective that stays above has diverged
_IN_A_ROW = 5
_SETTLED = 0.5  # of the size that independent noise has: a mean gradient up to which steps have settled
_PREFIX = "optimizer."
SERVED = "served."  # before the names of what servers have counted
_NUMBERS = ("seen", "averaged", "epochs", "best_loss", "failed")


@final
@dataclass(frozen=True)
class Track:
    """Where the descent of K problems is.

    Attributes
    ----------
    chosen : the start, the metric (empty where there is none), and how long steps may be.
    theta, mean : (K, q) the iterate, and the average that is the model where ``averaged`` is above zero.
    memory : of the optimizer.
    seen : rows that were stepped by so far.
    averaged : how many iterates are in the average.
    epochs : how many were made.
    best_loss, failed : the lowest loss of an epoch (or minus the score), and how many epochs were no better.
    served : what servers of parameters have counted so far.
    """

    chosen: Chosen
    theta: FloatArray
    mean: FloatArray
    memory: OptimizerState
    seen: float = 0.0
    averaged: float = 0.0
    epochs: float = 0.0
    best_loss: float = np.inf
    failed: float = 0.0
    served: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def started(cls, chosen: Chosen, optimizer: Optimizer) -> Track:
        """Before the first step."""
        theta = np.array(chosen.point.theta)
        return cls(chosen, theta, theta, optimizer.init(theta))

    def model(self, optimizer: Optimizer) -> Point:
        """What is the model."""
        theta = self.mean if self.averaged else optimizer.model(self.memory, self.theta)
        return self.chosen.point.at(theta)

    def averaging(self, theta: FloatArray, power: float) -> Track:
        """The same with one more iterate, the k-th of which weighs about k^power in the average."""
        mean = averaged(self.mean, self.averaged, theta, power)
        return replace(self, mean=mean, averaged=self.averaged + 1.0)

    def told(self, loss: float, tol: float) -> Track:
        """The same after an epoch with this loss, which is better if below the best one by ``tol``."""
        failed = self.failed + 1.0 if loss > self.best_loss - tol else 0.0
        return replace(self, best_loss=min(self.best_loss, loss), failed=failed)

    def state(self, point: Point, passes: int, progress: Progress | None) -> State:
        """All of it as arrays and numbers."""
        chosen, memory = self.chosen, self.memory
        arrays = {"theta": self.theta, "mean": self.mean, "metric": chosen.metric}
        arrays |= {_PREFIX + name: array for name, array in memory.arrays.items()}
        numbers: dict[str, float] = {name: getattr(self, name) for name in _NUMBERS}
        numbers |= {name: getattr(chosen, name) for name in ("pace", "settling", "leverage", "null_value")}
        numbers |= {"step": float(memory.step)}
        numbers |= {_PREFIX + name: number for name, number in memory.numbers.items()}
        numbers |= {SERVED + name: number for name, number in self.served.items()}
        numbers |= {} if progress is None else written(progress)
        return State(passes, point, progress, arrays, numbers)

    @classmethod
    def of(cls, state: State) -> Track:
        """From a state."""
        assert state.point is not None
        arrays, numbers = state.arrays, state.numbers
        memory = OptimizerState(int(numbers["step"]), _own(arrays, _PREFIX), _own(numbers, _PREFIX))
        of_choice = (numbers[name] for name in ("pace", "settling", "leverage", "null_value"))
        chosen = Chosen(state.point, arrays["metric"], *of_choice)
        known = {name: numbers[name] for name in _NUMBERS}
        return cls(chosen, arrays["theta"], arrays["mean"], memory, **known, served=_own(numbers, SERVED))


def _own(named: Mapping[str, A], prefix: str) -> dict[str, A]:
    """What was written with a prefix."""
    return {name.removeprefix(prefix): value for name, value in named.items() if name.startswith(prefix)}


def reported(state: State) -> Progress | None:
    """What a state reports."""
    if state.progress is not None or "objective" not in state.numbers:
        return state.progress
    return read(state.numbers)


@final
class Epoch:
    """What the minibatches of an epoch tell together, and the best model on the way."""

    def __init__(self, track: Track, point: Point, in_a_row: int = _IN_A_ROW) -> None:
        self.in_a_row = in_a_row
        self.inverse = inverse_of(track.chosen.metric)
        self.start_value = track.chosen.null_value
        self.value = np.zeros(len(track.theta))
        self.weight = np.zeros(len(track.theta))
        self.penalty = 0.0
        self.batches, self.noise = 0, 0.0
        self.gradient, self.places = np.zeros_like(track.theta), np.zeros_like(track.theta)
        self.passes = 1  # over all rows
        self.diverged = False
        self.distance = 0.0  # squared, of the last move of a whole round
        self.kept, self._lowest, self._piece, self._high = point, np.inf, np.zeros(2), 0

    def add(self, batch: Batch, gradient: FloatArray, preconditioned: FloatArray, penalty: float) -> None:
        """Take note of a minibatch, with the slopes of F that it tells."""
        there = batch.weight_sum > 0.0
        with np.errstate(over="ignore", invalid="ignore"):
            objective = float(np.sum(batch.value[there] / batch.weight_sum[there])) + penalty
            self.noise += float(np.sum(gradient * preconditioned))
            self.gradient = self.gradient + gradient
        if not self.batches and self.in_a_row > 1:  # no step was made yet; other rows may have come
            self.start_value = max(self.start_value, objective)
        self.value, self.weight = self.value + batch.value, self.weight + batch.weight_sum
        self.penalty += penalty
        self.batches += 1
        self._piece = self._piece + [objective, 1.0]
        self._high = 0 if objective <= _FAR * self.start_value else self._high + 1
        broken = not np.isfinite(objective) or not np.isfinite(preconditioned).all()
        self.diverged = broken or self._high >= self.in_a_row

    def turned(self) -> FloatArray | None:
        """(K, q) the mean of the places where gradients were taken, less the mean gradient in the metric.

        All rows were met once, so that the noise of the steps is not in the mean gradient: it is that of F
        at the mean place, but for how F bends on the way there. None without a matrix for a metric, and where
        the mean gradient is not far below what independent noise would make of it: then the steps
        have not settled, and how F bends is known too little.
        """
        if self.inverse.ndim != 3 or not self.batches:
            return None
        gradient = self.gradient / self.batches
        step = np.einsum("kij,kj->ki", self.inverse, gradient)
        if not self.batches**2 * float(np.sum(gradient * step)) <= _SETTLED * self.noise:
            return None
        return np.asarray(self.places / self.batches - step)

    def moved(self, step: FloatArray) -> None:
        """Take note of the last move of a model that is an average over nodes, in their metric."""
        if self.inverse.ndim == 3:
            solved = [np.linalg.solve(one, own) @ own for one, own in zip(self.inverse, step, strict=True)]
            self.distance = float(sum(solved))
        elif self.inverse.size:
            self.distance = float(np.sum(np.square(step) / self.inverse))

    def keep(self, point: Point) -> None:
        """Keep the model if the batches since the last one were the lowest so far."""
        value, batches = self._piece
        if batches and value / batches <= min(self._lowest, _FAR * self.start_value):
            self.kept, self._lowest = point, value / batches
        self._piece = np.zeros(2)

    @property
    def loss(self) -> float:
        """The mean loss of a row just before it was stepped by, all problems together."""
        there = self.weight > 0.0
        return float(np.sum(self.value[there] / self.weight[there]))

    @property
    def objective(self) -> float:
        """The same with the penalty."""
        return self.loss + self.penalty / max(self.batches, 1)

    def progress(self, moved: float) -> Progress:
        """An estimate: the mean of the iterates is off by what the noise of all minibatches leaves of a step.

        That is (mean of g' M^-1 g) / 2 R over R minibatches, as if each had been drawn by itself. An average
        of models is off by as much as it moved last.
        """
        mean = self.gradient / max(self.batches, 1)
        gap = np.inf
        if self.inverse.size:
            gap = 0.5 * (self.distance or self.noise / max(self.batches, 1) ** 2)
        scale = max(self.objective, 1e-3 * self.start_value, float(np.finfo(np.float64).tiny))
        return Progress(self.objective, float(gap / scale), "estimate", float(np.linalg.norm(mean)), moved)
