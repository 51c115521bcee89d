"""The listener that publishes a training on a topic, for whoever watches: a dashboard, a notebook."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, final

from daskml_dist.monitor._base import FitEnd, FitInfo, Listener, ListenerFailed, as_plain
from daskml_dist.types import Decision, Step

TOPIC = "daskml_dist.training"


@final
class TopicPublisher(Listener):
    """Publishes begin, each step and decision, and end as plain dicts.

    A message is the fields of FitInfo, Step or FitEnd and three more: ``event`` ("begin", "step" or "end"),
    ``fit_id``, and ``number``, which counts the messages of a fit from 0 so that a gap can be seen. A
    Decision has ``event`` "decision", and its own number as ``decision``.

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
        self._send("begin", info)

    def hear(self, step: Step) -> None:
        self._send("step", step)

    def decide(self, decision: Decision) -> None:
        self._send("decision", decision)

    def end(self, outcome: FitEnd) -> None:
        self._send("end", outcome)

    def _send(self, event: str, record: FitInfo | Step | Decision | FitEnd) -> None:
        message = _message(record) | {"event": event, "fit_id": self._fit_id, "number": self._number}
        self._number += 1
        try:
            self._publish(TOPIC, message)
        except Exception as error:  # whatever the network does, the fit goes on
            if not self._warned:
                self._warned = True
                text = f"the training cannot be watched: publishing on {TOPIC!r} failed with {error!r}"
                warnings.warn(text, ListenerFailed, stacklevel=3)


def _message(record: FitInfo | Step | Decision | FitEnd) -> dict[str, Any]:
    """The fields of a record; the number of a decision makes room for that of the message."""
    if not isinstance(record, Decision):
        return dict(as_plain(record))
    fields = asdict(record)
    return {"decision": fields.pop("number"), **fields}
