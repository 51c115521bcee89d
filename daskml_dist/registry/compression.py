"""Smaller weights, measured on data and refused where they change the answers too much."""

from __future__ import annotations

import time
import tracemalloc
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np

from daskml_dist import edge
from daskml_dist.errors import DaskmlDistError, UnsupportedParameter
from daskml_dist.registry.functions import answer_from, function_of, in_memory
from daskml_dist.registry.measuring import Change, change_of
from daskml_dist.registry.sklearn_models import from_sklearn
from daskml_dist.registry.version import Version
from daskml_dist.storage import Answer, answer_of, model_files
from daskml_dist.types import AnyArray, FloatArray

_TIMED_ROWS = 1000


class CompressionRefused(DaskmlDistError, ValueError):
    """A smaller model changes more than the limits allow; ``report`` says what was measured."""

    def __init__(self, message: str, report: dict[str, Any]) -> None:
        super().__init__(message)
        self.report = report


@final
@dataclass(frozen=True)
class Compressed:
    """A smaller model that has kept within its limits; ``Registry.register`` takes it.

    Attributes
    ----------
    answer : the smaller one.
    report : for "before" and "after": bytes of the weights, milliseconds to load, bytes of memory at most
        while loading, microseconds a row; and what changed ("change").
    parent : the version that it came from, or None.
    """

    answer: Answer
    report: dict[str, Any]
    parent: str | None = None

    def __str__(self) -> str:
        """The report as a table."""
        return table(self.report)


def compress(
    model: Any,
    dtype: str = "float16",
    *,
    data: Any,
    target: Any = None,
    max_label_change: float = 1e-3,
    max_probability_change: float = 1e-2,
    max_mean_change: float = 1e-2,
    max_loss_increase: float = 1e-3,
) -> Compressed:
    """Store the weights in fewer bits, if the answers on data stay what they are.

    int8 weights have a scale for each run of 64 of a row. Servers decode the weights once, when they load
    them: what is smaller is the file and what travels, not the memory or the time of an answer.

    Parameters
    ----------
    model : a ``Version``, what ``Registry.load`` returns, an answer, or a fitted estimator.
    dtype : "float32", "float16" or "int8".
    data, target : features (n, p) that the training has not seen, in memory or lazy, and their target or
        None.
    max_label_change : share of rows whose label may change.
    max_probability_change : by how much a probability of a row may change.
    max_mean_change : by how much an expectation of a row may change, in standard deviations of all of them.
    max_loss_increase : by how much the mean loss may rise, relative to what it was; with a target only. The
        loss is minus log likelihood where there are probabilities, else the share of wrong labels, or half
        the deviance of squares, counts or shares.

    Raises
    ------
    CompressionRefused
        A limit is passed, or the dtype cannot hold the weights.
    """
    if dtype not in edge.DTYPES[1:]:
        raise UnsupportedParameter(
            f"dtype={dtype!r}: expected one of {', '.join(map(repr, edge.DTYPES[1:]))}."
        )
    whole = _answer(model)
    limits = {
        "labels": max_label_change,
        "probability": max_probability_change,
        "mean": max_mean_change,
        "loss": max_loss_increase,
    }
    smaller = stored_as(whole, dtype)
    if not (np.isfinite(smaller.weights()).all() and np.isfinite(smaller.intercept).all()):
        raise CompressionRefused(f"{dtype} cannot hold the weights: they are too large.", {})
    found = change_of(function_of(whole), function_of(smaller), data, target)
    report = report_of(whole, smaller, found)
    refuse_over(found, limits, report, dtype)
    return Compressed(smaller, report, model.spec if isinstance(model, Version) else None)


def stored_as(answer: Answer, dtype: str) -> Answer:
    """The answer with weights of another dtype; intercepts stay."""
    weights = answer.weights()
    if dtype == "int8":
        coef, scale = _quantised(weights)
        return replace(answer, coef=coef, scale=scale)
    with np.errstate(over="ignore"):
        return replace(answer, coef=weights.astype(dtype), scale=None)


def refuse_over(found: Change, limits: dict[str, float], report: dict[str, Any], what: str) -> None:
    """Refuse a change over its limit; one that is no number is over any."""
    over = [
        f"{name} {value:.3g} (limit {limits[name]:.3g})"
        for name, value in found.measured().items()
        if name in limits and not value <= limits[name]
    ]
    if over:
        raise CompressionRefused(
            f"{what} changes too much on {found.rows:,} rows: {', '.join(over)}. Use more bits, keep more "
            f"columns, or raise the limits.\n{table(report)}",
            report,
        )


def report_of(before: Answer, after: Answer, found: Change) -> dict[str, Any]:
    """Bytes, loading, memory and time of both, and what changed."""
    return {"before": _cost(before), "after": _cost(after), "rows": found.rows, "change": found.measured()}


def table(report: dict[str, Any]) -> str:
    """A report for people."""
    if not report:
        return ""
    before, after = report["before"], report["after"]
    lines = [f"{'':<24}{'before':>12}{'after':>12}{'ratio':>9}"]
    lines += [
        f"{name:<24}{before[name]:>12,.4g}{after[name]:>12,.4g}{before[name] / max(after[name], 1e-12):>9.2f}"
        for name in before
    ]
    lines += [f"{'change of ' + name:<24}{value:>24.3g}" for name, value in report["change"].items()]
    return "\n".join(lines)


def _quantised(weights: FloatArray) -> tuple[AnyArray, AnyArray]:
    """int8 weights, and the float32 scale of each run of ``edge.BLOCK`` of them."""
    k, p = weights.shape
    blocks = -(-p // edge.BLOCK)
    padded = np.zeros((k, blocks * edge.BLOCK))
    padded[:, :p] = weights
    runs = padded.reshape(k, blocks, edge.BLOCK)
    with np.errstate(over="ignore"):
        scale = (np.abs(runs).max(axis=2) / 127.0).astype(np.float32)
    step = np.where((scale > 0.0) & np.isfinite(scale), scale, 1.0).astype(np.float64)[:, :, None]
    whole = np.clip(np.rint(runs / step), -127, 127).astype(np.int8)
    return np.ascontiguousarray(whole.reshape(k, -1)[:, :p]), scale


def _cost(answer: Answer) -> dict[str, float]:
    """What an answer costs: in the file, at loading, and for a row."""
    files = model_files(None, {}, {}, answer)
    tracemalloc.start()
    try:
        model = in_memory(files)
        memory = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    X = np.zeros((_TIMED_ROWS, answer.coef.shape[1]))[: max(1, (16 << 20) // (8 * answer.coef.shape[1]))]
    return {
        "bytes of weights": len(files["weights.safetensors"]),
        "ms to load": 1e3 * _seconds(lambda: in_memory(files)),
        "bytes of memory": memory,
        "us a row": 1e6 * _seconds(lambda: model.margins(X)) / len(X),
    }


def _seconds(work: Any) -> float:
    """The least of three times."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def _answer(model: Any) -> Answer:
    if isinstance(model, Version):
        model = model.load()
    if isinstance(model, edge.Model):
        return answer_from(model)
    if isinstance(model, Answer):
        return model
    found = answer_of(model)
    return from_sklearn(model) if found is None else found
