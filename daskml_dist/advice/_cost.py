"""The cost model: seconds, bytes and memory of a pass and of a fit, in closed form (docs/plan.md).

T_pass = latency + task (S + J) + hop d + (levels of joins) + S state / bandwidth + slowest shard

with S shards, J joins in a tree of fan-in f and depth d, and the slowest shard
max_k sum over its chunks of (chunk + number numbers + rows (row + element p + product p (p + 1) / 2)).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from daskml_dist.advice._machine import Machine
from daskml_dist.advice._work import Kind, Work
from daskml_dist.cluster.memory import RESIDENT_SHARE
from daskml_dist.cluster.tasks import FAN_IN
from daskml_dist.partition import Plan

PILOT_SWEEPS = 8  # sweeps with Hessian over a sample until its minimum is reached
_WORKING = 4 * 2.0**20  # bytes of the row blocks of a thread


@final
@dataclass(frozen=True)
class Tree:
    """How partial sums of S shards are joined.

    Attributes
    ----------
    shards : S. joins : tasks that join, the last one, which finishes, not counted.
    depth : levels of them. last : partials that the task that finishes is given.
    """

    shards: int
    joins: int
    depth: int
    last: int

    @classmethod
    def of(cls, shards: int) -> Tree:
        """The tree of ``cluster.OnDask``: joins of up to ``FAN_IN`` until so few are left."""
        joins, depth, left = 0, 0, shards
        while left > FAN_IN:
            left = math.ceil(left / FAN_IN)
            joins, depth = joins + left, depth + 1
        return cls(shards, joins, depth, left)

    @property
    def tasks(self) -> int:
        """Of a pass."""
        return self.shards + self.joins + 1


@final
@dataclass(frozen=True)
class PassCost:
    """One pass over the data.

    Attributes
    ----------
    kernel, load, schedule, latency, transfer : seconds of the slowest shard, of its loading where data are
        streamed, of the scheduler, of the round trip with the hops of the tree, and of sending and joining
        partial sums.
    bytes : that cross the network: partial sums up, the point down.
    tasks : of the scheduler.
    imbalance : the slowest shard over the mean.
    """

    kernel: float
    load: float
    schedule: float
    latency: float
    transfer: float
    bytes: float
    tasks: int
    imbalance: float

    @property
    def seconds(self) -> float:
        """Of the pass."""
        return self.kernel + self.load + self.schedule + self.latency + self.transfer


def slope(work: Work, machine: Machine, kind: Kind) -> float:
    """Seconds of a sweep for each row."""
    by_row = machine.row + machine.element * work.elements
    return work.problems * (by_row + (machine.product * work.products if kind == "hessian" else 0.0))


def overhead(work: Work, machine: Machine, kind: Kind) -> float:
    """Seconds of a sweep for each chunk."""
    return machine.chunk + machine.number * work.numbers(kind)


def busy(work: Work, machine: Machine, kind: Kind) -> float:
    """Seconds of a sweep over all chunks, of all threads together."""
    return len(work.chunks) * overhead(work, machine, kind) + work.rows * slope(work, machine, kind)


def streamed(work: Work, machine: Machine) -> bool:
    """Whether the data do not fit: the rule of ``cluster.memory``."""
    return not work.held and work.size > RESIDENT_SHARE * machine.memory * machine.workers


def shards_of(work: Work, machine: Machine) -> int:
    """How many shards there are: one a thread, as long as there are chunks."""
    return min(machine.slots, len(work.chunks))


def pass_cost(
    work: Work, machine: Machine, kind: Kind | None = None, placement: Plan | None = None
) -> PassCost:
    """What a pass costs.

    Parameters
    ----------
    work, machine : what, and on what.
    kind : of the pass; None for that of most passes.
    placement : the shards, where they are known; else chunks are spread evenly.
    """
    kind = kind or work.usual
    chunks, rows = largest_shard(work, machine, kind, placement)
    shards = shards_of(work, machine) if placement is None else len(placement.shards)
    tree = Tree.of(shards)
    kernel = chunks * overhead(work, machine, kind) + rows * slope(work, machine, kind)
    load = rows * work.row_bytes / (machine.load / machine.threads) if streamed(work, machine) else 0.0
    up, down = work.partial_bytes(kind), work.state_bytes
    if machine.in_process:
        schedule, moved = machine.task * shards, 0.0
        transfer = join_seconds(work, machine, kind, shards)
    else:
        schedule, moved = machine.task * (shards + tree.joins), shards * (up + down) + tree.joins * up
        transfer = tree_seconds(work, machine, kind, tree) + shards * down / machine.bandwidth
    mean = busy(work, machine, kind) / shards
    hops = machine.latency + machine.hop * tree.depth
    return PassCost(kernel, load, schedule, hops, transfer, moved, tree.tasks, kernel / mean if mean else 1.0)


def tree_seconds(work: Work, machine: Machine, kind: Kind, tree: Tree) -> float:
    """Seconds along a path of the tree to fetch partial sums and to join them."""
    fetched = [min(FAN_IN, tree.shards)] * tree.depth + [tree.last]
    return sum(join_seconds(work, machine, kind, inputs) for inputs in fetched if inputs > 1)


def join_seconds(work: Work, machine: Machine, kind: Kind, inputs: int) -> float:
    """Seconds of a task that fetches all its inputs but one, and joins them."""
    sent = work.partial_bytes(kind) / machine.bandwidth
    return (inputs - 1) * (sent + machine.number * work.numbers(kind))


def largest_shard(work: Work, machine: Machine, kind: Kind, placement: Plan | None) -> tuple[int, float]:
    """Chunks and rows of the shard that takes longest."""
    if placement is None:
        chunks = math.ceil(len(work.chunks) / shards_of(work, machine))
        return chunks, min(float(work.rows), max(chunks * work.rows / len(work.chunks), work.longest))
    a, b = overhead(work, machine, kind), slope(work, machine, kind)
    sizes = [(len(ids), float(sum(work.chunks[i] for i in ids))) for ids in placement.shards]
    return max(sizes, key=lambda size: size[0] * a + size[1] * b)


def memory(work: Work, machine: Machine) -> float:
    """Bytes that a worker needs: its rows, or two chunks a thread, and what kernels and joins work with."""
    partials = work.partial_bytes("hessian" if work.hessians else "gradient")
    working = machine.threads * (_WORKING + 2 * partials) + min(FAN_IN, machine.slots) * partials
    sample = 2.0 * work.sample_rows * 8 * work.features
    if streamed(work, machine):
        return working + sample + 2 * machine.threads * work.longest * work.row_bytes
    threads = shards_of(work, machine) / machine.workers
    return working + sample + largest_shard(work, machine, "gradient", None)[1] * threads * work.row_bytes


@final
@dataclass(frozen=True)
class FitCost:
    """A whole fit: its passes, and what is beside them.

    Attributes
    ----------
    passes : seconds of all passes. loading : of bringing the data into memory, once.
    pilot : of the minimum over a sample, in one task. rounds : of questions that read no or few features.
    bytes : that cross the network. memory : bytes that a worker needs.
    sample_pass : whether a further pass is made for the sample, as where data are streamed.
    """

    passes: float
    loading: float
    pilot: float
    rounds: float
    bytes: float
    memory: float
    sample_pass: bool

    @property
    def seconds(self) -> float:
        """Of the fit."""
        return self.passes + self.loading + self.pilot + self.rounds


def fit_cost(work: Work, machine: Machine, placement: Plan | None = None) -> FitCost:
    """What a fit costs; see ``pass_cost``."""
    costs = {kind: pass_cost(work, machine, kind, placement) for kind in ("gradient", "hessian")}
    sampled = work.sample_rows > 0 and streamed(work, machine)
    usual, gradients = costs[work.usual], work.gradients + int(sampled)
    empty = machine.chunk * len(work.chunks) / shards_of(work, machine)
    rounds = work.rounds * (usual.schedule + usual.latency + empty)
    once = not work.held and not streamed(work, machine)
    return FitCost(
        passes=gradients * costs["gradient"].seconds + work.hessians * costs["hessian"].seconds,
        loading=work.size / (machine.load * machine.workers) if once else 0.0,
        pilot=PILOT_SWEEPS * work.sample_rows * slope(work, machine, "hessian"),
        rounds=rounds,
        bytes=gradients * costs["gradient"].bytes + work.hessians * costs["hessian"].bytes,
        memory=memory(work, machine),
        sample_pass=sampled,
    )


def break_even(work: Work, machine: Machine) -> float:
    """W with dT/dW = 0: from there on a worker more costs more than it saves.

    T(W) = busy / (t W) + task (1 + 1 / (f - 1)) t W + hop ln(t W) / ln f + state t W / bandwidth + constants,
    a quadratic equation in t W, for the usual pass on W workers of t threads. Infinite where nothing grows.
    """
    machine = machine.at(max(machine.workers, 2))
    each = machine.task * FAN_IN / (FAN_IN - 1) + work.state_bytes / machine.bandwidth
    join = join_seconds(work, machine, work.usual, FAN_IN)
    level = (machine.hop + join) / math.log(FAN_IN)
    total = busy(work, machine, work.usual)
    if streamed(work, machine):
        total += work.size / (machine.load / machine.threads)
    if each <= 0.0:
        return math.inf if level <= 0.0 else total / level / machine.threads
    return (math.sqrt(level**2 + 4.0 * total * each) - level) / (2.0 * each) / machine.threads
