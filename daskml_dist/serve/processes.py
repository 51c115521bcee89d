"""Replicas as processes of this machine: started detached, found again after a restart, stopped.

Nothing connects them with whoever started them: output goes to files, the session is their own.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, final

import psutil

from daskml_dist.serve.replica import TOKEN

PATIENCE = 10.0
"""Seconds between SIGTERM and SIGKILL."""


@final
class ReplicaProcess:
    """One process.

    Parameters
    ----------
    folder : for its files: what it is, what it says, what it complains about.
    identity : names it, and its files.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self._folder, self.identity = folder, identity
        self._popen: subprocess.Popen[bytes] | None = None
        self._found: psutil.Process | None = None
        self._asked = 0.0
        self.pid = 0
        self.started = 0.0

    def start(self, arguments: list[str], token: str, facts: dict[str, Any]) -> None:
        """Start it.

        Parameters
        ----------
        arguments : of `daskml_dist.serve.replica`.
        token : of the deployment, handed over in the environment.
        facts : written beside it, for whoever adopts it.

        Raises
        ------
        OSError
            It cannot be started.
        """
        command = [sys.executable, "-m", "daskml_dist.serve.replica", *arguments]
        threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        with open(self._path("out"), "wb") as out, open(self._path("log"), "ab") as log:
            self._popen = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                env=os.environ | threads | {TOKEN: token},
                start_new_session=True,
            )
        self.pid, self.started, self._asked = self._popen.pid, time.monotonic(), 0.0
        created = psutil.Process(self.pid).create_time()
        write_json(self._path("json"), facts | {"pid": self.pid, "created": created})

    def adopt(self, facts: dict[str, Any]) -> bool:
        """Take over a process of a former agent; False where it is gone."""
        try:
            found = psutil.Process(facts["pid"])
            if found.create_time() != facts["created"] or found.status() == psutil.STATUS_ZOMBIE:
                return False
        except psutil.Error:
            return False
        self._found, self.pid, self.started = found, facts["pid"], time.monotonic()
        return True

    def alive(self) -> bool:
        """Whether it runs."""
        if self._popen is not None:
            return self._popen.poll() is None
        try:
            return (
                self._found is not None
                and self._found.is_running()
                and self._found.status() != psutil.STATUS_ZOMBIE
            )
        except psutil.Error:
            return False

    def said(self) -> dict[str, Any] | None:
        """The line that it prints when it is ready, or cannot be."""
        try:
            line, end, _ = self._path("out").read_text().partition("\n")
            return dict(json.loads(line)) if end else None
        except (OSError, ValueError):
            return None

    def complaint(self) -> str:
        """The last line of what it complained about."""
        with suppress(OSError):
            lines = self._path("log").read_text(errors="replace")[-4000:].strip().splitlines()
            return lines[-1][:300] if lines else ""
        return ""

    def stop(self) -> None:
        """Ask it to end; call again until it has: it is killed when it takes too long."""
        now = time.monotonic()
        if not self._asked:
            self._asked = now
            self._signal(signal.SIGTERM)
        elif now - self._asked > PATIENCE:
            self._signal(signal.SIGKILL)

    def kill(self) -> None:
        """End it at once."""
        self._signal(signal.SIGKILL)

    def forget(self) -> None:
        """Remove its files."""
        for kind in ("json", "out", "log"):
            self._path(kind).unlink(missing_ok=True)

    def _signal(self, number: int) -> None:
        with suppress(OSError, psutil.Error):
            if self._popen is not None:
                self._popen.send_signal(number)
            elif self._found is not None:
                self._found.send_signal(number)

    def _path(self, kind: str) -> Path:
        return self._folder / f"{self.identity}.{kind}"


def write_json(path: Path, value: Any) -> None:
    """Write a private file, entirely or not at all."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.part")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


def read_json(path: Path) -> dict[str, Any] | None:
    """What was written; None where nothing was, or not to the end."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
