"""Ten penalties on five splits: us, scikit-learn's LogisticRegressionCV and dask-ml's grid search."""

from __future__ import annotations

from statistics import median
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedKFold

from benchmarks.data import Design
from benchmarks.objective import Objective, solve
from benchmarks.options import Options
from benchmarks.peers import ask
from benchmarks.table import Table

CS = np.logspace(-4, 4, 10).tolist()
FOLDS = 5
TOLERANCES = (1e-4, 1e-6, 1e-8)  # of lbfgs, each tried until the worst gap is at most 1e-6
COLUMNS = (
    "library",
    "where",
    "tol",
    "seconds",
    "ratio",
    "passes",
    "worst gap of the first split",
    "chosen C",
    "scores differ by",
    "peak MB",
)

Reply = dict[str, Any]


def run(options: Options) -> list[Table]:
    """One table: in memory, and persisted on two workers."""
    n, p = options.pick((500_000, 50), (100_000, 20), (2_000, 5))
    folder = options.folder / "logistic_cv"
    options.say(f"logistic_cv: drawing {n:,} x {p}")
    Design("correlated", p, seed=2).write(n, folder, parquet=False)
    request = {
        "folder": str(folder),
        "rows": n,
        "family": "logistic, cross-validated",
        "alpha": 0.0,
        "Cs": CS,
        "folds": FOLDS,
        "chunk_rows": n // 16,
        "cores": 2,
        "solver": "lbfgs",
    }
    judge = Judge(folder)
    title = (
        f"Logistic regression, {len(CS)} penalties on {FOLDS} splits, {n:,} x {p} float64, AR(0.95) features"
    )
    table = Table(title, COLUMNS)
    ours: dict[str, Reply] = {}
    for where in ("memory", "cluster"):
        options.say(f"logistic_cv: daskml_dist, {where}")
        asked = {**request, "solver": "auto", "tol": 1e-6, "where": where}
        replies = [_answer("ours", asked, options) for _ in range(options.pick(3, 2, 1))]
        ours[where] = {**replies[0], "seconds": median(reply["seconds"] for reply in replies)}
        _add(table, "daskml_dist", where, 1e-6, ours[where], ours[where], judge)
    peers = [("scikit-learn", "memory"), *([("dask-ml", "cluster")] if options.peers else [])]
    for peer, where in peers:
        for tol in TOLERANCES:
            options.say(f"logistic_cv: {peer}, {tol:g}")
            reply = ask(peer, {**request, "tol": tol}, options.limit)
            _add(table, peer, where, tol, reply, ours[where], judge)
            if "paths" not in reply or judge.gap(reply) <= 1e-6:
                break
    table.notes += NOTES
    for path in folder.iterdir():
        path.unlink()
    return [table]


NOTES = [
    "solver: ours auto, theirs lbfgs; scoring neg_log_loss; the time includes the refit on all rows.",
    "worst gap: the largest relative gap of the models of the first split, of one objective in float64.",
    "scores differ by: the largest difference from our scores in memory; chosen C: by the mean score.",
    "dask-ml: its GridSearchCV over scikit-learn's LogisticRegression, on data persisted on two workers; it "
    "does not keep the models of the splits.",
]


class Judge:
    """The true minima of the first split, and the scores that others are compared with."""

    def __init__(self, folder: Any) -> None:
        X, y = np.load(folder / "X.npy"), np.load(folder / "y.npy")
        rows, _ = next(StratifiedKFold(FOLDS).split(X, y))
        X, y = X[rows], y[rows]
        self._truths = [solve(Objective("logistic", X, y, 1.0 / (C * len(y)))) for C in CS]
        self._scores: Any = None

    def gap(self, reply: Reply) -> float:
        """The largest gap of the models of the first split."""
        models = zip(self._truths, reply["paths"][0], strict=True)
        return max(truth.gap(theta[:-1], theta[-1]) for truth, theta in models)

    def difference(self, reply: Reply) -> float:
        """The largest difference from the first scores that came."""
        scores = np.array(reply["scores"])
        self._scores = scores if self._scores is None else self._scores
        return float(np.abs(scores - self._scores).max())


def _answer(peer: str, request: Reply, options: Options) -> Reply:
    reply = ask(peer, request, options.limit)
    if "seconds" not in reply:
        raise RuntimeError(f"our own fit failed: {reply}")
    return reply


def _add(table: Table, peer: str, where: str, tol: float, reply: Reply, ours: Reply, judge: Judge) -> None:
    if "seconds" not in reply:
        table.add(peer, where, tol, str(reply.get("error") or "out of time"), *(None,) * 6)
        return
    grid = (
        (judge.gap(reply), reply["C"], judge.difference(reply))
        if "paths" in reply
        else (None, reply["C"], None)
    )
    table.add(
        peer,
        where,
        tol,
        reply["seconds"],
        reply["seconds"] / ours["seconds"],
        f"{reply['passes']} {reply['unit']}",
        *grid,
        round(reply["peak_mb"]),
    )
