"""The store: bounded, patient with what comes late or makes no sense, and never in the way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daskml_dist.dashboard.series import Series
from daskml_dist.dashboard.store import MOST_FITS, Store, sensible
from tests.dashboard import told


def stored(*messages: Any) -> Store:
    store = Store(clock=lambda: 1.8e9)
    for message in messages:
        store.take(message)
    return store


def test_a_fit_is_what_its_messages_say() -> None:
    store = stored(*told.everything(), told.end())
    fit = store.newest()
    assert fit is not None and store.refused == 0
    assert (fit.state, fit.over, fit.proven) == ("finished", True, True)
    assert fit.steps.columns["gap"] == [10.0 ** (-k / 2) for k in range(1, 10)]
    assert fit.totals["wall"] == pytest.approx(4.5) and fit.totals["nbytes"] == 81_000
    assert fit.groups["weights"][-1] == 0.5 and fit.candidates["best"] == 2
    assert len(fit.events) == 2 and fit.info["features"] == 30


def test_messages_may_come_in_any_order_and_in_lists() -> None:
    rng = np.random.default_rng(0)
    messages = [told.begin(), *(told.step(k) for k in range(1, 30))]
    shuffled = [messages[i] for i in rng.permutation(len(messages))]
    one, other = stored(messages), stored(*shuffled)
    assert one.fits["fit-1"].steps.columns == other.fits["fit-1"].steps.columns
    assert other.fits["fit-1"].info == one.fits["fit-1"].info


def test_a_fit_whose_beginning_nobody_heard_is_shown_all_the_same() -> None:
    fit = stored(told.step(3)).newest()
    assert fit is not None and "begun before" in fit.name and fit.state == "running"


@pytest.mark.parametrize(
    "message",
    [
        None,
        7,
        "text",
        {},
        {"event": "step"},
        {"event": "step", "fit_id": 3},
        {"event": "nothing we know", "fit_id": "f"},
        {"event": ["step"], "fit_id": "f"},
        told.step(1, gap="narrow"),
        told.step(1, seconds=None),
        told.end("exploded"),
        told.work(1, busy=[1.0]),
        told.begin(rows="many"),
        told.placed(rows=None),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_counted_and_left(message: Any) -> None:
    store = stored(message)
    assert store.refused == 1 and not store.fits
    store.take(told.begin())
    assert store.newest() is not None


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
fields = st.sampled_from(
    ["passes", "gap", "seconds", "busy", "workers", "names", "values", "command", "chunks"]
)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(told.everything()), st.dictionaries(fields, anything, max_size=3))
def test_no_message_ever_raises(message: dict[str, Any], changes: dict[str, Any]) -> None:
    store = stored(told.begin(), {**message, **changes})
    fit = store.newest()
    assert fit is not None
    fit.lanes()


def test_fits_are_forgotten_those_that_are_over_first() -> None:
    store = stored(told.begin("runs"))
    for number in range(MOST_FITS + 20):
        store.take([told.begin(f"f{number}"), told.end(fit=f"f{number}")])
    assert len(store.fits) == MOST_FITS
    newest = store.newest()
    assert newest is not None and newest.id == "runs" and "f0" not in store.fits


def test_ten_thousand_steps_are_thinned_and_keep_their_extremes() -> None:
    store = stored(told.begin())
    rng = np.random.default_rng(1)
    gaps = rng.uniform(0.1, 1.0, 10_000)
    gaps[[1234, 7777]] = 1e-9, 50.0
    for k, gap in enumerate(gaps.tolist(), start=1):
        store.take(told.step(k, gap=gap))
        assert len(store.fits["fit-1"].steps) <= 5000
    steps = store.fits["fit-1"].steps.columns
    assert min(steps["gap"]) == 1e-9 and max(steps["gap"]) == 50.0
    assert steps["passes"] == sorted(steps["passes"]) and steps["passes"][-1] == 10_000


def test_everything_of_a_fit_is_bounded() -> None:
    store = stored(told.begin(), told.placed(200))
    for k in range(1, 1500):
        store.take([told.work(k, 200), told.coefficients(k, 40), told.decision(k), told.score(k)])
    fit = store.fits["fit-1"]
    assert len(fit.told) <= 400 and len(fit.recent) <= 20 and len(fit.events) <= 500
    assert len(fit.lanes()) == 200


def test_a_decision_that_is_heard_again_replaces_itself() -> None:
    fit = stored(told.begin(), told.decision(0), told.decision(0, outcome="imbalance 1.0")).newest()
    assert fit is not None and [event["outcome"] for event in fit.events] == ["imbalance 1.0"]


def test_commands_change_the_state_until_the_fit_is_over() -> None:
    store = stored(told.begin())
    states = []
    for command in ("pause", "resume", "rate", "stop"):
        store.take(told.control(command, 2.0 if command == "rate" else None))
        states.append(store.fits["fit-1"].state)
    assert states == ["paused", "running", "running", "stopping"]
    store.take([told.end("stopped"), told.control("resume")])
    assert store.fits["fit-1"].state == "stopped"


def test_the_fits_of_a_client_that_is_gone_are_over() -> None:
    store = stored(told.begin("a") | {"client": "c"}, told.begin("b") | {"client": "d"})
    store.lose("c")
    assert (store.fits["a"].state, store.fits["b"].state) == ("lost", "running")
    store.take(told.end(fit="a"))  # it was only late
    assert store.fits["a"].state == "finished"


def commands() -> Iterator[tuple[dict[str, Any], bool]]:
    for command in ("pause", "resume", "stop"):
        yield {"fit_id": "f", "command": command, "value": None}, True
        yield {"fit_id": "f", "command": command, "value": 2.0}, False
        yield {"fit_id": 3, "command": command, "value": None}, False
    for value, good in (
        (1.0, True),
        (0.1, True),
        (10.0, True),
        (10.5, False),
        (0.0, False),
        (float("nan"), False),
    ):
        yield {"fit_id": "f", "command": "rate", "value": value}, good
    yield {"fit_id": "f", "command": "rate", "value": None}, False
    yield {"fit_id": "f", "command": "os.remove", "value": None}, False
    yield {}, False


@pytest.mark.parametrize(("message", "good"), list(commands()), ids=str)
def test_which_commands_make_sense(message: dict[str, Any], good: bool) -> None:
    assert sensible(message) is good


def test_a_series_counts_what_is_no_new_row() -> None:
    series = Series(("at", "value"), "at", "value", most=8)
    for at in (1, 3):
        series.add({"at": at, "value": at})
    assert series.generation == 0
    series.add({"at": 2, "value": 2})
    assert (series.generation, series.columns["at"]) == (1, [1, 2, 3])
    for at in range(4, 9):
        series.add({"at": at, "value": at})
    assert series.generation == 2 and len(series) < 8 and series.last("at") == 8
