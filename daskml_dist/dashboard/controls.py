"""Commands from pages: off, unless the client that has the fit allows them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from distributed import Client

from daskml_dist.cluster import Sender
from daskml_dist.dashboard.plugin import ALLOWED, CONTROL, open_page
from daskml_dist.dashboard.store import sensible
from daskml_dist.monitor import TOPIC, audience, controls

Apply = Callable[[dict[str, Any]], object]
_logger = logging.getLogger("daskml_dist.dashboard")

#: Client.subscribe_topic keeps one handler for a topic: what it calls is kept here, and can be replaced
_applied: WeakKeyDictionary[Client, Apply] = WeakKeyDictionary()


def enable_controls(client: Client, apply: Apply = controls.apply) -> None:
    """Let pages of the cluster pause, resume and stop the fits of this client, and set their step size.

    Dask's dashboard has no login: whoever can open the page can then click. What a click can do is bounded:
    to pause, to go on, to stop with the model kept, and to multiply the step size by 0.1 to 10. Every command
    that is accepted is logged with its time and shown on the page. It ends with the client.

    Parameters
    ----------
    client : whose fits may be steered.
    apply : what does it, by default with the fits of this process. It is given each command as a dict of
        ``fit_id``, ``command`` ("pause", "resume", "stop" or "rate") and ``value`` (the factor of a rate,
        else None), on the client's own thread; it raises to refuse one.
    """
    open_page(client)
    listen(client, apply)
    client.log_event(ALLOWED, client.id)


def listen(client: Client, apply: Apply) -> None:
    """Apply the commands that pages send to the fits of this process; each accepted one is logged."""
    first = client not in _applied
    _applied[client] = apply
    if not first:
        return
    sender = Sender(client)

    def heard(event: tuple[float, Any]) -> None:
        noted = accepted(event[1], _applied[client])
        if noted is not None:
            sender.send(TOPIC, {**noted, "client": client.id})

    client.subscribe_topic(CONTROL, heard)


def accepted(message: Any, apply: Apply) -> Mapping[str, Any] | None:
    """Apply a command, if it is for a fit of this process; what is to be told of it, or None."""
    if not isinstance(message, dict) or not sensible(message) or message["fit_id"] not in audience.living:
        return None
    try:
        apply(dict(message))
    except Exception as error:  # on the loop of the client, which goes on
        _logger.warning("the command %s from a page was refused: %r", message, error)
        return None
    _logger.info("the command %s from a page was accepted", message)
    noted = {"event": "control", "number": -1, "time": time.time(), **message}
    audience.tell(noted)
    return noted
