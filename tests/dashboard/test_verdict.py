"""The verdict: the right cause for made-up fits of which it is known."""

from __future__ import annotations

from typing import Any

import pytest

from daskml_dist.dashboard.fit import Fit
from daskml_dist.dashboard.store import Store
from daskml_dist.dashboard.verdict import verdict
from daskml_dist.dashboard.words import short, size, span
from tests.dashboard import told


def said(*messages: Any) -> str:
    store = Store()
    store.take(list(messages))
    fit = store.newest()
    assert isinstance(fit, Fit) and store.refused == 0
    return verdict(fit)


def after(passes: int, **changes: Any) -> list[Any]:
    """A fit on 8 workers after some passes, the work of which is as told."""
    work = [told.work(k, **changes) for k in range(1, passes + 1)]
    placed = told.placed(nbytes=[800_000_000] * 8)
    return [told.begin(), placed, *(told.step(k) for k in range(1, passes + 1)), *work]


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        ([told.begin()], "the data are being placed"),
        ([told.begin(), told.step(1, gap=float("inf"))], "not known yet"),
        ([told.begin(), told.step(4)], "Proven to be within 1.0e-02 of the optimum (self-concordance)."),
        ([told.begin(), told.step(4, gap_kind="estimate")], "by an estimate, which is no proof"),
        ([told.begin(), *(told.step(k, gap=0.5) for k in range(1, 9))], "not come closer in the last passes"),
        (
            [told.begin(), told.step(1), told.end("failed", message="KeyError: 'x'")],
            "Failed after 1 pass: KeyError: 'x'",
        ),
        ([told.begin(), told.step(2), told.end("interrupted")], "before the tolerance of 1e-06 was reached"),
        (
            after(3, busy=[0.45] * 8, slowest=0.46, asked=0.48),
            "Workers compute 90% of the time: more of them",
        ),
        (after(3, slow=5), "balance the partitions, or drop that worker"),
        (after(3, slow=5), "10.0.0.5:40005"),
        (after(3, busy=[0.1] * 8, slowest=0.1, asked=0.5, wall=0.5), "messages and transfers take most"),
        (after(3, busy=[0.1] * 8, slowest=0.1, asked=0.1, wall=1.0), "the solver itself computes"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_the_cause_is_named(messages: list[Any], text: str) -> None:
    assert text in said(*messages)


def test_small_chunks_and_few_shards_are_told_apart() -> None:
    idle = {"busy": [0.1] * 8, "slowest": 0.1, "asked": 0.5, "wall": 0.5}
    small = told.placed(nbytes=[800_000] * 8, chunks=8)
    assert "chunks of 800 kB are too small" in said(told.begin(), small, told.step(1), told.work(1, **idle))
    few = told.placed(2, threads=8, chunks=2)
    lonely = told.work(1, 2, busy=[0.45, 0.45], slowest=0.45, asked=0.46)
    assert "2 shards for 8 threads" in said(told.begin(), few, told.step(1), lonely)


def test_nothing_is_said_of_the_time_of_a_fit_that_took_none() -> None:
    brief = told.work(1, busy=[0.001] * 8, slowest=0.001, asked=0.01, wall=0.02)
    assert "worker time" not in said(told.begin(), told.placed(), told.step(1), brief)


def test_words() -> None:
    assert [size(n) for n in (0, 999, 1000, 12_345_678, 3e15)] == [
        "0 B",
        "999 B",
        "1 kB",
        "12.3 MB",
        "3e+03 TB",
    ]
    assert [span(s) for s in (0.0, 0.0304, 59.94, 61, 4000, float("nan"))] == [
        "0 ms", "30 ms", "59.9 s", "1 min 1 s", "1 h 6 min", "?",
    ]  # fmt: skip
    assert short("tcp://10.0.0.1:4000") == "10.0.0.1:4000" and len(short("x" * 99, 18)) == 17


def test_nodes_that_tell_no_times_are_not_called_idle() -> None:
    """Of a parameter server only the verifying pass is known."""
    evaluating = after(3, busy=[0.001] * 8, slowest=0.001)
    assert "idle" in said(*evaluating)
    assert "idle" not in said(*evaluating, told.stale())
