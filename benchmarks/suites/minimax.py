"""Minimax over groups: passes to a certified gap, four solvers, an independent one, and real groups."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

from benchmarks.options import Options, data_folder
from benchmarks.table import Table
from daskml_dist.linear_model import MinimaxClassifier, MinimaxRegressor

Data = tuple[Any, Any, Any]
TOLERANCES = (1e-2, 1e-4, 1e-6)
REACHED = (
    "solver",
    *(f"{what} to {tol:g}" for tol in TOLERANCES for what in ("passes", "seconds")),
    "passes in all",
    "gap",
    "kind",
)


def run(options: Options) -> list[Table]:
    """Passes on generated groups, of few and of many features; worst-group losses on real ones."""
    return [_passes(options), _solvers(options), _many_features(options), _real_groups(options)]


def _solvers(options: Options) -> Table:
    table = Table(
        "Four solvers: the worst of 8 groups, logistic, 20 features, alpha = 0.001, in memory", REACHED
    )
    X, y, group = generated(options.pick(100_000, 20_000, 2_000))
    most = options.pick(400, 200, 20)
    for solver in ("group-newton", "bundle", "exponentiated-gradient", "group-dro"):
        options.say(f"minimax: {solver}")
        passes = min(most, 40) if solver == "group-dro" else most
        model = MinimaxClassifier(solver=solver, max_iter=passes, verbose=0)
        _add(table, solver, model, (X, y, group))
    table.notes += [
        f"{len(X):,} rows. passes and seconds until the certified gap is below each tolerance; "
        "the sample that they start from is in the seconds.",
        "group-dro: an epoch is counted as a pass, and only the last pass tells a gap.",
    ]
    return table


def _many_features(options: Options) -> Table:
    p = options.pick(5_000, 1_500, 300)
    table = Table(f"Many features: the worst of 8 groups, logistic, {p:,} features, alpha = 0.01", REACHED)
    X, y, group = generated(options.pick(10_000, 4_000, 600), p)
    X = X.astype(np.float32)
    for solver in ("bundle", "exponentiated-gradient"):
        options.say(f"minimax: {solver}, {p:,} features")
        model = MinimaxClassifier(solver=solver, alpha=0.01, max_iter=options.pick(60, 40, 20), verbose=0)
        _add(table, solver, model, (X, y, group))
    table.notes.append(
        f"{len(X):,} rows of float32. The Hessians of all groups would take {8 * 8 * p**2 / 2**30:.1f} GiB "
        "in each partial answer; solver='auto' is the bundle."
    )
    return table


def _add(table: Table, name: str, model: Any, data: Data) -> None:
    """A line of what one fit has reached, and when."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(data[0], data[1], groups=data[2])
    reached: list[Any] = []
    for tol in TOLERANCES:
        there = [row for row in model.history_ if row["gap"] <= tol]
        reached += [there[0]["passes"], there[0]["seconds"]] if there else [None, None]
    table.add(name, *reached, model.n_passes_, model.gap_, model.gap_kind_)


def _passes(options: Options) -> Table:
    columns = ("data", "library", "passes", "seconds", "worst-group loss", "gap")
    table = Table("The worst of 8 groups, logistic, 20 features, alpha = 0.001, in memory", columns)
    X, y, group = generated(options.pick(100_000, 20_000, 2_000))
    name = f"{len(X):,} x {X.shape[1]}"
    MinimaxClassifier(verbose=0).fit(X[:500], y[:500], groups=group[:500])  # what is imported late
    for tol in (1e-6, 1e-10):
        began = time.perf_counter()
        ours = MinimaxClassifier(tol=tol, verbose=0).fit(X, y, groups=group)
        seconds = time.perf_counter() - began
        penalty = 0.5 * ours.alpha * float(np.square(ours.coef_).sum())
        worst = float(ours.group_losses_.max()) + penalty
        table.add(name, f"daskml_dist, tol={tol:g}", ours.n_passes_, seconds, worst, ours.gap_)
    options.say("minimax: SciPy")
    began = time.perf_counter()
    value, evaluations = by_slsqp(X, y, group, ours.alpha)
    seconds = time.perf_counter() - began
    table.add(name, "SciPy SLSQP on the epigraph", evaluations, seconds, value, value / worst - 1.0)
    table.notes.append(
        "gap: certified, relative; of SciPy relative to the line above. passes: of SciPy, evaluations of all "
        "losses. The sample that ours starts from is read once more, where the data are not in memory."
    )
    return table


def generated(n: int, p: int = 20) -> Data:
    """Groups that disagree about the coefficients."""
    rng = np.random.default_rng(0)
    group = rng.integers(0, 8, n)
    X = rng.standard_normal((n, p))
    w = 0.4 * rng.standard_normal((8, p)) + 0.3 * rng.standard_normal(p)
    w *= np.sqrt(20 / p)
    chance = 1.0 / (1.0 + np.exp(-np.einsum("ij,ij->i", X, w[group])))
    return X, (rng.random(n) < chance).astype(int), group


def by_slsqp(X: Any, y: Any, group: Any, alpha: float) -> tuple[float, int]:
    """min over (theta, t) of t with each penalised mean loss at most t; and evaluations of the losses."""
    p, G, t = X.shape[1], int(group.max()) + 1, 2 * y - 1.0
    rows = [group == g for g in range(G)]
    counted = 0

    def losses(u: Any) -> Any:
        nonlocal counted
        counted += 1
        each = np.logaddexp(0.0, -t * (X @ u[:p] + u[p]))
        return np.array([each[where].mean() for where in rows]) + 0.5 * alpha * u[:p] @ u[:p]

    def slopes(u: Any) -> Any:
        slope = -t / (1.0 + np.exp(t * (X @ u[:p] + u[p])))
        means = [np.append(slope[where] @ X[where], slope[where].sum()) / where.sum() for where in rows]
        return np.array(means) + np.append(alpha * u[:p], 0.0)

    start = np.append(np.zeros(p + 1), np.log(2.0))
    limits = {
        "type": "ineq",
        "fun": lambda u: u[-1] - losses(u),
        "jac": lambda u: np.column_stack([-slopes(u), np.ones(G)]),
    }
    found = minimize(
        lambda u: u[-1],
        start,
        jac=lambda u: np.append(np.zeros(p + 1), 1.0),
        constraints=limits,
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 1000},
    )
    return float(losses(found.x).max()), counted


def _real_groups(options: Options) -> Table:
    columns = ("data", "groups", "training", "passes", "worst group", "its loss", "mean loss", "gap")
    table = Table("Worst-group loss against ordinary training, penalty alpha = 0.001", columns)
    folder = data_folder()
    if folder is None:
        table.notes.append("The real data are not here: set DASKML_DIST_DATA to the folder that has them.")
        return table
    for name, (make, model) in SETS.items():
        options.say(f"minimax: {name}")
        X, y, groups = make(folder)
        step = options.pick(1, 10, 50)
        X, y, groups = X[::step], y[::step], groups[::step]
        shares = pd.Series(groups).value_counts(normalize=True).sort_index().to_numpy()
        for risk in ("mean", "worst-group"):
            fitted = model().set_params(risk=risk, verbose=0).fit(X, y, groups=groups)
            worst = int(np.argmax(fitted.group_losses_))
            table.add(
                name,
                len(shares),
                "ordinary" if risk == "mean" else risk,
                fitted.n_passes_,
                str(fitted.groups_[worst]),
                float(fitted.group_losses_[worst]),
                float(shares @ fitted.group_losses_),
                fitted.gap_,
            )
    return table


def heart_disease(folder: Path) -> Data:
    """Disease or not at four hospitals; medians and indicators where a value is missing; standard scales."""
    names = ["cleveland", "hungarian", "switzerland", "va"]
    files = [folder / "heart-disease" / f"processed.{name}.data" for name in names]
    parts = [pd.read_csv(file, header=None, na_values="?") for file in files]
    data = pd.concat(parts, ignore_index=True)
    y = data.pop(13).gt(0).to_numpy(dtype=int)
    X = pd.concat([data.fillna(data.median()), data.isna().astype(float).loc[:, data.isna().any()]], axis=1)
    return _standard(X), y, np.repeat(names, [len(part) for part in parts])


def adult(folder: Path) -> Data:
    """Income above 50,000 by sex and race; factors one-hot, standard scales."""
    data = pd.read_csv(folder / "adult" / "adult.data.csv.gz", na_values="?")
    y = data.pop("income").eq(">50K").to_numpy(dtype=int)
    groups = (data["sex"] + ", " + data["race"]).to_numpy(dtype=str)
    return _standard(pd.get_dummies(data, drop_first=True, dtype=float)), y, groups


def beijing(folder: Path) -> Data:
    """The logarithm of PM2.5 at twelve stations, by weather, hour and month; rows without a gap."""
    files = sorted((folder / "beijing-air-quality").glob("PRSA_Data_*.csv.gz"))
    data = pd.concat([pd.read_csv(file, low_memory=False) for file in files], ignore_index=True)
    data = data.dropna(subset=["PM2.5", "TEMP", "PRES", "DEWP", "RAIN", "WSPM"])
    y = np.log(data["PM2.5"].to_numpy(dtype=float))
    weather = data[["TEMP", "PRES", "DEWP", "RAIN", "WSPM"]].astype(float)
    cycles = pd.get_dummies(data[["hour", "month"]].astype(str), drop_first=True, dtype=float)
    return _standard(pd.concat([weather, cycles], axis=1)), y, data["station"].to_numpy(dtype=str)


def _standard(X: pd.DataFrame) -> Any:
    values = X.to_numpy(dtype=float)
    return (values - values.mean(axis=0)) / values.std(axis=0)


SETS: dict[str, tuple[Callable[[Path], Data], Callable[[], Any]]] = {
    "heart disease, by site": (heart_disease, MinimaxClassifier),
    "adult, by sex and race": (adult, MinimaxClassifier),
    "Beijing air quality, by station": (beijing, MinimaxRegressor),
}
