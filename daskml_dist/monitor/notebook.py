"""A live view of a fit in the output of a notebook's cell: HTML without scripts, or text."""

from __future__ import annotations

import sys
import time
from html import escape
from typing import Any, final

from daskml_dist.monitor._base import FitEnd, FitInfo, Listener
from daskml_dist.monitor.picture import gap_picture
from daskml_dist.types import Step

_PAUSE = 0.25  # seconds between two updates, at least
_MOST = 10_000  # steps that are remembered; from there on every other one


@final
class NotebookView(Listener):
    """One output of the cell that fits, rewritten in place at most four times a second.

    Parameters
    ----------
    display : ``IPython.display.display``, or what takes the same arguments.
    """

    def __init__(self, display: Any) -> None:
        self._display = display
        self._handle: Any = None
        self._info: FitInfo | None = None
        self._points: list[tuple[int, float]] = []
        self._last: Step | None = None
        self._at = 0.0

    def begin(self, info: FitInfo) -> None:
        self._info, self._points, self._last = info, [], None
        self._handle = self._display(self._bundle("running"), raw=True, display_id=True)
        self._at = time.monotonic()

    def hear(self, step: Step) -> None:
        self._last = step
        self._points.append((step.passes, step.gap))
        if len(self._points) > _MOST:
            self._points = self._points[1::2]
        if time.monotonic() - self._at >= _PAUSE:
            self._show("running")

    def end(self, outcome: FitEnd) -> None:
        seconds = f" after {outcome.seconds:.3g} s"
        self._show(f"{outcome.status}{' ' if outcome.message else ''}{outcome.message}{seconds}")

    def _show(self, status: str) -> None:
        if self._handle is not None:
            self._handle.update(self._bundle(status), raw=True)
            self._at = time.monotonic()

    def _bundle(self, status: str) -> dict[str, str]:
        """What is shown, for those who can draw and for those who can not."""
        info, step = self._info, self._last
        assert info is not None
        size = f"{info.rows:,} x {info.features:,}" if info.rows >= 0 else f"{info.features:,} features"
        facts = [f"{info.solver}, {size}", status]
        if step is not None:
            passes = f"{step.passes} {'pass' if step.passes == 1 else 'passes'}"
            facts += [passes, f"objective {step.objective:.6g}", f"gap {step.gap:.1e} ({step.gap_kind})"]
        drawn = gap_picture([p for p, _ in self._points], [gap for _, gap in self._points], info.tol)
        html = f"<div><b>{escape(info.estimator)}</b> &middot; {escape(' · '.join(facts))}</div>"
        return {
            "text/plain": "  ".join([info.estimator, *facts]),
            "text/html": html + (drawn if self._points else ""),
        }


def notebook_display() -> Any:
    """``IPython.display.display`` where this is a kernel with a front end; None elsewhere."""
    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython
    from IPython.display import display

    shell = get_ipython()
    return display if shell is not None and "IPKernelApp" in shell.config else None
