"""One measured fit in a process of its own, with a limit of time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import envs
from benchmarks.options import ROOT

MODULES = {"ours": "ours", "scikit-learn": "with_sklearn", "dask-ml": "with_dask_ml", "spark": "with_spark"}

_SETUP = 600.0  # seconds that imports, loading and warming up may take


def ask(peer: str, request: dict[str, Any], limit: float) -> dict[str, Any]:
    """The reply of a peer; it has "error" or "timeout" instead of "seconds" where there is none.

    ``limit`` counts from the beginning of the fit; what is before has a generous limit of its own.
    """
    try:
        interpreter = envs.python(peer)
    except envs.Absent as reason:
        return {"error": f"absent: {reason}"}
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        started = Path(folder) / "started"
        asked = Path(folder) / "request.json"
        asked.write_text(json.dumps({**request, "started": str(started)}), encoding="utf-8")
        command = [interpreter, "-m", f"benchmarks.workers.{MODULES[peer]}", str(asked)]
        with (Path(folder) / "out").open("w+") as out, (Path(folder) / "err").open("w+") as err:
            process = subprocess.Popen(
                command, cwd=ROOT, stdout=out, stderr=err, start_new_session=True, env=_environment()
            )
            late = _waited(process, started, limit)
            out.seek(0)
            err.seek(0)
            return _reply(out.read(), err.read(), process.returncode, late)


def _environment() -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONWARNINGS": "ignore",
        "PYTHONPATH": str(ROOT),
        "DASK_LOGGING__DISTRIBUTED": "critical",
    }


def _waited(process: subprocess.Popen[bytes], started: Path, limit: float) -> str | None:
    """Wait for the end; kill the process with its children if it takes too long, and say what was late."""
    began = time.time()
    late = None
    while process.poll() is None:
        if started.exists():
            late = "fit" if time.time() - started.stat().st_mtime > limit else None
        elif time.time() - began > _SETUP:
            late = "setup"
        if late:
            break
        time.sleep(0.05)
    try:
        os.killpg(process.pid, signal.SIGKILL)  # what it left behind, too
    except ProcessLookupError:
        pass
    process.wait()
    return late


def _reply(out: str, err: str, code: int, late: str | None) -> dict[str, Any]:
    lines = [line.removeprefix("REPLY ") for line in out.splitlines() if line.startswith("REPLY ")]
    if lines:
        return dict(json.loads(lines[-1]))
    if late:
        return {"timeout": late}
    last = [line for line in err.splitlines() if line.strip()][-1:] or ["no output"]
    return {"error": f"the process ended with {code}: {last[0][:200]}"}
