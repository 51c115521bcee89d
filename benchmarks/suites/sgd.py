"""Stochastic gradients: how near each strategy comes, by passes, bytes and seconds; scikit-learn's too."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import dask.array as da
from sklearn.linear_model import SGDClassifier as Theirs
from sklearn.preprocessing import StandardScaler

from benchmarks.data import Design
from benchmarks.objective import Objective, Truth, solve
from benchmarks.options import Options
from benchmarks.table import Table
from daskml_dist.cluster.on_dask import OnDask
from daskml_dist.linear_model import LogisticRegression, SGDClassifier

KINDS = ("iid", "correlated, scales 1e±3", "1 % positive", "iid, sorted by label")
EPOCHS = (1, 2, 3, 5)
CHUNKS = 16
STRATEGIES: dict[str, dict[str, Any]] = {
    "synchronous": {},
    "parameter server, bulk": {"strategy": "parameter_server", "consistency": "bulk_synchronous"},
    "parameter server, staleness 3": {"strategy": "parameter_server", "staleness": 3},
    "parameter server, asynchronous": {"strategy": "parameter_server", "consistency": "asynchronous"},
    "model averaging": {"strategy": "model_averaging", "control_variates": False},
    "model averaging, control variates": {"strategy": "model_averaging", "control_variates": True},
    "model averaging, 2 corrections": {"strategy": "model_averaging", "correction_rounds": 2},
}
COLUMNS = ("data", "by", "epochs", "passes", "rounds", "bytes", "seconds", "rounds/s", "rows/s", "gap")
COLUMNS += ("claimed",)


@dataclass
class Traffic:
    """Rounds of questions, and bytes of partial sums."""

    rounds: int = 0
    sent: int = 0


def run(options: Options) -> list[Table]:
    """One row for each kind of data, strategy and number of epochs; a plot, where there is a place for it."""
    n, p = options.pick((200_000, 50), (40_000, 20), (3_000, 5))
    table = Table(f"Stochastic gradients, logistic, {n:,} x {p} in {CHUNKS} chunks on 2 workers", COLUMNS)
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster),
    ):
        for kind in options.pick(KINDS, KINDS[-2:], KINDS[:1]):
            X, y, truth = _problem(kind, n, p)
            held = [
                da.from_array(part, chunks=(-(-n // CHUNKS), *part.shape[1:])).persist() for part in (X, y)
            ]
            for name, settings in STRATEGIES.items():
                for epochs in options.pick(EPOCHS, (1, 3), EPOCHS[:1]):
                    options.say(f"sgd: {kind}, {name}, {epochs} epochs")
                    table.add(kind, name, epochs, *_ours(settings, epochs, held, truth))
            table.add(kind, "progressive-newton", None, *_newton(held, truth))
            for epochs in options.pick(EPOCHS, (1, 3), EPOCHS[:1]):
                table.add(kind, "scikit-learn, scaled", epochs, *_theirs(epochs, X, y, truth))
    table.notes += [
        "gap: the true relative one; claimed: gap_. bytes: partial sums that were joined. rounds: questions, "
        "the sample and the verifying pass among them. scikit-learn: SGDClassifier in one thread, "
        "its defaults, on standardised features, its gap on the same objective.",
        "defaults, but for max_iter and tol=None; alpha=1e-4.",
    ]
    if options.out is not None:
        plot(table, options.out.with_name("sgd.html"))
    return [table]


def _problem(kind: str, n: int, p: int) -> tuple[Any, Any, Truth]:
    design = Design(kind.removesuffix(", sorted by label"), p, seed=p)
    X, y = design.whole(n)
    if kind.endswith("sorted by label"):
        order = y.argsort(kind="stable")
        X, y = X[order], y[order]
    return X, y, solve(Objective(design.family, X, y, 1e-4))


@contextmanager
def _counted() -> Iterator[Traffic]:
    """Count the rounds and bytes of all fits within."""
    seen = Traffic()

    def counted(ask: Any) -> Any:
        def asked(self: Any, question: Any) -> Any:
            found = ask(self, question)
            seen.rounds, seen.sent = seen.rounds + 1, seen.sent + self.cost.partial_bytes
            return found

        return asked

    with (
        mock.patch.object(OnDask, "answer", counted(OnDask.answer)),
        mock.patch.object(OnDask, "serve", counted(OnDask.serve)),
    ):
        yield seen


def _ours(settings: dict[str, Any], epochs: int, held: list[Any], truth: Truth) -> tuple[Any, ...]:
    model = SGDClassifier("log_loss", max_iter=epochs, tol=None, verbose=0, **settings)
    return _timed(model, held, truth, epochs)


def _newton(held: list[Any], truth: Truth) -> tuple[Any, ...]:
    n = len(held[1])
    return _timed(LogisticRegression(C=1.0 / (1e-4 * n), verbose=0), held, truth, None)


def _timed(model: Any, held: list[Any], truth: Truth, epochs: int | None) -> tuple[Any, ...]:
    began = time.perf_counter()
    with _counted() as seen, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(*held)
    seconds = time.perf_counter() - began
    rows = len(held[1]) * model.n_passes_ / seconds
    gap = truth.gap(model.coef_.ravel(), model.intercept_)
    told = seen.rounds, seen.sent, seconds, seen.rounds / seconds, rows, gap, model.gap_
    return (model.n_passes_, *told)


def _theirs(epochs: int, X: Any, y: Any, truth: Truth) -> tuple[Any, ...]:
    scaler = StandardScaler().fit(X)
    Z = scaler.transform(X)
    model = Theirs("log_loss", max_iter=epochs, tol=None, random_state=0)
    began = time.perf_counter()
    model.fit(Z, y)
    seconds = time.perf_counter() - began
    w = model.coef_.ravel() / scaler.scale_
    gap = truth.gap(w, model.intercept_ - w @ scaler.mean_)
    return (epochs, None, None, seconds, None, len(y) * epochs / seconds, gap, None)


def plot(table: Table, path: Path) -> None:
    """Loss against passes, bytes and seconds, a picture for each kind of data."""
    from bokeh.io import save
    from bokeh.layouts import gridplot
    from bokeh.palettes import Category10
    from bokeh.plotting import figure
    from bokeh.resources import INLINE

    records = table.record()["rows"]
    pictures = []
    for kind in dict.fromkeys(row["data"] for row in records):
        line = []
        for unit in ("passes", "bytes", "seconds"):
            picture: Any = figure(
                width=620 if unit == "seconds" else 400, height=320, title=kind,
                x_axis_label=unit, y_axis_label="gap",
                x_axis_type="linear" if unit == "passes" else "log", y_axis_type="log",
            )  # fmt: skip
            for colour, name in zip(Category10[10], dict.fromkeys(r["by"] for r in records), strict=False):
                own = [r for r in records if r["by"] == name and r["data"] == kind and r[unit] is not None]
                xs, ys = [r[unit] for r in own], [max(r["gap"], 1e-12) for r in own]
                picture.line(xs, ys, color=colour, legend_label=name)
                picture.scatter(xs, ys, color=colour, size=6)
            picture.legend.label_text_font_size = "8pt"
            if unit == "seconds":  # one legend a line, beside the curves
                picture.add_layout(picture.legend[0], "right")
            else:
                picture.legend.visible = False
            if unit == "bytes":
                picture.xaxis.ticker.desired_num_ticks = 3
            line.append(picture)
        pictures.append(line)
    save(gridplot(pictures), filename=str(path), title="Stochastic gradients", resources=INLINE)
