"""Real data: passes, gaps, and what held a fit back."""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.counting import evaluations
from benchmarks.objective import Objective, Truth, solve
from benchmarks.options import Options, data_folder
from benchmarks.real import SETS, Real
from benchmarks.table import Table
from daskml_dist.linear_model import LogisticRegression, PoissonRegressor

COLUMNS = (
    "data",
    "rows",
    "p",
    "n/p",
    "passes",
    "true gap",
    "kind of gap",
    "claimed gap",
    "seconds",
    "gap after each pass",
    "lbfgs, evaluations",
    "lbfgs, seconds",
)


def run(options: Options) -> list[Table]:
    """Each set with scikit-learn's default penalty."""
    table = Table("Real data, in memory", COLUMNS)
    folder = data_folder()
    if folder is None:
        table.notes.append("skipped: no data; DASKML_DIST_DATA names the folder that holds the data sets")
        return [table]
    for name in list(SETS)[options.pick(slice(None), slice(None), slice(-1, None))]:
        options.say(f"real_data: {name}")
        _add(table, options, name, folder)
    table.notes += [
        "penalty: alpha = 1 / n on the mean loss (C = 1). freMTPL2: the offset is the logarithm of exposure.",
        "gap after each pass: what the fit itself said (history_); true gap: by an independent solver.",
        "lbfgs: scikit-learn's, of the logistic sets, on raw features, evaluations until the gap was "
        "first below 1e-6 (> where never in 1,000 iterations), and seconds of the fit at tol=1e-8.",
    ]
    return [table]


def _add(table: Table, options: Options, name: str, folder: Path) -> None:
    try:
        real = SETS[name](folder)
    except OSError as error:
        table.notes.append(f"{name} is skipped: {error}")
        return
    n, p = real.X.shape
    truth = solve(Objective(real.family, real.X, real.y, 1.0 / n, real.offset))
    model, seconds = _ours(real)
    held = " ".join(f"{row['gap']:.0e}" for row in model.history_)
    gap = truth.gap(model.coef_, model.intercept_)
    options.say(f"real_data: {name}: {model.n_passes_} passes, gap {gap:.1e} {model.gap_kind_}")
    table.add(
        name,
        n,
        p,
        n / p,
        model.n_passes_,
        gap,
        model.gap_kind_,
        model.gap_,
        seconds,
        held,
        *_theirs(real, truth),
    )


def _ours(real: Real) -> tuple[Any, float]:
    n = len(real.y)
    model: Any = (
        LogisticRegression(C=1.0, verbose=0)
        if real.family == "logistic"
        else PoissonRegressor(alpha=1.0 / n, verbose=0)
    )
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(real.X, real.y, offset=real.offset)
    return model, time.perf_counter() - began


def _theirs(real: Real, truth: Truth) -> tuple[Any, Any]:
    """scikit-learn's lbfgs; its Poisson regression has no offset."""
    from sklearn.linear_model import LogisticRegression as Theirs

    if real.family != "logistic":
        return "–", None
    model = Theirs(C=1.0, tol=1e-8, max_iter=1000)
    began = time.perf_counter()
    with evaluations() as seen, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(real.X, real.y)
    seconds = time.perf_counter() - began
    found = seen.until(lambda value: truth.relative(value) <= 1e-6)
    if found is not None:
        return str(found), seconds
    return f"> {seen.total} (gap {truth.gap(model.coef_, np.ravel(model.intercept_)[0]):.0e})", seconds
