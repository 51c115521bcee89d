"""Who did what: lines of JSON, each with the SHA-256 of the line before."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

from daskml_dist.security import chain
from daskml_dist.security.chain import BROKEN, FIRST, MOST, TORN, AuditBroken, digest
from daskml_dist.security.files import hold, sync_folder


@final
class AuditLog:
    """Appends lines to a log; several processes may append to one.

    A line has "at" (UTC), "line" (its number), "prev" (the SHA-256 of the line before, with its line feed)
    and what was told. It is on disk when `append` returns. Beside the log, ``NAME.head`` keeps the number and
    the digest of the last line, so that lines cut off the end are missed too. The chain finds changes; it is
    no signature: who can write both files can forge both. Keep `head` elsewhere from time to time.

    Parameters
    ----------
    path : of the log; it and its head are made with mode 0600.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "audit.jsonl"
    >>> log = AuditLog(path)
    >>> log.append(who="9f31c02e", what="promote", result="ok", model="claims", version=3)
    1
    >>> verify_audit(path)
    1
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)

    def append(self, *, who: str, what: str, result: str, **facts: Any) -> int:
        """Write one line.

        A line that a crash cut off before is closed by a line that says so, and a log that was changed since
        its last line is marked for ever; both do not keep the line from being written.

        Parameters
        ----------
        who : the id of a token, or a user's name.
        what : was done, like "promote".
        result : "ok", or why not.
        **facts : JSON values: model, version, rows... Never values of personal columns.

        Returns
        -------
        int
            The number of the line.

        Raises
        ------
        ValueError
            For facts that are no JSON, or too long; nothing is written.
        """
        told = dict(who=who, what=what, result=result, **facts)
        taken = {"at", "line", "prev"} & told.keys()
        if taken:
            raise ValueError(f"{sorted(taken)} are written by the log itself; name the facts otherwise")
        if len(chain.line_of(told, 1 << 62, b"")) > MOST:
            raise ValueError(f"a line of the audit log has at most {MOST} bytes; tell less")
        with self._open() as descriptor:
            number, last = chain.last_line(descriptor)
            if not chain.continues(descriptor, number, last, chain.read_head(self._path)):
                self._write(descriptor, {"who": "audit", "what": BROKEN, "result": "failed"})
            elif last and not last.endswith(b"\n"):
                self._write(descriptor, {"who": "audit", "what": TORN, "result": "ok"})
            return self._write(descriptor, told)

    def head(self) -> tuple[int, str]:
        """Number and digest of the last line; what `verify_audit` takes as `head`."""
        return chain.read_head(self._path) or (0, FIRST)

    @contextmanager
    def _open(self) -> Iterator[int]:
        new = not self._path.exists()
        descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            hold(descriptor, self._path)
            if new:
                sync_folder(self._path.parent)
            yield descriptor
        finally:
            os.close(descriptor)

    def _write(self, descriptor: int, told: dict[str, Any]) -> int:
        number, last = chain.last_line(descriptor)
        close = b"" if not last or last.endswith(b"\n") else b"\n"
        line = chain.line_of(told, number + 1, last + close)
        chain.write(descriptor, close + line)
        chain.write_head(self._path, number + 1, line)
        return number + 1


def verify_audit(path: str | os.PathLike[str], *, head: tuple[int, str] | None = None) -> int:
    """Read a log from its first line to its last and check the chain.

    Parameters
    ----------
    path : of the log.
    head : number and digest of a line, from `AuditLog.head` at any time; that of ``NAME.head`` is checked in
        any case.

    Returns
    -------
    int
        The number of lines.

    Raises
    ------
    AuditBroken
        At the first line that was changed, moved, put in, or left out, at the end too; and for a last line
        that was cut off (by a crash, say) as long as nothing was appended after it.
    """
    path = Path(path)
    beside = chain.read_head(path)
    heads = {found for found in (head, beside) if found is not None and found[0] > 0}
    number = 0
    with open(path, "rb") as file:
        for number, line in chain.checked(file):
            named = {found for found in heads if found[0] == number}
            if named - {(number, digest(line))}:
                raise AuditBroken(f"line {number} of {path} is not the one that its head names", number)
            heads -= named
    if heads:
        raise AuditBroken(
            f"{path} ends after line {number}, and its head names line {max(heads)[0]}: lines were removed",
            number + 1,
        )
    if number > 1 and head is None and beside is None:
        raise AuditBroken(f"the head of {path} is missing: nobody knows where the log ended", number)
    return number
