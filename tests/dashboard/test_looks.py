"""Looks at a deployment, and what a terminal shows of them."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from typing import Any

import pytest

from daskml_dist.cli.watching import watch
from daskml_dist.dashboard.looks import Looks, Watch
from daskml_dist.dashboard.screen import screen
from daskml_dist.errors import DaskmlDistError
from tests.dashboard.deployments import state


def told(*states: Any) -> Looks:
    """A look a second."""
    looks = Looks()
    for second, one in enumerate(states):

        def ask(one: Any = one) -> Any:
            if isinstance(one, BaseException):
                raise one
            return one

        looks.look(ask, now=1_800_000_000.0 + 2 * second)
    return looks


def test_rates_are_those_between_two_looks() -> None:
    looks = told(state(1000), state(1600, 20), state(1600, 20)).all
    assert [look.per_second for look in looks] == [None, 300.0, 0.0]
    assert [look.errors_per_second for look in looks] == [None, 10.0, 0.0]
    assert looks[0].milliseconds("p99") == pytest.approx(3.1)
    assert looks[0].milliseconds("p999") is looks[0].milliseconds("p42") is None


@pytest.mark.parametrize("error", [ConnectionRefusedError("nobody there"), DaskmlDistError("nobody there")])
def test_who_cannot_be_reached_is_looked_for_again(error: Exception) -> None:
    looks = told(state(1000), error, state(1700), state(10), state(30)).all
    assert [look.state is None for look in looks] == [False, True, False, False, False]
    assert [look.per_second for look in looks] == [None, None, None, None, 10.0]  # not over gaps and restarts
    assert looks[1].why == "nobody there" and looks[1].milliseconds("p50") is None


def test_looks_are_bounded() -> None:
    looks = Looks()
    for second in range(1000):
        looks.look(state, now=float(second))
    assert (len(looks.all), looks.count) == (900, 1000)


def test_a_watch_looks_by_itself_and_ends() -> None:
    seen = Watch(lambda: state(), every=0.01)
    end = time.monotonic() + 20
    while seen.looks.count < 3:
        assert time.monotonic() < end
        time.sleep(0.01)
    seen.close()
    count = seen.looks.count
    time.sleep(0.05)
    assert seen.looks.count == count


def test_the_screen() -> None:
    text = screen(told(state(1000), state(4000, 30)).all, 120)
    lines = text.splitlines()
    assert lines[0].startswith("claims: ready, version 3 at http://127.0.0.1:8080")
    assert "requests  1,500/s  errors 15/s  total 4,000  errors 30  rejected 7  retries 5" in lines
    assert "answered  50 % in 0.8 ms  99 % in 3.1 ms  99.9 % in -" in lines
    assert any(line.split() == ["3", "95", "%", "2/2"] for line in lines)
    assert any("failed: golden rows" in line for line in lines)
    assert any(line.split() == ["r2", "3", "starting", "0", "3", "-", "b", "killed"] for line in lines)
    assert "agent b is silent" in lines
    bmi, age = (next(line for line in lines if line.startswith(name)) for name in ("bmi ", "age "))
    assert bmi.endswith("DRIFT") and not age.endswith("DRIFT")
    assert lines.index(bmi) < lines.index(age)
    assert lines[-1].endswith("roll done  version 3")


def test_a_screen_without_much_to_say() -> None:
    bare = state(
        versions={}, replicas=[], agents=[], drift=[], events=[], rolling={"what": "roll", "version": "4"}
    )
    text = screen(told(bare | {"current": None, "seconds": {}}).all)
    assert "roll to version 4 is under way" in text
    assert "requests  -/s" in text
    assert "DRIFT" not in text


def test_a_screen_of_who_cannot_be_reached_shows_what_was_last_seen() -> None:
    lost = OSError("connection refused")
    assert screen(told(lost).all).startswith("NOT REACHABLE since ")
    lines = screen(told(state(1000), lost, lost).all).splitlines()
    assert lines[0].endswith(": connection refused")
    assert lines[1].startswith("claims: ready")


def test_no_line_is_too_long_and_none_speaks_to_the_terminal() -> None:
    text = screen(told(state(name="claims\x1b[31m\r" + "x" * 300)).all, 80)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert not {"\x1b", "\r"} & set(text)


def test_top_looks_again_and_again() -> None:
    out, waited = io.StringIO(), list[float]()
    totals = iter((1000, 1000, 1000, 1000))
    watch(lambda: state(next(totals)), out, every=0.25, times=3, sleep=waited.append)
    assert out.getvalue().count("claims: ready") == 3
    assert waited == [0.25, 0.25, 0.25]
    assert "\x1b" not in out.getvalue()  # a file is no terminal


def test_one_look_is_two_of_which_the_second_knows_rates() -> None:
    out, totals = io.StringIO(), iter((1000, 1500))
    watch(lambda: state(next(totals)), out, every=0.01, times=1)
    assert out.getvalue().count("claims: ready") == 1
    assert "requests  -/s" not in out.getvalue()


def test_a_terminal_is_cleared() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    watch(state, out, every=1.0, times=2, sleep=lambda seconds: None)
    assert out.getvalue().count("\x1b[H\x1b[J") == 2


def test_a_terminal_needs_no_bokeh() -> None:
    program = (
        "import sys, daskml_dist.dashboard.looks, daskml_dist.dashboard.screen\nprint('bokeh' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert answer.stdout.strip() == "False", answer.stderr
