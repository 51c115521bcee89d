"""Pages on a cluster's dashboard: whoever announces one is given the client; nothing imports it."""

from __future__ import annotations

import warnings
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any
from weakref import WeakKeyDictionary

from daskml_dist.monitor._base import ListenerFailed

PAGES = "daskml_dist.pages"

#: of clients, the announcements that failed: they are not tried again
_failed: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()


def open_pages(client: Any) -> None:
    """Call whatever is announced at the entry point ``daskml_dist.pages`` with the client of a fit.

    It is called for each fit, since the scheduler may be another one by now, and has to see for itself that
    its page is there only once. One that fails is left out from then on; there is one ListenerFailed warning.
    """
    failed = _failed.setdefault(client, set())
    for point in _announced():
        if point.name in failed:
            continue
        try:
            point.load()(client)
        except OSError:  # the scheduler does not answer: whoever asks it next will say so
            continue
        except Exception as error:  # somebody else's code; the fit matters more than its page
            failed.add(point.name)
            warnings.warn(
                f"the page announced at {PAGES} as {point.name} = {point.value} cannot be shown; the "
                f"training goes on without it: {error!r}",
                ListenerFailed,
                stacklevel=4,
            )


@cache
def _announced() -> tuple[EntryPoint, ...]:
    """What is installed, by name; looked up once a process."""
    return tuple(sorted(entry_points(group=PAGES), key=lambda point: (point.name, point.value)))
