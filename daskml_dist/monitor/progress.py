"""One line in the terminal that says how far a fit is."""

from __future__ import annotations

import os
import shutil
import sys
from typing import Literal, TextIO, final

from daskml_dist.monitor._base import FitEnd, FitInfo, Listener
from daskml_dist.monitor.notebook import NotebookView, notebook_display
from daskml_dist.types import Step

Verbose = Literal[0, 1, 2]


@final
class ProgressLine(Listener):
    """Writes passes, objective, gap and seconds; never raises, whatever becomes of the stream.

    Parameters
    ----------
    verbose : 0 writes nothing; 1 rewrites one line in place where the stream is a terminal, and writes
        nothing elsewhere; 2 writes one line a step anywhere.
    stream : where to; None for ``sys.stderr`` as it is when the fit begins.
    """

    def __init__(self, verbose: int = 1, stream: TextIO | None = None) -> None:
        if verbose not in (0, 1, 2):
            raise ValueError(f"verbose={verbose!r}: give 0 (silent), 1 (one line) or 2 (one line a step)")
        self._verbose = int(verbose)
        self._given = stream
        self._stream: TextIO | None = None
        self._info: FitInfo | None = None
        self._last: Step | None = None
        self._shown = 0

    def begin(self, info: FitInfo) -> None:
        self._info, self._last, self._shown = info, None, 0
        self._stream = self._open()
        size = f"{info.rows} x {info.features}" if info.rows >= 0 else f"{info.features} features"
        self._show([f"{info.estimator} ({info.solver}), {size}"])

    def hear(self, step: Step) -> None:
        self._last = step
        if self._info is not None:
            passes = f"pass {step.passes}/{self._info.max_passes}"
            self._show([self._info.estimator, passes, *_facts(step), f"{step.seconds:.2f} s"])

    def end(self, outcome: FitEnd) -> None:
        if self._info is None:
            return
        known = [] if self._last is None else _facts(self._last)
        head = f"{self._info.estimator} {outcome.status}"
        message = [] if outcome.status == "converged" or not outcome.message else [outcome.message]
        passes = "1 pass" if outcome.passes == 1 else f"{outcome.passes} passes"
        self._show([head, passes, *known, f"{outcome.seconds:.2f} s", *message], last=True)
        self._stream = None

    def _open(self) -> TextIO | None:
        stream = self._given if self._given is not None else sys.stderr
        if self._verbose == 0 or stream is None:  # pythonw and some services have no stderr
            return None
        try:
            return stream if self._verbose == 2 or stream.isatty() else None
        except Exception:  # a closed stream, or an object that only resembles one
            return None

    def _show(self, parts: list[str], last: bool = False) -> None:
        if self._stream is None:
            return
        try:
            if self._verbose == 2:
                self._stream.write(_writable("  ".join(parts), self._stream) + "\n")
            else:
                width = _width(self._stream) - 1  # in the last column some terminals wrap
                text = _writable(_fit(parts, width), self._stream)
                self._stream.write("\r" + text.ljust(min(self._shown, width)) + ("\n" if last else ""))
                self._shown = len(text)
            self._stream.flush()
        except Exception:  # a full pipe, a closed terminal: the fit matters more than its line
            self._stream = None


def _facts(step: Step) -> list[str]:
    return [f"objective {step.objective:.6g}", f"gap {step.gap:.1e} ({step.gap_kind})"]


def _fit(parts: list[str], width: int) -> str:
    """As many whole parts as there is room for, and the beginning of the first in any case."""
    text = ""
    for part in parts:
        longer = f"{text}  {part}" if text else part
        if len(longer) > width:
            return text or longer[:width]
        text = longer
    return text


def _writable(text: str, stream: TextIO) -> str:
    """One line, without control characters, and only what the encoding of the stream has."""
    line = "".join(char if char.isprintable() else " " for char in text)
    encoding = getattr(stream, "encoding", None) or "ascii"
    return line.encode(encoding, "replace").decode(encoding)


def _width(stream: TextIO) -> int:
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError, AttributeError):
        columns = shutil.get_terminal_size().columns
    return columns if columns > 0 else 80  # some terminals say 0


def progress_view(verbose: int) -> Listener:
    """What shows the person who calls ``fit`` how far it is: a view in a notebook, a line in a terminal.

    Parameters
    ----------
    verbose : 0 for nothing; 1 for a live view in the output of a notebook's cell, or one line in a terminal;
        2 for a line a step as text, wherever it is.
    """
    display = notebook_display() if verbose == 1 else None
    return ProgressLine(verbose) if display is None else NotebookView(display)
