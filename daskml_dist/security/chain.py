"""Lines that name the line before: how they are written, found and checked."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from hashlib import sha256
from io import BufferedReader
from pathlib import Path
from typing import Any

from daskml_dist.errors import DaskmlDistError

FIRST = "0" * 64
MOST = 64_000  # bytes of a line
TORN = "audit: the line before was cut off"
BROKEN = "audit: what is before was changed since it was written"


class AuditBroken(DaskmlDistError, ValueError):
    """An audit log is not what was written.

    Attributes
    ----------
    line : the first that is wrong, counted from 1.
    """

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def digest(line: bytes) -> str:
    """What the next line names this one by."""
    return sha256(line).hexdigest()


def line_of(told: dict[str, Any], number: int, before: bytes) -> bytes:
    """The line that tells this, after the line before; empty where there is none."""
    seconds = time.time()
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1e6):06d}Z"
    record = {"at": at, "line": number, **told, "prev": digest(before) if before else FIRST}
    try:
        return json.dumps(record, allow_nan=False, separators=(",", ":")).encode() + b"\n"
    except TypeError as error:
        raise ValueError(f"facts of an audit log are JSON values: {error}") from error


def write(descriptor: int, data: bytes) -> None:
    """All of it or nothing: a disk that is full leaves no half line."""
    size = os.fstat(descriptor).st_size
    try:
        while data:
            data = data[os.write(descriptor, data) :]
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, size)
        raise


def last_line(descriptor: int) -> tuple[int, bytes]:
    """Number and bytes of the last line; one that was cut off has no line feed."""
    size = os.fstat(descriptor).st_size
    start = max(size - 2 * MOST, 0)
    tail = os.pread(descriptor, size - start, start)
    last = tail[tail.rfind(b"\n", 0, max(len(tail) - 1, 0)) + 1 :]
    if not last:
        return 0, b""
    try:
        return int(json.loads(last)["line"]), last
    except (ValueError, KeyError, TypeError):
        return sum(1 for _ in lines(descriptor)), last


def lines(descriptor: int) -> Iterator[bytes]:
    """All lines of an open log."""
    with os.fdopen(os.dup(descriptor), "rb") as file:
        file.seek(0)
        yield from _lines(file)


def continues(descriptor: int, number: int, last: bytes, head: tuple[int, str] | None) -> bool:
    """Whether the log still has the line that its head names; a crash may have left the head behind."""
    if head is None:
        return number <= 1
    if head == (number, digest(last)):
        return True
    return any(at == head[0] and digest(line) == head[1] for at, line in enumerate(lines(descriptor), 1))


def checked(file: BufferedReader) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of each line, each compared with the one before; `AuditBroken` at the first misfit."""
    previous, torn, number = FIRST, False, 0
    for number, line in enumerate(_lines(file), 1):
        torn = _check(line, number, previous, torn)
        previous = digest(line)
        yield number, line
    if torn:
        raise _no_line(number)


def _check(line: bytes, number: int, previous: str, torn: bool) -> bool:
    """Whether this line is the rest of a crash, which the next one has to say."""
    if not line.endswith(b"\n"):
        raise AuditBroken(f"line {number}, the last, is cut off; what is before it is intact", number)
    try:
        record = json.loads(line)
        told, at, before = record["what"], record["line"], record["prev"]
    except (ValueError, KeyError, TypeError) as error:
        if torn:
            raise _no_line(number - 1) from error
        return True
    if torn and told != TORN:
        raise _no_line(number - 1)
    if told == BROKEN:
        raise AuditBroken(f"what is before line {number} was changed; it says so itself", number)
    if before != previous or at != number:
        message = f"line {number} does not follow the one before it: one was changed, moved or left out"
        raise AuditBroken(message, number)
    return False


def _no_line(number: int) -> AuditBroken:
    return AuditBroken(f"line {number} is no line of an audit log", number)


def _lines(file: BufferedReader) -> Iterable[bytes]:
    return iter(lambda: file.readline(2 * MOST), b"")


def _head_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.head")


def write_head(path: Path, number: int, line: bytes) -> None:
    """In place and short, so that it is one write; a crash leaves the one before, which still holds."""
    text = f"{number:020d} {digest(line)}\n".encode()
    descriptor = os.open(_head_path(path), os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.pwrite(descriptor, text, 0)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_head(path: Path) -> tuple[int, str] | None:
    """What the head names; None where there is none that can be read."""
    try:
        number, found = _head_path(path).read_text("ascii").split()
        return int(number), found
    except (FileNotFoundError, ValueError):
        return None
