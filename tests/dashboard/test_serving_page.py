"""The page of a deployment: what it draws, what it escapes, and a browser that looks at it."""

from __future__ import annotations

import logging
import math
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from bokeh.core.validation import check_integrity

from daskml_dist.dashboard import serve_deployment
from daskml_dist.dashboard.looks import Looks
from daskml_dist.dashboard.serving_page import ServingPage, head_of, tables_of
from daskml_dist.dashboard.style import RED
from daskml_dist.errors import UnsupportedParameter
from tests.dashboard.deployments import CANARY, state

SHOTS = Path(__file__).resolve().parents[2] / "docs" / "_build" / "pages"


class Seen:
    """A watch that looks when it is told to."""

    def __init__(self) -> None:
        self.looks = Looks()

    def look(self, total: int, second: int, **changed: Any) -> None:
        self.looks.look(lambda: state(total, **changed), now=float(second))


def test_what_it_draws() -> None:
    seen = Seen()
    page = ServingPage(seen)  # type: ignore[arg-type]
    page.update()  # nothing yet
    for second, total in enumerate((0, 100, 300)):
        seen.look(total, second)
    page.update()
    assert list(page.over_time.data["ago"]) == [-2.0, -1.0, 0.0]
    assert math.isnan(page.over_time.data["requests"][0])
    assert list(page.over_time.data["requests"][1:]) == [100.0, 200.0]
    assert list(page.drift.data["column"]) == ["age (3)", "bmi (3)"]  # the worst is on top, so last
    assert list(page.drift.data["ratio"]) == pytest.approx([0.01 / 0.028, 0.31 / 0.028])
    assert page.drift.data["colour"][1] == RED != page.drift.data["colour"][0]
    assert "ready" in page.head.text and "300 requests" in page.head.text
    seen.look(300, 3, drift=[])
    page.update()
    assert list(page.drift.data["column"]) == []


def test_who_cannot_be_reached_is_said() -> None:
    seen = Seen()
    seen.look(1, 0)
    looks = seen.looks

    def nobody() -> Any:
        raise OSError("<refused>")

    last = looks.look(nobody, now=1.0)
    text = head_of(last, state())
    assert "not reachable: &lt;refused&gt;" in text and "claims" in text


def test_what_others_say_is_text_and_no_html() -> None:
    evil = state(name=CANARY, url=CANARY, events=[{"at": 0.0, "what": CANARY, "why": CANARY}])
    evil["replicas"][0]["why"] = CANARY
    evil["state"] = evil["current"] = CANARY
    seen = Seen()
    seen.look(1, 0)
    assert CANARY not in tables_of(evil) + head_of(seen.looks.all[-1], evil)
    assert "&lt;script&gt;" in tables_of(evil)


def test_a_state_that_makes_no_sense_is_complained_of_once(caplog: pytest.LogCaptureFixture) -> None:
    seen = Seen()
    page = ServingPage(seen)  # type: ignore[arg-type]
    with caplog.at_level(logging.ERROR):
        for second in range(3):
            seen.look(1, second, versions=None)
            page.update()
    assert caplog.text.count("the page of the deployment failed") == 1


def test_the_figures_are_sound() -> None:
    """Bokeh's own checks, which a browser would trip over."""
    seen = Seen()
    page = ServingPage(seen)  # type: ignore[arg-type]
    seen.look(1, 0)
    page.update()
    issues = check_integrity(page.root.references())
    assert not issues.error and not issues.warning


def test_it_is_served_here_and_ends() -> None:
    with serve_deployment(state) as server:
        assert server.address == f"http://127.0.0.1:{server.port}/serving"
        with urllib.request.urlopen(server.address, timeout=30) as reply:
            assert b"Serving" in reply.read()
        with pytest.raises(OSError):
            serve_deployment(state, server.port)
    with pytest.raises(OSError):
        urllib.request.urlopen(server.address, timeout=2)
    with pytest.raises(UnsupportedParameter, match="'light' or 'dark'"):
        serve_deployment(state, theme="pink")  # type: ignore[arg-type]


@pytest.mark.browser
@pytest.mark.parametrize("width", [800, 1600])
def test_a_browser_shows_it(browser: Any, width: int) -> None:
    began = time.monotonic()

    def ask() -> Any:
        return state(int(1000 * (time.monotonic() - began)))

    with serve_deployment(ask) as server:
        context = browser.new_context(viewport={"width": width, "height": 1000})
        page = context.new_page()
        wrong: list[str] = []
        page.on("console", lambda told: wrong.append(told.text) if told.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(server.address)
        page.get_by_text("killed").wait_for(timeout=60_000)
        page.wait_for_timeout(4000)
        SHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(SHOTS / f"serving-{width}.png"), full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert wrong == []
        context.close()
