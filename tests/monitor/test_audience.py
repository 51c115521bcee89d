"""Who watches from within, and which fits go on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from daskml_dist.monitor import Audience, TopicPublisher
from tests.monitor.samples import END, INFO, step, tell


def test_those_who_come_late_hear_how_fits_have_begun() -> None:
    audience, early, late = Audience(), list[Any](), list[Any]()
    assert not audience
    audience.join(early.append)
    publisher = TopicPublisher(lambda topic, message: audience.tell(message))
    publisher.begin(INFO)
    publisher.hear(step(1))
    assert audience and audience.living == {"fit-1"}
    audience.join(late.append)
    publisher.hear(step(2))
    publisher.end(END)
    assert [message["event"] for message in early] == ["begin", "step", "step", "end"]
    assert [message["event"] for message in late] == ["begin", "step", "end"]
    assert audience.living == frozenset()


def test_those_who_leave_hear_nothing_more() -> None:
    audience, heard = Audience(), list[Mapping[str, Any]]()
    audience.join(heard.append)
    audience.leave(heard.append)
    assert not audience
    tell(TopicPublisher(lambda topic, message: audience.tell(message)))
    assert heard == []


def test_a_sink_that_fails_is_warned_of_once_by_the_publisher() -> None:
    audience = Audience()

    def broken(message: Mapping[str, Any]) -> None:
        raise ZeroDivisionError("no ink")

    audience.join(broken)
    with pytest.warns(UserWarning, match="no ink") as caught:
        tell(TopicPublisher(lambda topic, message: audience.tell(message)))
    assert len(caught) == 1 and audience.living == frozenset()
