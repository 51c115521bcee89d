"""Commands: refused unless they make sense and are for a fit of this process; noted once applied."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from distributed import Client

from daskml_dist.dashboard.controls import accepted, enable_controls
from daskml_dist.dashboard.plugin import ALLOWED, CONTROL, open_page
from daskml_dist.monitor import TOPIC, audience, messages
from tests.dashboard import told
from tests.dashboard.test_dask_page import plugins, until

STOP = {"fit_id": "mine", "command": "stop", "value": None}


@pytest.fixture(autouse=True)
def mine(monkeypatch: pytest.MonkeyPatch) -> None:
    """One fit goes on in this process."""
    monkeypatch.setattr(audience, "_living", {"mine": told.begin("mine")})


def test_a_command_for_a_fit_of_this_process_is_applied_and_noted() -> None:
    done: list[dict[str, Any]] = []
    noted = accepted(STOP, done.append)
    assert noted is not None and done == [STOP]
    assert (noted["event"], noted["command"], noted["value"]) == ("control", "stop", None)
    rate = accepted({**STOP, "command": "rate", "value": 0.5}, done.append)
    assert rate is not None and rate["value"] == 0.5


@pytest.mark.parametrize(
    "message",
    [
        None,
        "stop",
        {},
        {**STOP, "fit_id": "another's"},
        {**STOP, "command": "__import__"},
        {**STOP, "command": "rate", "value": 11.0},
        {**STOP, "command": "rate", "value": "2"},
        {**STOP, "value": 1.0},
    ],
    ids=str,
)
def test_anything_else_is_not_applied(message: Any) -> None:
    done: list[dict[str, Any]] = []
    assert accepted(message, done.append) is None and done == []


def test_one_that_is_refused_is_not_noted(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(message: dict[str, Any]) -> None:
        raise ValueError("this solver has no steps")

    assert accepted(STOP, refuse) is None
    assert "no steps" in caplog.text


def clicked(command: str, value: float | None = None, dask_scheduler: Any = None) -> bool:
    """What a click does on the scheduler; whether it was allowed."""
    from daskml_dist.dashboard.plugin import _OnScheduler

    name = plugins(dask_scheduler)[0]
    view = _OnScheduler(dask_scheduler, name)
    view.steer("mine", command, value)
    return view.steerable(dask_scheduler.plugins[name].store.fits["mine"])


def test_a_click_reaches_the_client_once_it_allows_it_and_what_it_does_is_shown(client: Client) -> None:
    done: list[dict[str, Any]] = []
    heard = threading.Event()

    def apply(message: dict[str, Any]) -> None:
        done.append(message)
        heard.set()

    open_page(client)
    client.log_event(TOPIC, told.begin("mine") | {"client": client.id})
    assert client.run_on_scheduler(clicked, "stop") is False
    before = len(client.get_events(CONTROL))
    enable_controls(client, apply)
    enable_controls(client, apply)  # the same handler, and not a second one
    assert client.run_on_scheduler(clicked, "rate", 99.0) is True  # allowed, but it makes no sense
    assert client.run_on_scheduler(clicked, "pause") is True
    assert heard.wait(30.0)
    assert done == [{"fit_id": "mine", "command": "pause", "value": None}]
    assert len(client.get_events(CONTROL)) == before + 1

    def noted() -> list[str]:
        return [one["command"] for one in messages(client.get_events(TOPIC)) if one["event"] == "control"]

    assert until(lambda: noted() == ["pause"])
    client.log_event(TOPIC, told.end("stopped", fit="mine"))
    client.run_on_scheduler(clicked, "resume")
    assert len(client.get_events(CONTROL)) == before + 1  # it is over


def test_nobody_allows_for_others(client: Client) -> None:
    open_page(client)
    client.log_event(TOPIC, told.begin("mine") | {"client": client.id})
    client.log_event(ALLOWED, "another client")
    client.log_event(ALLOWED, {"no": "text"})
    assert client.run_on_scheduler(clicked, "stop") is False
    client.log_event(TOPIC, told.end(fit="mine"))
