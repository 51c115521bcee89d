"""Drift: false alarms and misses of rules of thumb and of ours, and what counting costs."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.options import Options
from benchmarks.table import Table
from daskml_dist import drift
from daskml_dist.drift.judging import Judgement
from daskml_dist.security import Tokens

COLUMNS = 30
NAMES = [f"x{i}" for i in range(COLUMNS)]
SEEN = 20_000
Rule = Callable[[Judgement], bool]
RULES: dict[str, Rule] = {
    "chi-square, at least 0.02 (ours)": lambda told: told.drifted,
    "chi-square, at least 0.1": lambda told: told.psi > max(0.1, told.threshold),
    "PSI above 0.1": lambda told: told.psi > 0.1,
    "PSI above 0.25": lambda told: told.psi > 0.25,
}


def run(options: Options) -> list[Table]:
    """Windows drawn from the training data, windows with a shift, and seconds."""
    windows = options.pick(20_000, 2_000, 20)
    source = _claims()
    reference = drift.reference(source, NAMES)
    return [
        _false_alarms(options, reference, source, windows),
        _misses(options, windows),
        _costs(options, reference, source),
    ]


def _claims() -> Any:
    """Columns as in tables: continuous, skewed, counted, of few levels, rare levels, missing values."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(SEEN, COLUMNS))
    X[:, 5:10] = np.exp(X[:, 5:10])
    X[:, 10:15] = rng.poisson(3.0, size=(SEEN, 5))
    X[:, 15:20] = rng.random((SEEN, 5)) < [0.5, 0.1, 0.02, 0.004, 0.0005]
    X[:, 20:25] = np.where(rng.random((SEEN, 5)) < 0.8, 0.0, X[:, 20:25])
    X[rng.random(X.shape) < np.linspace(0, 0.02, COLUMNS)] = np.nan
    return X


def _false_alarms(options: Options, reference: drift.Reference, source: Any, windows: int) -> Table:
    sizes = (100, 1000, 2000, 10_000)
    table = Table(
        f"False alarms in 1,000 windows of the training data ({COLUMNS} columns, {SEEN:,} rows)",
        ("rule", *(f"{rows:,} rows" for rows in sizes)),
    )
    found: dict[str, list[float]] = {rule: [] for rule in RULES}
    rng = np.random.default_rng(2)
    for rows in sizes:
        options.say(f"drift: false alarms in {rows:,} rows")
        drawn = max(windows * 1000 // max(rows, 1000), 10)
        alarms = dict.fromkeys(RULES, 0)
        for _ in range(drawn):
            judged = drift.judge(reference, _counted(reference, source[rng.integers(0, SEEN, rows)]))
            for rule, says in RULES.items():
                alarms[rule] += any(map(says, judged))
        for rule, count in alarms.items():
            found[rule].append(1000 * count / drawn)
    for rule, shares in found.items():
        table.add(rule, *shares)
    table.notes.append(f"an alarm: in one of the {COLUMNS} columns or more; promised is at most 1 for ours.")
    return table


def _misses(options: Options, windows: int) -> Table:
    options.say("drift: shifts of a quarter deviation")
    windows = max(windows // 4, 10)
    rng = np.random.default_rng(3)
    reference = drift.reference(rng.normal(size=(SEEN, COLUMNS)), NAMES)
    seen: dict[str, int] = dict.fromkeys(RULES, 0)
    pairs = {"drift.Window, two windows of 1,000": 0, "each of two windows of 1,000 by the full level": 0}
    for _ in range(windows):
        X = rng.normal(size=(2000, COLUMNS))
        X[:, 7] += 0.25
        halves = [_counted(reference, X[:1000]), _counted(reference, X[1000:])]
        whole = drift.judge(reference, halves[0] + halves[1])[7]
        for rule, says in RULES.items():
            seen[rule] += says(whole)
        window = drift.Window(reference)
        for half in halves:
            window.add(half)
        first, second = pairs
        pairs[first] += "x7" in window.alarms
        pairs[second] += all(drift.judge(reference, half)[7].drifted for half in halves)
    table = Table(
        "A shift of a quarter of a standard deviation in one of 30 columns, 2,000 rows", ("rule", "found, %")
    )
    for rule, count in {**seen, **pairs}.items():
        table.add(rule, 100 * count / windows)
    return table


def _costs(options: Options, reference: drift.Reference, source: Any) -> Table:
    options.say("drift: what counting costs")
    table = Table(f"What watching costs, {COLUMNS} columns", ("what", "us"))
    counter = drift.Counter(reference)
    one, some = source[:1].copy(), source[:100].copy()
    table.add("Counter.add, a request of one row", _us(lambda: counter.add(one), 20_480))
    table.add("Counter.add, a row of a request of 100", _us(lambda: counter.add(some), 2048) / 100)
    table.add("Counter.add, a row of a batch", _us(lambda: counter.add(source), 1) / SEEN)
    counts = counter.take()
    table.add("judge", _us(lambda: drift.judge(reference, counts), 20))
    with tempfile.TemporaryDirectory() as folder:
        tokens = Tokens(Path(folder) / "tokens.json")
        _, secret = tokens.create(["predict:claims"])
        table.add("Tokens.check", _us(lambda: tokens.check(secret, "predict:claims"), 20_000))
    table.notes.append("processor time of this process, the least of five rounds.")
    return table


def _counted(reference: drift.Reference, X: Any) -> Any:
    counter = drift.Counter(reference)
    counter.add(X)
    return counter.take()


def _us(act: Callable[[], object], times: int) -> float:
    """Microseconds of processor time a call."""
    rounds = []
    for _ in range(5):
        began = time.process_time()
        for _ in range(times):
            act()
        rounds.append(time.process_time() - began)
    return 1e6 * min(rounds) / times
