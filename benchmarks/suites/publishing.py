"""What it costs to be watched: publishing each pass, the page on the scheduler, and the page itself."""

from __future__ import annotations

import time
from statistics import median
from typing import Any

import dask.array as da

from benchmarks.options import Options
from benchmarks.table import Table
from benchmarks.workers import on_cluster
from daskml_dist.dashboard.store import Store
from daskml_dist.fit.log import Log
from daskml_dist.linear_model import LogisticRegression
from daskml_dist.solvers.hessian import MOST_PARAMETERS

COLUMNS = (
    "solver",
    "rows",
    "p",
    "passes",
    "a pass, ms",
    "client, us a pass",
    "of it CPU, us",
    "client, % of the fit",
)


def run(options: Options) -> list[Table]:
    """Fits on two workers, with all that a client does for those who watch timed from within."""
    sizes = options.pick(
        ((20_000, 50), (1_000_000, 50), (20_000, 5_000)), ((20_000, 50), (400_000, 50)), ((2_000, 5),)
    )
    fits = [("lbfgs", *size) for size in sizes]
    fits += [("newton", 20_000, p) for p in options.pick((50, MOST_PARAMETERS - 1), (50,), (5,))]
    table = Table("Publishing, LogisticRegression(solver=...) on 2 workers of 1 thread", COLUMNS)
    with on_cluster.client() as client:
        for solver, n, p in fits:
            options.say(f"publishing: {solver}, {n:,} x {p}")
            table.add(solver, n, p, *_figures(solver, n, p, options.pick(11, 5, 2)))
        table.notes += _notes(client)
    return [table]


def _figures(solver: str, n: int, p: int, repeats: int) -> tuple[Any, ...]:
    random = da.random.default_rng(0)
    X, y = on_cluster.persisted(
        random.standard_normal((n, p), chunks=(n // 16, -1)), random.integers(0, 2, n, chunks=n // 16)
    )
    fits = []
    for _ in range(repeats + 1):
        with _Timed() as timed:
            began = time.perf_counter()
            model = LogisticRegression(solver=solver, tol=1e-8, verbose=0).fit(X, y)
            seconds = time.perf_counter() - began
        fits.append((model.n_passes_, seconds, timed.seconds, timed.processor))
    passes, seconds, spent, busy = (median(column) for column in zip(*fits[1:], strict=True))
    each = (1e3 * seconds / passes, 1e6 * spent / passes, 1e6 * busy / passes)
    return int(passes), *each, 100.0 * spent / seconds


class _Timed:
    """Adds up what is spent in the log of fits, which tells all who listen."""

    def __init__(self) -> None:
        self.seconds = self.processor = 0.0

    def __enter__(self) -> _Timed:
        self._honest = {name: getattr(Log, name) for name in ("__init__", "heard", "ended")}
        for name, honest in self._honest.items():
            setattr(Log, name, self._timed(honest))
        return self

    def __exit__(self, *_: object) -> None:
        for name, honest in self._honest.items():
            setattr(Log, name, honest)

    def _timed(self, honest: Any) -> Any:
        def timed(*given: Any) -> Any:
            began, busy = time.perf_counter(), time.thread_time()
            try:
                return honest(*given)
            finally:
                self.seconds += time.perf_counter() - began
                self.processor += time.thread_time() - busy

        return timed


def _notes(client: Any) -> list[str]:
    """What the scheduler does for an event, and for a tick of a page with 5 new rows."""
    events, tick = client.run_on_scheduler(_on_scheduler)
    return [
        "client: all that the thread of the fit does for those who watch, the look for the page at the "
        "beginning included; medians over fits after a first one. Sending is done by the loop of the client. "
        "What is not CPU is waiting for that loop, or for a core, which the workers have.",
        "newton: with intervals of the coefficients, for as many features as have them.",
        f"On the scheduler an event takes {1e6 * events:.0f} us to be stored, and a tick of an open page "
        f"with 5 new steps {1e3 * tick:.1f} ms (every 250 ms).",
    ]


def _on_scheduler() -> tuple[float, float]:
    from daskml_dist.dashboard.own_server import _Here
    from daskml_dist.dashboard.page import Page

    store = Store()
    page = Page(_Here(store, None))
    begin = {"event": "begin", "fit_id": "f", "estimator": "e", "solver": "s", "rows": 1, "features": 1}
    store.take(begin | {"tol": 1e-6, "max_passes": 1})
    step = {"event": "step", "fit_id": "f", "objective": 1.0, "gap_kind": "estimate", "gradient_norm": 1.0}
    step |= {"step_size": 1.0, "tasks": 1, "partial_bytes": 1}
    rows = [step | {"passes": k, "seconds": 0.1 * k, "gap": 1.0 / k} for k in range(1, 4001)]
    began = time.perf_counter()
    for row in rows[:3000]:
        store.take(row)
    taken = (time.perf_counter() - began) / 3000
    page.update()
    ticks = []
    for start in range(3000, 4000, 5):
        store.take(rows[start : start + 5])
        began = time.perf_counter()
        page.update()
        ticks.append(time.perf_counter() - began)
    return taken, median(ticks)
