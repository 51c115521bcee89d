"""The progress line: on a terminal, on a pipe, and on streams that misbehave."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

import pytest

from daskml_dist.monitor import FitEnd, ProgressLine
from tests.monitor.samples import END, INFO, step, tell

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def terminal() -> Iterator[tuple[TextIO, int]]:
    """A stream that is a terminal, and the other end of it."""
    leader, follower = pty.openpty()
    with os.fdopen(follower, "w", encoding="utf-8") as stream:
        yield stream, leader
    os.close(leader)


def _resize(stream: TextIO, columns: int) -> None:
    fcntl.ioctl(stream.fileno(), termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))


def _written(leader: int) -> str:
    """All that was written so far; a terminal may hand it over in pieces."""
    pieces = [os.read(leader, 65536)]
    while select.select([leader], [], [], 0.1)[0]:
        pieces.append(os.read(leader, 65536))
    return b"".join(pieces).decode()


def test_on_a_terminal_one_line_is_rewritten_in_place(terminal: tuple[TextIO, int]) -> None:
    stream, leader = terminal
    _resize(stream, 120)
    tell(ProgressLine(1, stream))
    text = _written(leader)
    assert text.endswith("\r\n") and text.count("\n") == 1
    *_, before, last = text.removesuffix("\r\n").split("\r")
    assert before.rstrip() == (
        "LogisticRegression  pass 3/100  objective 0.312346  gap 1.0e-03 (self-concordance)  0.30 s"
    )
    assert last.rstrip() == (
        "LogisticRegression converged  3 passes  objective 0.312346  gap 1.0e-03 (self-concordance)  0.52 s"
    )


def test_a_shorter_line_wipes_the_longer_one(terminal: tuple[TextIO, int]) -> None:
    stream, leader = terminal
    _resize(stream, 120)
    line = ProgressLine(1, stream)
    line.begin(INFO)
    line.hear(step(1))
    line.end(FitEnd("fit-1", "failed", "no", 0, 0.0))
    first, second, third = _written(leader).removesuffix("\r\n").split("\r")[1:]
    assert len(second.rstrip()) > len(first.rstrip())
    line.begin(INFO)  # begins on a line of its own
    assert _written(leader).split("\r")[-1] == first
    assert len(third) >= len(second.rstrip())


@pytest.mark.parametrize("columns", [1, 5, 20, 40, 60, 80, 200])
def test_the_line_adapts_to_the_width(terminal: tuple[TextIO, int], columns: int) -> None:
    stream, leader = terminal
    _resize(stream, columns)
    tell(ProgressLine(1, stream))
    shown = re.split(r"[\r\n]+", _written(leader))
    assert max(map(len, shown)) <= max(columns - 1, 0)


def test_the_width_may_change_on_the_way_or_be_unknown(terminal: tuple[TextIO, int]) -> None:
    stream, leader = terminal
    line = ProgressLine(1, stream)
    for columns in (200, 30, 0):
        _resize(stream, columns)
        line.begin(INFO)
        line.hear(step(1))
        longest = max(map(len, _written(leader).split("\r")))
        assert longest < (columns or 81)


def test_a_message_stays_on_the_line_and_cannot_steer_the_terminal(terminal: tuple[TextIO, int]) -> None:
    stream, leader = terminal
    _resize(stream, 200)
    line = ProgressLine(1, stream)
    line.begin(INFO)
    line.end(FitEnd("fit-1", "failed", "first\nsecond\x1b[2J", 1, 0.0))
    text = _written(leader)
    assert text.count("\n") == 1 and "\x1b" not in text
    assert "LogisticRegression failed  1 pass  0.00 s  first second [2J" in text


def test_off_a_terminal_only_verbose_2_writes() -> None:
    for verbose, lines in ((0, 0), (1, 0), (2, 5)):
        stream = io.StringIO()
        tell(ProgressLine(verbose, stream))
        assert stream.getvalue().count("\n") == lines
        assert "\r" not in stream.getvalue()


def test_0_is_silent_on_a_terminal_too(terminal: tuple[TextIO, int]) -> None:
    stream, leader = terminal
    tell(ProgressLine(0, stream))
    stream.write("mark")
    stream.flush()
    assert _written(leader) == "mark"


def test_an_ascii_stream_gets_ascii() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", errors="strict")
    line = ProgressLine(2, stream)
    line.begin(replace(INFO, estimator="Größe"))
    line.hear(step(1))
    line.end(END)
    assert raw.getvalue().startswith(b"Gr??e (newton), 1000 x 20\n")
    assert raw.getvalue().count(b"\n") == 3


class _Broken(io.StringIO):
    """Fails at whatever is asked of it."""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")


def test_no_stream_makes_it_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    for stream in (closed, _Broken(), object()):
        for verbose in (0, 1, 2):
            tell(ProgressLine(verbose, stream))  # type: ignore[arg-type]
    monkeypatch.setattr(sys, "stderr", None)
    tell(ProgressLine(2))
    line = ProgressLine(2)
    line.hear(step(1))
    line.end(END)


def test_a_stream_may_close_on_the_way() -> None:
    stream = io.StringIO()
    line = ProgressLine(2, stream)
    line.begin(INFO)
    stream.close()
    line.hear(step(1))
    line.end(END)


def test_it_writes_to_stderr_as_it_is_when_the_fit_begins(capsys: pytest.CaptureFixture[str]) -> None:
    tell(ProgressLine(2))
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 5


def test_a_process_whose_stderr_is_a_pipe() -> None:
    code = (
        "from tests.monitor.samples import tell; from daskml_dist.monitor import ProgressLine\n"
        "tell(ProgressLine(1)); tell(ProgressLine(2))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        timeout=60,
        env=os.environ | {"LC_ALL": "C"},
    )
    assert done.returncode == 0 and done.stdout == b""
    assert done.stderr.count(b"\n") == 5 and b"\r" not in done.stderr


@pytest.mark.parametrize("verbose", [3, -1, "1", None])
def test_verbose_is_0_1_or_2(verbose: Any) -> None:
    with pytest.raises(ValueError, match="verbose="):
        ProgressLine(verbose)


def test_unknown_rows_are_not_shown() -> None:
    stream = io.StringIO()
    ProgressLine(2, stream).begin(replace(INFO, rows=-1))
    assert stream.getvalue() == "LogisticRegression (newton), 20 features\n"
