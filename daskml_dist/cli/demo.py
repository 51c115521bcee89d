"""``daskml-dist demo``: real files beside scikit-learn, then a million rows and a killed worker."""

from __future__ import annotations

import os
import shlex
import signal
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import dask
import dask.array as da
import numpy as np
from distributed import Client, wait
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.linear_model import LogisticRegression as TheirLogistic
from sklearn.linear_model import Ridge as TheirRidge

from daskml_dist.cli.clusters import connected
from daskml_dist.cli.options import FitOptions
from daskml_dist.cli.report import Report, certainty
from daskml_dist.cli.training import Fitted, train
from daskml_dist.linear_model import LogisticRegression
from daskml_dist.types import AnyArray, FloatArray

FEATURES = 50
CHUNKS = 16
CLOSE = 1e-6
"""Relative difference of coefficients that counts as the same optimum."""


def demo(rows: int, workers: int) -> bool:
    """Run it all and print what happens; whether everything was as it should be.

    Parameters
    ----------
    rows : how many are generated.
    workers : of the local cluster, at least 2.
    """
    report, began = Report(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="daskml-dist-demo-") as folder:
        fine = [_cancer(Path(folder), report), _diabetes(Path(folder), report)]
    fine.append(_million(rows, workers, report))
    report.line()
    report.line(
        f"{'all is well' if all(fine) else 'SOMETHING IS WRONG'}, {time.monotonic() - began:.0f} s in all"
    )
    return all(fine)


def _cancer(folder: Path, report: Report) -> bool:
    """A binary target in a CSV file."""
    data = load_breast_cancer(as_frame=True)
    path = folder / "tumours.csv"
    labels = np.asarray(data.target_names)[data.target]
    data.data.assign(diagnosis=labels).to_csv(path, index=False)
    report.line("1  A CSV file: which of 569 tumours are malignant?")
    fitted = _shown(FitOptions(str(path), "diagnosis", tol=1e-12), "--tol 1e-12", report)
    theirs = TheirLogistic(C=1.0, solver="newton-cholesky", tol=1e-12, max_iter=1000)
    return _beside(fitted, theirs, report)


def _diabetes(folder: Path, report: Report) -> bool:
    """A number in a Parquet file."""
    data = load_diabetes(as_frame=True, scaled=False)
    path = folder / "diabetes.parquet"
    data.frame.rename(columns={"target": "progression"}).to_parquet(path, index=False)
    report.line("\n2  A Parquet file: how does diabetes progress in 442 patients?")
    fitted = _shown(FitOptions(str(path), "progression", alpha=1.0), "--alpha 1", report)
    return _beside(fitted, TheirRidge(alpha=1.0), report)


def _shown(options: FitOptions, said: str, report: Report) -> Fitted:
    """The command as one would type it, and what it prints."""
    name = shlex.quote(Path(options.file).name)
    report.line(f"   $ daskml-dist fit {name} --target {options.target} {said}")
    return train(options, report)


def _beside(fitted: Fitted, theirs: Any, report: Report) -> bool:
    """Fit scikit-learn's model to the same rows, and compare the coefficients."""
    X, y = dask.compute(fitted.prepared.rows.X.data, fitted.prepared.rows.y)
    theirs.fit(X, y)
    ours, reference = _coefficients(fitted.model), _coefficients(theirs)
    difference = float(np.linalg.norm(ours - reference) / np.linalg.norm(reference))
    report.line()
    report.fact("scikit-learn", f"the same coefficients to {difference:.0e} (relative)")
    return difference < CLOSE


def _coefficients(model: Any) -> FloatArray:
    """Intercept and coefficients as one vector."""
    return np.append(np.ravel(model.intercept_), np.ravel(model.coef_)).astype(np.float64)


def _million(rows: int, workers: int, report: Report) -> bool:
    """Generated rows on a cluster; fitted twice, the second time with a worker killed on the way."""
    size = rows * FEATURES * 8
    report.line(f"\n3  {rows:,} generated rows x {FEATURES} correlated features, {workers} worker processes")
    limit = max(1536 << 20, 3 * size)
    with connected(workers, None, str(limit)) as client:
        assert client is not None
        report.fact("dashboard", str(client.dashboard_link))
        began = time.monotonic()
        X, y = dask.persist(*generated(rows))
        wait([X, y])
        report.fact(
            "generated", f"{size / 2**20:,.0f} MiB on the workers in {time.monotonic() - began:.1f} s"
        )
        first, seconds = _fit(X, y)
        report.fact("fitted", f"in {seconds:.2f} s, {first.n_passes_} passes over the data")
        report.fact("gap", certainty(first))
        second = _fit_and_kill(client, X, y, seconds, report)
    if second is None:
        return False
    same = _coefficients(first).tobytes() == _coefficients(second).tobytes()
    count = FEATURES + 1
    report.fact("same bits", f"yes: all {count} coefficients, to the last bit" if same else "NO: they differ")
    return same


def _fit(X: Any, y: Any) -> tuple[LogisticRegression, float]:
    """A fitted model and its seconds."""
    began = time.monotonic()
    model = LogisticRegression(C=1.0).fit(X, y)
    return model, time.monotonic() - began


@final
@dataclass
class _Kill:
    """A worker's process, killed by a timer."""

    pid: int
    at: float | None = None

    def __call__(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self.at = time.monotonic()


def _fit_and_kill(
    client: Client, X: Any, y: Any, seconds: float, report: Report
) -> LogisticRegression | None:
    """The second fit; None where no worker could be killed while it ran."""
    for share in (0.5, 0.25, 0.1):
        pids: dict[str, int] = client.run(os.getpid)
        kill = _Kill(sorted(pids.values())[0])
        timer = threading.Timer(share * seconds, kill)
        began = time.monotonic()
        timer.start()
        try:
            model, again = _fit(X, y)
        finally:
            timer.cancel()
        if kill.at is not None and kill.at < began + again:
            report.fact(
                "killed", f"process {kill.pid}, a worker, {kill.at - began:.2f} s into a second fit (SIGKILL)"
            )
            report.fact("fitted", f"in {again:.2f} s all the same, {model.n_passes_} passes")
            return model
    report.fact("killed", "NO worker: the fit was always faster; try more --rows")
    return None


def generated(rows: int) -> tuple[Any, Any]:
    """X (rows, 50) and y (rows,) of zeros and ones, in 16 lazy chunks, made anew to the same bits."""
    make = dask.delayed(generate, pure=True)
    bounds = [rows * i // CHUNKS for i in range(CHUNKS + 1)]
    lengths = [stop - start for start, stop in zip(bounds, bounds[1:], strict=False)]
    parts = [make(i, length) for i, length in enumerate(lengths)]
    pairs = list(zip(parts, lengths, strict=True))
    X = da.concatenate([da.from_delayed(part[0], (n, FEATURES), dtype=np.float64) for part, n in pairs])
    y = da.concatenate([da.from_delayed(part[1], (n,), dtype=np.int64) for part, n in pairs])
    return X, y


def generate(chunk: int, rows: int) -> tuple[FloatArray, AnyArray]:
    """One chunk: neighbouring features are correlated by 0.9, and half of them matter."""
    rng = np.random.default_rng([2026, chunk])
    columns = rng.standard_normal((FEATURES, rows))
    for j in range(1, FEATURES):
        columns[j] *= np.sqrt(1.0 - 0.81)
        columns[j] += 0.9 * columns[j - 1]
    margin = np.full(rows, -1.0)
    for j in range(0, FEATURES, 2):
        margin += (0.5 if j % 4 else -0.4) * columns[j]
    y = rng.random(rows) < 1.0 / (1.0 + np.exp(-margin))
    return np.ascontiguousarray(columns.T), y.astype(np.int64)
