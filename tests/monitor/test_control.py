"""Who has a say in a training: what is asked is done once, and nonsense is refused in words."""

from __future__ import annotations

import math
from threading import Thread
from typing import Any

import pytest

from daskml_dist.errors import UnsupportedCombination, UnsupportedParameter
from daskml_dist.monitor import Control, Controls, RateAsked, StopAsked, current_control, set_control


def test_nothing_asked_nothing_done() -> None:
    control = Control()
    control.heed()
    control.wait()
    control.steer()
    assert not control.paused and not control.stopping
    assert control.latest is None and control.fitted is None


def test_paused_waits_until_it_is_resumed() -> None:
    control, waited = Control(), []
    control.pause()
    waiting = Thread(target=lambda: waited.append(control.wait()))
    waiting.start()
    waiting.join(0.2)
    assert waiting.is_alive() and control.paused
    control.resume()
    waiting.join(10.0)
    assert waited == [None] and not control.paused


def test_stopping_ends_a_pause() -> None:
    control, raised = Control(), []

    def wait() -> None:
        with pytest.raises(StopAsked):
            control.wait()
        raised.append(True)

    control.pause()
    waiting = Thread(target=wait)
    waiting.start()
    control.stop()
    waiting.join(10.0)
    assert raised and control.stopping and not control.paused
    with pytest.raises(StopAsked):
        control.heed()


def test_factors_multiply_and_are_asked_for_once() -> None:
    control = Control()
    control.begin(steerable=True)
    control.rate(0.5)
    control.rate(0.1)
    with pytest.raises(RateAsked) as asked:
        control.steer()
    assert asked.value.factor == 0.5 * 0.1
    control.steer()


@pytest.mark.parametrize("factor", [0, -1.0, math.inf, math.nan, "2", None, True])
def test_a_factor_that_is_none_is_refused(factor: Any) -> None:
    with pytest.raises(UnsupportedParameter, match="expected a finite factor above 0"):
        Control().rate(factor)


def test_a_solver_without_rates_is_not_steered() -> None:
    control = Control()
    control.rate(0.5)  # before the solver is known
    control.begin(steerable=False)
    control.steer()
    with pytest.raises(UnsupportedCombination, match="has no learning rate"):
        control.rate(0.5)


def test_the_control_of_a_context() -> None:
    control, found = Control(), []

    def elsewhere() -> None:
        set_control(control)
        found.append(current_control())

    thread = Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert found == [control]
    assert current_control() is not control
    assert current_control() is not current_control()


def test_messages_are_applied_to_the_fit_that_they_name() -> None:
    controls, one, other = Controls(), Control(), Control()
    controls.enter("one", one)
    controls.enter("other", other)
    controls.apply({"fit_id": "one", "command": "pause", "value": None})
    assert one.paused and not other.paused
    controls.apply({"fit_id": "one", "command": "resume"})
    assert not one.paused
    controls.apply({"fit_id": "other", "command": "stop"})
    assert other.stopping and not one.stopping
    controls.leave("one")
    controls.leave("one")
    controls.apply({"fit_id": "one", "command": "stop"})
    assert not one.stopping


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ({"fit_id": "one", "command": "eval"}, "expected one of pause, resume, stop, rate"),
        ({"fit_id": "one", "command": ["stop"]}, "expected one of"),
        ({"fit_id": "one"}, "expected one of"),
        ({"fit_id": "one", "command": "rate"}, "expected a factor from 0.1 to 10"),
        ({"fit_id": "one", "command": "rate", "value": 11.0}, "expected a factor from 0.1 to 10"),
        ({"fit_id": "one", "command": "rate", "value": math.nan}, "expected a factor from 0.1 to 10"),
        ({"fit_id": "one", "command": "rate", "value": True}, "expected a factor from 0.1 to 10"),
        ({"fit_id": "one", "command": "rate", "value": 2.0}, "has no learning rate"),
    ],
)
def test_messages_that_mean_nothing_do_nothing(message: dict[str, Any], why: str) -> None:
    controls, control = Controls(), Control()
    control.begin(steerable=False)
    controls.enter("one", control)
    with pytest.raises((UnsupportedParameter, UnsupportedCombination), match=why):
        controls.apply(message)
    control.steer()
    control.wait()


@pytest.mark.parametrize("message", [{}, {"fit_id": "none"}, {"fit_id": 3, "command": "stop"}])
def test_messages_for_fits_elsewhere_are_none_of_ours(message: dict[str, Any]) -> None:
    Controls().apply(message)
