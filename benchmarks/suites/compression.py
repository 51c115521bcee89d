"""What fewer bits cost and save: bytes, loading, memory, time a row, labels and losses; and fewer columns."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from benchmarks.options import Options
from benchmarks.table import Table
from daskml_dist.edge import DTYPES, Column
from daskml_dist.linear_model import LogisticRegression
from daskml_dist.registry import compress, prune
from daskml_dist.registry.functions import function_of
from daskml_dist.storage import Answer

COLUMNS = (
    "weights", "dtype", "bytes of weights", "times smaller", "ms to load", "MB while loading", "us a row",
    "labels changed", "largest change of a probability", "change of loss",
)  # fmt: skip
NO_LIMITS = {"max_label_change": 1.0, "max_probability_change": 1.0, "max_loss_increase": math.inf}


def run(options: Options) -> list[Table]:
    """Generated softmax models of several sizes, and digits."""
    table = Table("Compression of softmax models, on rows that they were not trained on", COLUMNS)
    for k, p in options.pick(
        ((3, 30), (10, 1_000), (10, 100_000)), ((3, 30), (10, 1_000), (10, 20_000)), ((3, 30),)
    ):
        options.say(f"compression: {k} x {p:,}")
        _add(table, f"{k} x {p:,}", *_generated(k, p, options.pick(2_000, 1_000, 100)))
    X, test, y, target = train_test_split(*load_digits(return_X_y=True), test_size=0.5, random_state=0)
    model = LogisticRegression(C=0.01, max_iter=1000, verbose=0).fit(X, y)
    _add(table, "digits, 10 x 64", model, test, target)
    table.notes.append(
        "Loading and time a row are those of this process; weights become float64 once, at loading. The file "
        "of int8 weights has a float32 scale for each run of 64. MB while loading: the most that Python "
        "had asked for."
    )
    return [table, _pruned(model, X, y, test, target)]


def _generated(k: int, p: int, n: int) -> tuple[Answer, Any, Any]:
    """A model, and rows whose labels it draws."""
    dice = np.random.default_rng(0)
    weights = 3.0 * dice.standard_t(4, size=(k, p)) / math.sqrt(p)
    columns = tuple(Column(f"x{i}") for i in range(p))
    answer = Answer("classification", "softmax", np.arange(k), k, columns, weights, np.zeros(k))
    X = dice.normal(size=(n, p))
    chance = function_of(answer).predict_proba(X).cumsum(axis=1)
    return answer, X, (dice.random((n, 1)) > chance[:, :-1]).sum(axis=1)


def _add(table: Table, name: str, model: Any, X: Any, y: Any) -> None:
    whole: dict[str, Any] = {}
    for dtype in DTYPES[1:]:
        report = compress(model, dtype, data=X, target=y, **NO_LIMITS).report
        if not whole:
            whole = report["before"]
            table.add(name, DTYPES[0], whole["bytes of weights"], 1.0, *_cost(whole), 0.0, 0.0, 0.0)
        after, change = report["after"], report["change"]
        times = whole["bytes of weights"] / after["bytes of weights"]
        changes = (change["labels"], change["probability"], change["loss"])
        table.add(name, dtype, after["bytes of weights"], times, *_cost(after), *changes)


def _cost(found: dict[str, Any]) -> tuple[float, float, float]:
    return found["ms to load"], found["bytes of memory"] / 1e6, found["us a row"]


def _pruned(model: Any, X: Any, y: Any, test: Any, target: Any) -> Table:
    """Fitted again, beside weights that are just set to zero."""
    columns = ("columns kept", "accuracy, fitted again", "accuracy, weights set to zero", "change of loss")
    table = Table("Pruning of a model of digits (64 columns), on rows that it was not trained on", columns)
    table.add(64, model.score(test, target), model.score(test, target), 0.0)
    for keep in (48, 32, 16):
        found = prune(model, X, y, keep, data=test, target=target, max_loss_increase=math.inf)
        part = np.abs(model.coef_).max(axis=0) * X.std(axis=0)
        gone = np.argsort(-part, kind="stable")[keep:]
        coef = model.coef_.copy()
        coef[:, gone] = 0.0
        blind = model.classes_[(test @ coef.T + model.intercept_).argmax(axis=1)]
        score = found.model.score(test[:, found.kept], target)
        table.add(keep, score, float(np.mean(blind == target)), found.report["change"]["loss"])
    return table
