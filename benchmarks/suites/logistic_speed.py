"""Wall clock of one logistic regression on correlated features: us, scikit-learn, dask-ml and Spark.

A peer's tolerance is tightened until its true gap is at most 1e-6, the tolerance that we are asked for, and
further until it is at most ours; each of the two fits is then timed again, in turns with ours.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks import envs
from benchmarks.data import Design
from benchmarks.objective import Objective, Truth, solve
from benchmarks.options import Options
from benchmarks.peers import ask
from benchmarks.table import Table

TOL = 1e-6
FLOOR = 1e-12  # the gap below which nobody has to get
ALPHA = (
    1e-12  # negligible, so that dask-ml's penalty on standardised features and the intercept does not matter
)

Reply = dict[str, Any]

COLUMNS = (
    "library",
    "solver",
    "tol",
    "seconds",
    "ratio",
    "CPU seconds",
    "gap",
    "passes",
    "tasks a pass",
    "peak MB",
    "data MB",
    "seconds to our gap",
    "ratio ",
)


@dataclass(frozen=True)
class Contender:
    """A peer, its solver, and the tolerances to try in turn."""

    peer: str
    solver: str
    tolerances: tuple[float, ...]


@dataclass
class Found:
    """What was measured of a contender: at the tolerance ``TOL`` and at our own gap."""

    contender: Contender
    at_tol: Reply | None = None
    at_ours: Reply | None = None
    why: str = ""
    times: dict[str, list[float]] = field(default_factory=dict)


def ladder(first: float, steps: int) -> tuple[float, ...]:
    """Tolerances, each a tenth of the one before."""
    return tuple(first * 10.0**-k for k in range(steps))


IN_MEMORY = tuple(
    Contender("scikit-learn", solver, ladder(first, steps))
    for solver, first, steps in (
        ("lbfgs", 1e-4, 8),
        ("newton-cholesky", 1e-3, 8),
        ("newton-cg", 1e-3, 8),
        ("sag", 1e-2, 8),
        ("saga", 1e-2, 8),
        ("liblinear", 1e-2, 8),
    )
)


def on_cluster(n: int) -> tuple[Contender, ...]:
    """dask-ml's solvers; its lbfgs has a tolerance on the gradient of a sum over rows."""
    return (
        Contender("dask-ml", "lbfgs", ladder(1e-3 * n, 7)),
        Contender("dask-ml", "newton", ladder(1e-1, 6)),
        Contender("dask-ml", "admm", ladder(1e-1, 5)),
        Contender("dask-ml", "gradient_descent", ladder(1e-5, 6)),
        Contender("dask-ml", "proximal_grad", ladder(1e-5, 6)),
    )


SPARK = (Contender("spark", "lbfgs", ladder(1e-4, 8)),)


def run(options: Options) -> list[Table]:
    """One table for data in memory, one for data on a cluster."""
    n, p = options.pick((1_000_000, 100), (100_000, 50), (2_000, 5))
    folder = options.folder / "logistic_speed"
    options.say(f"logistic_speed: drawing {n:,} x {p}")
    design = Design("correlated", p, seed=1)
    spark = options.peers and _spark()
    design.write(n, folder, parquet=bool(spark))
    X, y = np.load(folder / "X.npy", mmap_mode="r"), np.load(folder / "y.npy", mmap_mode="r")
    options.say("logistic_speed: the true minimum")
    truth = solve(Objective("logistic", X, y, ALPHA))
    request = {
        "folder": str(folder),
        "rows": n,
        "family": "logistic",
        "alpha": ALPHA,
        "tol": TOL,
        "chunk_rows": n // 16,
        "cores": 2,
    }
    race = Race(options, request, truth)
    title = f"Logistic regression, {n:,} x {p} float64, AR(0.95) features"
    memory = race.table(f"{title}, in memory, 2 cores", "memory", IN_MEMORY)
    cluster_peers = (*on_cluster(n), *SPARK) if options.peers else ()
    cluster = race.table(f"{title}, persisted on 2 workers of 1 thread, 16 chunks", "cluster", cluster_peers)
    cluster.notes += _cluster_notes(options)
    for path in Path(folder).iterdir():
        path.unlink(missing_ok=True) if path.is_file() else None
    return [memory, cluster]


@dataclass
class Race:
    """The same data and the same judge for all."""

    options: Options
    request: dict[str, Any]
    truth: Truth

    def table(self, title: str, where: str, contenders: tuple[Contender, ...]) -> Table:
        """Search each contender's tolerance, then time all in turns with ours."""
        ours = self.ask("ours", {"where": where})
        found = [self.search(contender, ours["gap"]) for contender in contenders]
        times = {"ours": [ours["seconds"]]}
        for _ in range(self.options.pick(2, 2, 1)):
            for contest in found:
                for name in ("at_tol", "at_ours"):
                    self.again(contest, name)
                times["ours"].append(self.ask("ours", {"where": where})["seconds"])
        table = Table(title, COLUMNS)
        ours["seconds"] = median(times["ours"])
        table.add("daskml_dist", "auto", TOL, *_cells(ours, ours["seconds"]), ours["seconds"], 1.0)
        for contest in found:
            table.add(*_row(contest, ours["seconds"]))
        table.notes += _notes(len(times["ours"]))
        return table

    def ask(self, peer: str, more: dict[str, Any]) -> Reply:
        """A reply, with its true gap."""
        reply = ask(peer, {**self.request, **more}, self.options.limit)
        if peer == "ours" and "coef" not in reply:
            raise RuntimeError(f"our own fit failed: {_told(reply)}")
        if "coef" in reply:
            reply["gap"] = self.truth.gap(reply["coef"], reply["intercept"])
        return reply

    def search(self, contender: Contender, our_gap: float) -> Found:
        """The loosest tolerances that reach ``TOL`` and our gap."""
        found, last = Found(contender), np.inf
        for tol in contender.tolerances:
            reply = self.ask(contender.peer, {"solver": contender.solver, "tol": tol})
            self.options.say(f"logistic_speed: {contender.peer} {contender.solver} {tol:.0e}: {_told(reply)}")
            if "gap" not in reply:
                found.why = reply.get("error") or f"> {self.options.limit:g} s"
                break
            reply["tol"] = tol
            if reply["gap"] <= TOL and found.at_tol is None:
                found.at_tol = reply
            if reply["gap"] <= max(our_gap, FLOOR):
                found.at_ours = reply
                break
            found.why = f"not reached, gap {reply['gap']:.0e} in {reply['seconds']:.3g} s"
            if reply["gap"] == last:
                break  # a smaller tolerance changes nothing any more
            last = reply["gap"]
        for name in ("at_tol", "at_ours"):
            reply_or_none: Reply | None = getattr(found, name)
            found.times[name] = [] if reply_or_none is None else [reply_or_none["seconds"]]
        return found

    def again(self, found: Found, name: str) -> None:
        """Time a fit once more."""
        reply: Reply | None = getattr(found, name)
        if reply is None or found.times[name][0] > 0.2 * self.options.limit:
            return  # a fit of minutes is not in doubt
        if name == "at_ours" and reply is found.at_tol:
            return
        contender = found.contender
        more = self.ask(contender.peer, {"solver": contender.solver, "tol": reply["tol"]})
        if "seconds" in more:
            found.times[name].append(more["seconds"])


def _row(found: Found, ours: float) -> tuple[Any, ...]:
    contender = found.contender
    if found.at_ours is not None and found.at_ours is found.at_tol:
        found.times["at_ours"] = found.times["at_tol"]
    final: tuple[Any, Any] = (found.why, None)
    if found.at_ours is not None:
        seconds = median(found.times["at_ours"])
        final = (seconds, seconds / ours)
    if found.at_tol is None:
        return (contender.peer, contender.solver, None, found.why, *(None,) * 7, *final)
    reply = {**found.at_tol, "seconds": median(found.times["at_tol"])}
    return (contender.peer, contender.solver, reply["tol"], *_cells(reply, ours), *final)


def _cells(reply: Reply, ours: float) -> tuple[Any, ...]:
    tasks = reply["tasks"] / max(reply["passes"], 1) if "tasks" in reply else None
    return (
        reply["seconds"],
        reply["seconds"] / ours,
        reply["cpu_seconds"],
        reply["gap"],
        f"{reply['passes']} {reply['unit']}",
        None if tasks is None else round(tasks),
        round(reply["peak_mb"]),
        round(reply["data_mb"]),
    )


def _told(reply: Reply) -> str:
    if "gap" in reply:
        return f"gap {reply['gap']:.1e} in {reply['seconds']:.3g} s"
    return str(reply.get("error") or "out of time")


def _spark() -> bool:
    try:
        envs.python("spark")
    except envs.Absent:
        return False
    return True


def _notes(repeats: int) -> list[str]:
    return [
        f"seconds: median, fit only, after a small fit to warm up (ours: of {repeats} runs, in turns with "
        "the peers'). CPU seconds: of all processes, in the first of these runs.",
        "gap: relative, of one objective evaluated in float64; the penalty (alpha = 1e-12) is negligible for "
        "all.",
        f"tol: the loosest of a ladder of tenths whose gap is at most {TOL:g}; the last two columns are the "
        f"same for a gap at most ours (or {FLOOR:g}).",
        "peak MB: highest resident memory during the fit, data and runtime included, sum over all processes; "
        "data MB: the same before the fit.",
        "evaluations: of loss, gradient or Hessian; epochs: passes of a stochastic or dual solver.",
    ]


def _cluster_notes(options: Options) -> list[str]:
    notes = [
        "graph executions: computations that dask-ml sends to the scheduler; one of admm has up to 250 local "
        "evaluations in it. iterations: of Spark's L-BFGS, whose line search evaluates more often.",
    ]
    for peer, package in (("dask-ml", "dask-glm"), ("spark", "pyspark")):
        if not options.peers:
            notes.append(f"{peer}: left out (--no-peers)")
            continue
        try:
            notes.append(f"{peer} with {package} {envs.version(peer, package)}")
        except envs.Absent as reason:
            notes.append(f"{peer} is absent: {reason}")
    return notes
