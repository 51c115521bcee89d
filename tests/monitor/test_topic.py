"""The topic: what is published, and what happens when it cannot be."""

from __future__ import annotations

import json
import time
import warnings
from dataclasses import replace
from typing import Any

import pytest
from distributed.protocol import dumps, loads

from daskml_dist.monitor import TOPIC, ListenerFailed, TopicPublisher
from tests.monitor.samples import END, INFO, MOVE, step, tell

Messages = list[tuple[str, dict[str, float | int | str]]]


def test_plain_numbered_messages_of_one_fit() -> None:
    sent: Messages = []
    tell(TopicPublisher(lambda topic, message: sent.append((topic, message))))
    assert {topic for topic, _ in sent} == {TOPIC} == {"daskml_dist.training"}
    messages = [message for _, message in sent]
    assert [message["event"] for message in messages] == ["begin", "step", "step", "step", "end"]
    assert [message["number"] for message in messages] == [0, 1, 2, 3, 4]
    assert {message["fit_id"] for message in messages} == {"fit-1"}
    assert messages[0]["estimator"] == "LogisticRegression" and messages[0]["max_passes"] == 100
    assert messages[2]["gap"] == 0.01 and messages[2]["gap_kind"] == "self-concordance"
    assert messages[4]["status"] == "converged"
    assert json.loads(json.dumps(messages)) == messages
    assert [loads(dumps(message)) for message in messages] == messages


def test_a_failing_publish_gives_one_warning_and_is_tried_again() -> None:
    sent: list[str | float | int] = []

    def publish(topic: str, message: dict[str, float | int | str]) -> None:
        if message["number"] != 3:
            raise TimeoutError("no scheduler")
        sent.append(message["number"])

    publisher = TopicPublisher(publish)
    with pytest.warns(ListenerFailed, match="no scheduler") as caught:
        tell(publisher)
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tell(publisher)
    assert sent == [3, 3]


def test_an_interrupt_goes_on_up() -> None:
    def publish(topic: str, message: dict[str, float | int | str]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        TopicPublisher(publish).begin(INFO)


def test_what_publishing_adds_is_far_below_a_millisecond() -> None:
    publisher = TopicPublisher(lambda topic, message: None)
    publisher.begin(INFO)
    costs = []
    for number in range(200):
        start = time.perf_counter()
        publisher.hear(step(number))
        costs.append(time.perf_counter() - start)
    publisher.end(END)
    assert sorted(costs)[100] < 1e-3


def test_a_decision_is_a_message_with_a_number_of_its_own() -> None:
    sent: list[dict[str, Any]] = []
    publisher = TopicPublisher(lambda topic, message: sent.append(message))
    publisher.begin(INFO)
    publisher.decide(MOVE)
    publisher.decide(replace(MOVE, measured_gain=0.4))
    assert [(m["event"], m["number"]) for m in sent] == [("begin", 0), ("decision", 1), ("decision", 2)]
    assert [m["decision"] for m in sent[1:]] == [0, 0]
    assert (sent[1]["measured_gain"], sent[2]["measured_gain"]) == (None, 0.4)
    assert sent[1]["chunks"] == (3, 4) and sent[1]["fit_id"] == "fit-1"
