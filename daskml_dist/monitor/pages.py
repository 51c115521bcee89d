"""Pages on a cluster's dashboard: whoever announces one is given the client; nothing imports it."""

from __future__ import annotations

import warnings
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any
from weakref import WeakKeyDictionary

from daskml_dist.monitor._base import ListenerFailed

PAGES = "daskml_dist.pages"

#: of clients, the scheduler whose dashboard has the pages
_opened: WeakKeyDictionary[Any, str] = WeakKeyDictionary()


def open_pages(client: Any, scheduler: str) -> None:
    """Call whatever is announced at the entry point ``daskml_dist.pages`` with the client of a fit.

    Once for each client and scheduler: one that was started anew, to which the client has connected again,
    has no pages yet. What fails is not tried again; there is one ListenerFailed warning.

    Parameters
    ----------
    client : of the fit.
    scheduler : what tells its scheduler from others.
    """
    if _opened.get(client) == scheduler:
        return
    try:
        for point in _announced():
            _open(point, client)
        _opened[client] = scheduler
    except OSError:  # the scheduler does not answer: whoever asks it next will say so
        return


def _open(point: EntryPoint, client: Any) -> None:
    try:
        point.load()(client)
    except OSError:
        raise
    except Exception as error:  # somebody else's code; the fit matters more than its page
        warnings.warn(
            f"the page announced at {PAGES} as {point.name} = {point.value} cannot be shown; the training "
            f"goes on without it: {error!r}",
            ListenerFailed,
            stacklevel=5,
        )


@cache
def _announced() -> tuple[EntryPoint, ...]:
    """What is installed, by name; looked up once a process."""
    return tuple(sorted(entry_points(group=PAGES), key=lambda point: (point.name, point.value)))
