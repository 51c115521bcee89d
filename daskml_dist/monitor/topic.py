"""The listener that publishes a training on a topic, for whoever watches: a dashboard, a notebook."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, final

from daskml_dist.monitor._base import FitEnd, FitInfo, Listener, ListenerFailed, as_plain, fields_of
from daskml_dist.monitor.details import Detail, Placed
from daskml_dist.types import Decision, Step

TOPIC = "daskml_dist.training"


@final
class TopicPublisher(Listener):
    """Publishes begin, each step, detail and decision, and end as plain dicts.

    A message is the fields of FitInfo, Step or FitEnd and three more: ``event`` ("begin", "step" or "end"),
    ``fit_id``, and ``number``, which counts the messages of a fit from 0 so that a gap can be seen. A
    Decision has ``event`` "decision", and its own number as ``decision``; a detail has its own ``event``.

    Parameters
    ----------
    publish : takes topic and message; the client's ``log_event`` where there is a cluster. What it raises is
        swallowed after one ListenerFailed warning; later messages are tried again.
    """

    def __init__(self, publish: Callable[[str, dict[str, Any]], None]) -> None:
        self._publish = publish
        self._fit_id = ""
        self._number = 0
        self._warned = False

    def begin(self, info: FitInfo) -> None:
        self._fit_id, self._number = info.fit_id, 0
        self._send("begin", dict(as_plain(info)))

    def hear(self, step: Step) -> None:
        self._send("step", dict(as_plain(step)))

    def look(self, detail: Detail) -> None:
        self._send(detail.event, fields_of(detail.layout if isinstance(detail, Placed) else detail))

    def decide(self, decision: Decision) -> None:
        told = fields_of(decision)
        self._send("decision", {"decision": told.pop("number"), **told})

    def end(self, outcome: FitEnd) -> None:
        self._send("end", dict(as_plain(outcome)))

    def _send(self, event: str, fields: dict[str, Any]) -> None:
        message = fields | {"event": event, "fit_id": self._fit_id, "number": self._number}
        self._number += 1
        try:
            self._publish(TOPIC, message)
        except Exception as error:  # whatever the network does, the fit goes on
            if not self._warned:
                self._warned = True
                text = f"the training cannot be watched: publishing on {TOPIC!r} failed with {error!r}"
                warnings.warn(text, ListenerFailed, stacklevel=3)


def messages(events: Iterable[tuple[float, Any]]) -> Iterator[dict[str, Any]]:
    """The messages among events of the topic, as ``Client.get_events(TOPIC)`` has them, one by one.

    An event is a message, or a list of messages that were waiting to be sent together.

    Examples
    --------
    >>> [m["number"] for m in messages([(0.1, {"number": 0}), (0.2, [{"number": 1}, {"number": 2}])])]
    [0, 1, 2]
    """
    for _, told in events:
        yield from told if isinstance(told, list | tuple) else [told]
