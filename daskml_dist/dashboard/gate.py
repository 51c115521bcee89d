"""No more updates than the browser can draw."""

from __future__ import annotations

import time
from typing import Any, final

from bokeh.models import CustomJS, Row
from bokeh.models.widgets import Div

_PATIENCE = 5.0  # seconds: a tab in the background draws nothing, and is not waited for any longer
_ECHO = "requestAnimationFrame(() => setTimeout(() => { seen.text = cb_obj.text }, 0))"


@final
class Gate:
    """Holds an update back until the browser has drawn the one before.

    A page with a dozen figures takes a slow machine a second to draw. Updates that come faster than that pile
    up in the browser, which then answers nobody. So a mark goes with each update, and the browser sends it
    back when it has drawn.

    Attributes
    ----------
    root : goes anywhere on the page; it is not seen.
    """

    def __init__(self) -> None:
        self._sent, self._seen = Div(text="", visible=False), Div(text="", visible=False)
        self._sent.js_on_change("text", CustomJS(args={"seen": self._seen}, code=_ECHO))
        self.root: Any = Row(children=[self._sent, self._seen], visible=False)
        self._number, self._at = 0, 0.0

    @property
    def is_open(self) -> bool:
        """Whether the last update was drawn, or nobody has ever said so, or not for long."""
        waits = self._seen.text not in ("", self._sent.text)
        return not waits or time.monotonic() - self._at > _PATIENCE

    def passed(self) -> None:
        """An update was made."""
        self._number += 1
        self._sent.text = str(self._number)
        self._at = time.monotonic()
