"""Stochastic gradients: steps and rows a second, and how near, against scikit-learn's and dask-ml's."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.data import Design
from benchmarks.objective import Objective, Truth, solve
from benchmarks.options import Options
from benchmarks.peers import ask
from benchmarks.table import Table

ALPHA = 1e-4
CHUNKS, MANY = 16, 128
COLUMNS = ("data", "by", "chunks", "epochs", "seconds", "steps", "rounds", "tasks", "steps/s", "rows/s")
COLUMNS += ("gap",)

Contender = tuple[str, str, int, dict[str, Any]]


def run(options: Options) -> list[Table]:
    """One row for each kind of data, number of epochs, library and number of chunks."""
    n, p = options.pick((400_000, 50), (100_000, 20), (3_000, 5))
    table = Table(f"Steps a second, logistic, {n:,} x {p} on 2 workers of 1 thread", COLUMNS)
    folder = options.folder / "sgd_race"
    for kind in options.pick(("iid", "1 % positive"), ("1 % positive",), ("iid",)):
        design = Design(kind, p, seed=p)
        design.write(n, folder)
        X, y = np.load(folder / "X.npy", mmap_mode="r"), np.load(folder / "y.npy", mmap_mode="r")
        truth = solve(Objective(design.family, X, y, ALPHA))
        for epochs in options.pick((1, 3), (3,), (1,)):
            for name, peer, chunks, settings in _contenders(options):
                asked = {"folder": str(folder), "rows": n, "chunk_rows": -(-n // chunks), "epochs": epochs}
                reply = ask(peer, {**FIXED, **asked, "settings": settings}, options.limit)
                options.say(f"sgd_race: {kind}, {name}, {chunks} chunks, {epochs} epochs: {_told(reply)}")
                table.add(kind, name, chunks, epochs, *_cells(reply, n, epochs, truth))
    table.notes += _notes(options)
    return [table]


FIXED: dict[str, Any] = {
    "family": "logistic, stochastic",
    "where": "cluster",
    "alpha": ALPHA,
    "tol": 1e-6,
    "cores": 2,
    "solver": "sgd",
}


def _contenders(options: Options) -> list[Contender]:
    """Name, peer, chunks and settings of all that are timed."""
    averaged = {"strategy": "model_averaging", "control_variates": False}
    found: list[Contender] = [
        ("synchronous", "ours", CHUNKS, {}),
        ("synchronous", "ours", MANY, {}),
        ("model averaging", "ours", CHUNKS, averaged),
        ("model averaging", "ours", MANY, averaged),
        ("model averaging, control variates", "ours", CHUNKS, {**averaged, "control_variates": True}),
        ("scikit-learn SGDClassifier", "scikit-learn", 1, {}),
    ]
    return [*found, ("dask-ml Incremental", "dask-ml", CHUNKS, {})] if options.peers else found


def _cells(reply: dict[str, Any], n: int, epochs: int, truth: Truth) -> tuple[Any, ...]:
    """What was measured, or why there is nothing."""
    if "coef" not in reply:
        return (_told(reply), *(None,) * 6)
    steps, seconds = reply.get("steps", n * epochs), reply["seconds"]
    gap = truth.gap(np.array(reply["coef"]), reply["intercept"])
    counts = steps, reply.get("rounds"), reply.get("tasks")
    return (seconds, *counts, steps / seconds, n * epochs / seconds, gap)


def _told(reply: dict[str, Any]) -> str:
    return f"{reply['seconds']:.3g} s" if "seconds" in reply else str(reply.get("error") or "out of time")


def _notes(options: Options) -> list[str]:
    notes = [
        "defaults, but for the number of epochs, tol=None and alpha=1e-4. gap: the true relative one.",
        "a step: a change of the coefficients; ours by many rows (local steps: those of one partition, which "
        "all make at the same time), that of the others by one row. rows/s: rows of the epochs alone.",
        "seconds: fit only, after a small one to warm up; data held by the workers, or in the memory of one "
        "thread for scikit-learn. tasks: all that the scheduler ran in the fit.",
    ]
    return notes if options.peers else [*notes, "dask-ml: left out (--no-peers)."]
