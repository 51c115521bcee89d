"""Four figures of a distributed training: P, Q, C and R, each with its unit, its meaning and its limits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from daskml_dist.advice._cost import FitCost, PassCost
from daskml_dist.advice._machine import Machine
from daskml_dist.advice._work import Work


@final
@dataclass(frozen=True)
class Figure:
    """A number with a unit.

    Attributes
    ----------
    symbol, name, formula : as in P, data parallelism, N / B.
    value, unit : the number.
    meaning : what it tells here. limit : what it does not tell.
    """

    symbol: str
    name: str
    formula: str
    value: float
    unit: str
    meaning: str
    limit: str

    def __repr__(self) -> str:
        return (
            f"{self.symbol} = {self.formula} = {self.value:.3g} {self.unit}, {self.name}: "
            f"{self.meaning} {self.limit}"
        )


def figures(work: Work, machine: Machine, a_pass: PassCost, fit: FitCost) -> tuple[Figure, ...]:
    """P, Q, C and R of a fit on the machine.

    N workers, B rows of a step, M parameters, T seconds of the training, D bytes that cross the network in a
    pass, l seconds of latency, W bytes a second of the network.
    """
    workers, batch, parameters = machine.workers, max(work.batch, 1.0), work.parameters * work.problems
    return (
        _data_parallelism(workers, batch),
        _model_parallelism(parameters, fit.seconds, machine),
        _communication(a_pass, machine, batch),
        _balance(fit.seconds, workers, a_pass),
    )


def _data_parallelism(workers: int, batch: float) -> Figure:
    return Figure(
        "P",
        "data parallelism",
        "N / B",
        workers / batch,
        "workers a row of a step",
        f"each worker has {batch / workers:,.0f} rows of a step.",
        "It does not tell how long these take: workers may be added until their rows take no longer than a "
        "task.",
    )


def _model_parallelism(parameters: int, seconds: float, machine: Machine) -> Figure:
    share = 8.0 * parameters / machine.memory
    return Figure(
        "Q",
        "model parallelism",
        "M / T",
        parameters / seconds if seconds else math.inf,
        "parameters a second",
        f"{parameters:,} parameters are trained in {seconds:.3g} s; a vector of them takes {share:.2g} of a "
        "worker's memory.",
        "It falls with more rows and compares only fits of the same data. Whether the model must be parted "
        "is a matter of its memory, not of Q.",
    )


def _communication(a_pass: PassCost, machine: Machine, batch: float) -> Figure:
    sending = a_pass.bytes / machine.bandwidth
    share = (a_pass.latency + a_pass.transfer) / a_pass.seconds if a_pass.seconds else 0.0
    return Figure(
        "C",
        "communication",
        "D l / (B W)",
        sending * machine.latency / batch,
        "s^2 a row of a step",
        f"{a_pass.bytes:,.0f} bytes take {1e3 * sending:.3g} ms and the latency "
        f"{1e3 * machine.latency:.3g} ms; together with joining they are {share:.0%} of a pass.",
        "It is a product of two times, and is small where one of them is: the share is what counts.",
    )


def _balance(seconds: float, workers: int, a_pass: PassCost) -> Figure:
    return Figure(
        "R",
        "balance",
        "T / N",
        seconds / workers,
        "s a worker",
        f"a fair share of the training; the slowest shard takes {a_pass.imbalance:.2f} times the mean one.",
        "It falls with each worker, even with one that has nothing to do: the factor between slowest and "
        "mean is what tells of balance.",
    )
