"""Files that nobody else may read, replaced as a whole, by one process at a time."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daskml_dist.errors import DaskmlDistError

_WAIT = 10.0


class FileInsecure(DaskmlDistError, PermissionError):
    """A file with secrets can be read by others."""


class FileBusy(DaskmlDistError, TimeoutError):
    """Another process has held a file for too long."""


def write_private(path: Path, content: bytes) -> None:
    """Replace a file by one that only its owner can read; it is the old or the new one at any moment."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make what was created or renamed in a folder last."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_private(path: Path) -> None:
    """Complain of a file with secrets that others can read or write."""
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise FileInsecure(f"{path} has the mode {mode:o}: others can read its secrets. Run chmod 600 {path}")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a file's lock, which is a file beside it; not for long."""
    descriptor = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        hold(descriptor, path)
        yield
    finally:
        os.close(descriptor)  # and with it the lock


def hold(descriptor: int, path: Path) -> None:
    """Lock an open file, or complain after ten seconds."""
    end = time.monotonic() + _WAIT
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                raise FileBusy(
                    f"another process has held {path} for {_WAIT:.0f} s; look for one that hangs"
                ) from None
            time.sleep(0.005)
        else:
            return
