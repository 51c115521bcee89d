"""Scheduler tasks and bytes of partials in a pass, as the number of chunks grows."""

from __future__ import annotations

from typing import Any

from benchmarks.data import Design
from benchmarks.options import Options
from benchmarks.table import Table
from benchmarks.workers import on_cluster
from daskml_dist.linear_model import LogisticRegression, Ridge

COLUMNS = (
    "estimator",
    "chunks",
    "passes",
    "tasks a pass",
    "bytes of partials a pass",
    "other tasks of the fit",
    "seconds a fit",
)


def run(options: Options) -> list[Table]:
    """The same rows in 16, 128 and 1,024 chunks, held by two workers of one thread."""
    n, p = options.pick(262_144, 262_144, 4_096), options.pick(50, 50, 4)
    table = Table(f"Tasks and bytes of a pass: {n:,} x {p}, 2 workers of 1 thread", COLUMNS)
    with on_cluster.client(memory_limit="2GB") as client:
        on_cluster.count_tasks(client)
        for chunks in options.pick((16, 128, 1024), (16, 128, 1024), (4, 16)):
            held = on_cluster.persisted(*Design("iid", p, seed=3).lazy(n // chunks, chunks))
            for model in (LogisticRegression(verbose=0), Ridge(verbose=0)):
                options.say(f"tasks_and_bytes: {type(model).__name__}, {chunks} chunks")
                table.add(type(model).__name__, chunks, *_figures(model, client, *held))
            del held
    table.notes += [
        "tasks, bytes: the most of any pass, from history_; bytes: of the partial sums that are combined.",
        "other tasks: what the scheduler ran beside, once a fit (shards, survey of the target, sample).",
    ]
    return [table]


def _figures(model: Any, client: Any, X: Any, y: Any) -> tuple[Any, ...]:
    before = on_cluster.tasks_so_far(client)
    model.fit(X, y)
    ran = on_cluster.tasks_so_far(client) - before
    tasks = [row["tasks"] for row in model.history_]
    most = max(row["partial_bytes"] for row in model.history_)
    return model.n_passes_, max(tasks), most, ran - sum(tasks), model.history_[-1]["seconds"]
