"""What was decided on the way: by the planner, and by whoever steers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, final

from bokeh.models.widgets import Div

from daskml_dist.dashboard.fit import Fit
from daskml_dist.dashboard.panels._base import Panel
from daskml_dist.dashboard.words import short, span, text

_MOST = 12  # lines
_KINDS = {
    "slow": "moved from a slow worker",
    "idle": "moved to an idle worker",
    "left": "moved, since a worker left",
    "placed": "placed elsewhere",
    "backup": "started once more",
}


@final
class Decisions(Panel):
    """Moves of work with their reasons, and commands that were accepted, the newest first."""

    name, title = "decisions", "Decisions"

    def build(self) -> None:
        self.root = Div(
            text="", sizing_mode="stretch_width", styles={"font-size": "13px", "overflow": "auto"}
        )
        self._seen: object = None

    def update(self, fit: Fit) -> bool:
        events = list(fit.events)
        if events and self._seen != (fit.id, fit.version):
            self._seen = (fit.id, fit.version)
            more = f" (the newest {_MOST} of {len(events)})" if len(events) > _MOST else ""
            lines = "".join(f"<li>{_line(event)}</li>" for event in reversed(events[-_MOST:]))
            told = (
                f"<b>Decisions and commands{more}</b><ul style='margin:4px 0;padding-left:18px'>{lines}</ul>"
            )
            if self.root.text != told:
                self.root.text = told
        return bool(events)


def _line(event: Mapping[str, Any]) -> str:
    if "command" in event:
        at = time.strftime("%H:%M:%S", time.localtime(event["time"]))
        factor = f" x {event['value']:g}" if event["command"] == "rate" else ""
        return f"{at}: <b>{text(event['command'])}{factor}</b>, a command from the page"
    chunks = "1 chunk" if event["chunks"] == 1 else f"{event['chunks']} chunks"
    outcome = f" ({text(event['outcome'])})" if event["outcome"] else ""
    return (
        f"{span(event['seconds'])}: {chunks} {_KINDS.get(event['kind'], text(event['kind']))}, to "
        f"{text(short(event['target']))}: {text(event['why'])}{outcome}"
    )
