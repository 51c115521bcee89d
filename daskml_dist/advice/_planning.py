"""``daskml_dist.plan``: from data that nobody reads, an estimator and a cluster to an advice."""

from __future__ import annotations

from typing import Any

import numpy as np
from distributed.deploy.cluster import Cluster

from daskml_dist import inputs
from daskml_dist.advice._advice import Advice
from daskml_dist.advice._calibration import Shape, machine_of, trials
from daskml_dist.advice._estimators import Task, elements_of, task_of
from daskml_dist.advice._machine import Machine
from daskml_dist.advice._simulate import MOST_WORKERS
from daskml_dist.advice._work import Work
from daskml_dist.cluster import Hands, InProcess, connect
from daskml_dist.cluster.calibrate import calibrate, cut_rows, is_held, placement, room
from daskml_dist.errors import InvalidData, UnsupportedParameter
from daskml_dist.types import Table


def plan(
    X: Any,
    y: Any = None,
    estimator: Any = None,
    cluster: Any = None,
    *,
    deadline: float | None = None,
    budget: float | None = None,
    workers: int | None = None,
) -> Advice:
    """Predict what a fit costs, and say what would be better; X and y are not read.

    Parameters
    ----------
    X : (n, p) any supported container. What is lazy stays uncomputed.
    y : (n,) target, or None. Where it is in memory its classes are counted.
    estimator : an estimator of ``daskml_dist.linear_model`` with its parameters; None for
        ``LogisticRegression()``.
    cluster : what to calibrate, which takes one to two seconds: None for what a fit would use, "threads", a
        ``distributed.Client``, a cluster such as a LocalCluster, or the address of a scheduler. Or a
        ``daskml_dist.advice.Machine``, which is taken at its word.
    deadline : seconds that a fit may take.
    budget : seconds of a fit times workers that may be spent.
    workers : plan for so many of such workers, up to 10,000; None for as many as there are.

    Returns
    -------
    Advice.

    Raises
    ------
    InvalidData
        Chunks of unknown length, no rows, or what a fit would refuse unread.
    UnsupportedParameter
        An unknown estimator or cluster, or a number out of its range.

    Examples
    --------
    >>> import dask.array as da
    >>> from daskml_dist import plan
    >>> from daskml_dist.advice import Machine
    >>> X = da.ones((10_000_000, 100), chunks=(100_000, 100))
    >>> advice = plan(X, cluster=Machine(workers=8, threads=4, memory=16e9))
    >>> advice.passes, advice.strategy.name
    (3, 'data parallel')
    """
    _refuse(deadline, budget, workers)
    cluster = _scheduler(cluster, estimator)
    if isinstance(cluster, Machine):
        table = _read(X, y)
        task = task_of(estimator, table)
        work, notes = _work(estimator, task, table, inputs.made_lazy(table).chunks)
        machine = cluster if workers is None else cluster.at(workers)
        return Advice(work, machine, None, deadline, budget, notes)
    hands = connect(cluster, lazy=inputs.is_lazy(X, y))
    try:
        table = _read(X, y)
        task = task_of(estimator, table)
        placed = inputs.made_lazy(table) if cluster not in (None, "threads") else table
        work, notes = _work(estimator, task, table, cut_rows(hands, placed))
        shards = placement(hands, placed) if workers is None else None
        machine = _calibrated(hands, task, work, table)
    finally:
        hands.close()
    machine = machine if workers is None else machine.at(workers)
    return Advice(work, machine, shards, deadline, budget, notes)


def _read(X: Any, y: Any) -> Table:
    """X and y as a table; what a fit would have to count is refused."""
    if inputs.measure_needed(X, y) or inputs.chunk_rows(X) is None:
        raise InvalidData(
            "The rows of the chunks of X are unknown until they are computed, and a plan computes nothing. "
            "Call X.compute_chunk_sizes() first, or X.to_dask_array(lengths=True) of a dask dataframe."
        )
    table = inputs.read(X, y, y_required=False, multi_output=True)
    if not sum(table.chunks or ()):
        raise InvalidData("X has 0 rows: there is nothing to plan.")
    return table


def _work(
    estimator: Any, task: Task, table: Table, chunks: tuple[int, ...] | None
) -> tuple[Work, tuple[str, ...]]:
    """What a fit has to do, and what was taken for granted."""
    assert chunks is not None
    elements, row_bytes, supposed = elements_of(table)
    name = "LogisticRegression" if estimator is None else type(estimator).__name__
    problem = task.problem
    work = Work(
        estimator=name,
        solver=task.solver,
        chunks=tuple(rows for rows in chunks if rows) or chunks,
        features=table.n_features,
        elements=elements,
        row_bytes=row_bytes,
        parameters=problem.parameters,
        problems=task.problems,
        gradients=task.gradients,
        hessians=task.hessians,
        sample_rows=task.sample,
        rounds=task.rounds,
        batch=task.batch,
        held=is_held(table),
        forms=task.hessians > 0,
        parts=task.parts,
        passes_because=task.because,
    )
    return work, (*supposed, *task.notes)


def _calibrated(hands: Hands, task: Task, work: Work, table: Table) -> Machine:
    """The machine, by kernels of the problem's shape."""
    there = room(hands)
    threads = there.workers * there.threads
    shape = Shape(
        features=work.features,
        elements=work.elements,
        sparse=task.problem.sparse,
        dtype=str(table.X.dtype if table.X.dtype.kind == "f" else np.dtype(np.float64)),
        shard_bytes=work.rows * work.elements * 8.0 / threads,
        memory=there.memory / there.threads,
    )
    tried = trials(task.loss, shape, compiled=task.problem.large)
    measured = calibrate(hands, tried)
    return machine_of(there, measured, tried, in_process=isinstance(hands, InProcess))


def _scheduler(cluster: Any, estimator: Any) -> Any:
    """What ``cluster.connect`` takes, or a Machine."""
    if cluster is None:
        return getattr(estimator, "scheduler", None)
    return cluster.scheduler_address if isinstance(cluster, Cluster) else cluster


def _refuse(deadline: float | None, budget: float | None, workers: int | None) -> None:
    """Refuse numbers out of their range before anything is done."""
    units = {"deadline": (deadline, "seconds"), "budget": (budget, "seconds of a fit times workers")}
    for name, (given, unit) in units.items():
        number = isinstance(given, int | float | np.number) and not isinstance(given, bool)
        if given is not None and not (number and 0.0 < given < np.inf):
            raise UnsupportedParameter(f"{name}={given!r}: expected {unit}, a number above 0, or None.")
    whole = isinstance(workers, int | np.integer) and not isinstance(workers, bool)
    if workers is not None and not (whole and 1 <= workers <= MOST_WORKERS):
        raise UnsupportedParameter(
            f"workers={workers!r}: expected a whole number from 1 to {MOST_WORKERS:,}, or None for those "
            "of the cluster."
        )
