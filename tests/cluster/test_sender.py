"""Messages to the scheduler: in order, together where they wait, and never in the way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from threading import Thread
from typing import Any

from distributed import Client, LocalCluster

from daskml_dist.cluster import Sender
from daskml_dist.monitor import messages

TOPIC = "test-sender"


def test_nothing_is_lost_and_the_order_is_kept(client: Client) -> None:
    topic, sender = f"{TOPIC}-order", Sender(client)
    for number in range(2000):
        sender.send(topic, {"number": number})
    assert sender.flush(30.0)
    events = client.get_events(topic)
    assert [message["number"] for message in messages(events)] == list(range(2000))
    assert len(events) < 1000  # many of them waited, and went together


def test_threads_may_send_at_once(client: Client) -> None:
    topic, sender = f"{TOPIC}-threads", Sender(client)

    def send(name: str) -> None:
        for number in range(200):
            sender.send(topic, {"name": name, "number": number})

    threads = [Thread(target=send, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sender.flush(30.0)
    told = list(messages(client.get_events(topic)))
    for name in "abc":
        assert [one["number"] for one in told if one["name"] == name] == list(range(200))


def test_what_cannot_be_sent_is_given_up_and_the_next_goes_on(client: Client) -> None:
    topic, sender = f"{TOPIC}-unsendable", Sender(client)
    sender.send(topic, {"number": lambda: 0})
    assert sender.flush(30.0)
    sender.send(topic, {"number": 1})
    assert sender.flush(30.0)
    assert [message["number"] for message in messages(client.get_events(topic))][-1] == 1


class Gone:
    """A client whose scheduler has gone away, and comes back."""

    def __init__(self) -> None:
        self.loop = self.scheduler = self
        self.told: list[Any] = []
        self.back = False

    def add_callback(self, drain: Callable[[], Coroutine[Any, Any, None]]) -> None:
        Thread(target=lambda: asyncio.run(drain())).start()

    async def log_event(self, topic: str, msg: Any) -> None:
        if not self.back:
            raise OSError("closed")
        self.told.append(msg)


def test_a_scheduler_that_is_gone_holds_nobody_up() -> None:
    client = Gone()
    sender = Sender(client)  # type: ignore[arg-type]
    for number in range(100):
        sender.send(TOPIC, {"number": number})
    assert sender.flush(30.0) and client.told == []
    client.back = True
    sender.send(TOPIC, {"number": 100})
    assert sender.flush(30.0) and client.told == [{"number": 100}]


def test_a_client_that_is_closed_sends_nothing_and_nobody_waits_for_long() -> None:
    options: dict[str, Any] = {"n_workers": 0, "processes": False, "dashboard_address": ":0"}
    with LocalCluster(**options) as cluster, Client(cluster, set_as_default=False) as client:
        pass
    sender = Sender(client)
    sender.send(TOPIC, {"number": 0})
    assert not sender.flush(0.1)
