"""The advice: what a fit will cost, and what would be better, as numbers with units and as sentences."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from typing import final

import numpy as np
import pandas as pd

from daskml_dist.advice._chunks import Chunks, recommended
from daskml_dist.advice._cost import FitCost, PassCost, break_even, fit_cost, pass_cost
from daskml_dist.advice._figures import Figure, figures
from daskml_dist.advice._machine import Machine
from daskml_dist.advice._nodes import Nodes, nodes_for
from daskml_dist.advice._simulate import MOST_WORKERS, Simulation, fastest, simulate
from daskml_dist.advice._strategy import Strategy, strategy
from daskml_dist.advice._words import count_of, size_of, time_of
from daskml_dist.advice._work import Work
from daskml_dist.partition import Plan


@final
@dataclass(frozen=True, eq=False, repr=False)
class Advice:
    """What ``daskml_dist.plan`` predicts and recommends.

    Attributes
    ----------
    work : what a fit has to do. machine : on what, and whether it was measured.
    placement : the shards that were found on the cluster, or None where chunks are spread evenly.
    deadline : seconds, or None. budget : seconds times workers, or None.
    notes : what was taken for granted.
    """

    work: Work
    machine: Machine
    placement: Plan | None = None
    deadline: float | None = None
    budget: float | None = None
    notes: tuple[str, ...] = ()

    # -- predictions ------------------------------------------------------------------------------

    @cached_property
    def a_pass(self) -> PassCost:
        """What the usual pass costs, part by part."""
        return pass_cost(self.work, self.machine, None, self.placement)

    @cached_property
    def fit(self) -> FitCost:
        """What a fit costs, part by part."""
        return fit_cost(self.work, self.machine, self.placement)

    @property
    def passes(self) -> int:
        """Passes over the data that are expected."""
        return self.work.passes + self._sampled

    @property
    def pass_seconds(self) -> float:
        """Seconds of the usual pass."""
        return self.a_pass.seconds

    @property
    def seconds(self) -> float:
        """Seconds of a fit."""
        return self.fit.seconds

    @property
    def bytes_per_pass(self) -> float:
        """Bytes that cross the network in a pass: partial sums up, the model down."""
        return self.a_pass.bytes

    @property
    def total_bytes(self) -> float:
        """Bytes that cross the network in a fit."""
        return self.fit.bytes

    @property
    def memory(self) -> float:
        """Bytes of memory that a worker needs."""
        return self.fit.memory

    @property
    def solver(self) -> str:
        """The solver, by its name."""
        return self.work.solver

    @cached_property
    def figures(self) -> dict[str, Figure]:
        """P, Q, C and R by their letters, each with unit, meaning and limit."""
        found = figures(self.work, self.machine, self.a_pass, self.fit)
        return {figure.symbol: figure for figure in found}

    @property
    def break_even(self) -> float:
        """Workers from which on one more makes a pass slower, by the formula: dT/dW = 0."""
        return break_even(self.work, self.machine)

    @cached_property
    def break_even_simulated(self) -> int:
        """The same by simulation, where no more workers than chunks (or 10,000) are tried; takes seconds."""
        return fastest(self.work, self.machine)

    # -- recommendations --------------------------------------------------------------------------

    @cached_property
    def chunks(self) -> Chunks:
        """How X should be cut."""
        return recommended(self.work, self.machine)

    @cached_property
    def strategy(self) -> Strategy:
        """One machine, data, model or hybrid parallel, or streamed."""
        return strategy(self.work, self.machine)

    @cached_property
    def nodes(self) -> Nodes:
        """How many workers, for the deadline and budget or as many as are worth it."""
        return nodes_for(self.work, self.machine, self.deadline, self.budget)

    # -- what if ----------------------------------------------------------------------------------

    def at(self, workers: int) -> Advice:
        """The advice for another number of such workers."""
        same = workers == self.machine.workers
        return replace(self, machine=self.machine.at(workers), placement=self.placement if same else None)

    def simulate(
        self,
        workers: int | None = None,
        *,
        passes: int = 1,
        spread: float = 0.0,
        failures: float = 0.0,
        seed: int = 0,
    ) -> Simulation:
        """Simulate passes; see ``daskml_dist.advice.simulate``."""
        there = self if workers is None else self.at(workers)
        return simulate(
            there.work,
            there.machine,
            passes=passes,
            spread=spread,
            failures=failures,
            placement=there.placement,
            seed=seed,
        )

    def table(self) -> pd.DataFrame:
        """A line for 1, 2, 4, ... workers.

        Returns
        -------
        DataFrame with index ``workers`` and columns "seconds" of a fit and "pass seconds", "speed-up"
        against one
        worker, "efficiency", "memory" (bytes of a worker), "bytes" (that cross the network in a fit).
        """
        one = self.at(1).seconds
        lines = []
        for workers in self._steps():
            there = self.at(workers)
            gain = one / there.seconds
            lines.append(
                {
                    "workers": workers,
                    "seconds": there.seconds,
                    "pass seconds": there.pass_seconds,
                    "speed-up": gain,
                    "efficiency": gain / workers,
                    "memory": there.memory,
                    "bytes": there.total_bytes,
                }
            )
        return pd.DataFrame(lines).set_index("workers")

    def _steps(self) -> list[int]:
        most = min(4 * max(self.break_even, 1.0), math.ceil(len(self.work.chunks) / self.machine.threads))
        most = int(min(max(most, self.machine.workers, 1), MOST_WORKERS))
        return sorted({*(2**k for k in range(int(np.log2(most)) + 1)), self.machine.workers})

    @property
    def _sampled(self) -> int:
        """A pass for the sample where data are streamed."""
        return int(self.fit.sample_pass)

    # -- words ------------------------------------------------------------------------------------

    @cached_property
    def sentences(self) -> dict[str, str]:
        """What is predicted and recommended, by subject."""
        work, a_pass = self.work, self.a_pass
        parts = {
            "kernels": a_pass.kernel,
            "loading": a_pass.load,
            "scheduler": a_pass.schedule,
            "latency": a_pass.latency,
            "network and joins": a_pass.transfer,
        }
        spent = ", ".join(f"{name} {time_of(value)}" for name, value in parts.items() if value > 0.0)
        told = {
            "fit": f"{work.estimator} on {work.rows:,} x {work.features:,} in "
            f"{count_of(len(work.chunks), 'chunk')}, {size_of(work.size)}",
            "machine": "; ".join(self.machine.lines),
            "pass": f"{time_of(self.pass_seconds)} ({spent}), {size_of(self.bytes_per_pass)} on the network, "
            f"{count_of(a_pass.tasks, 'task')}",
            "in all": f"{time_of(self.seconds)}, {count_of(self.passes, 'pass')}, "
            f"{size_of(self.total_bytes)} on the network, {size_of(self.memory)} of memory a worker",
            "solver": f"{work.solver}: {work.passes_because}",
            "strategy": repr(self.strategy),
            "chunks": self.chunks.why,
            "workers": self.nodes.why,
            "break-even": self._break_even_in_words(),
        }
        told |= {
            figure.symbol: repr(figure).removeprefix(f"{figure.symbol} = ")
            for figure in self.figures.values()
        }
        return told | {f"note {i + 1}": note for i, note in enumerate(self.notes)}

    def _break_even_in_words(self) -> str:
        found, chunks = self.break_even, math.ceil(len(self.work.chunks) / self.machine.threads)
        if found <= 1.0:
            return "a pass is too short for a second worker: it costs more than it saves."
        beyond = f" X has chunks for {count_of(chunks, 'worker')} only." if chunks < found else ""
        return f"from {found:,.0f} workers on, one more makes a pass slower.{beyond}"

    def __repr__(self) -> str:
        width = max(map(len, self.sentences))
        lines = [f"{subject:<{width}}  {text}" for subject, text in self.sentences.items()]
        return "\n".join([*lines, "", self.table().to_string(float_format=lambda x: f"{x:.3g}")])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left;vertical-align:top'>{escape(subject)}</th>"
            f"<td style='text-align:left'>{escape(text)}</td></tr>"
            for subject, text in self.sentences.items()
        )
        return f"<table>{rows}</table>{self.table().to_html(float_format=lambda x: f'{x:.3g}')}"
