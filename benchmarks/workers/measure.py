"""What every worker process shares: its request, its clock, its memory, its answer. Standard library only."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Request = dict[str, Any]
Reply = dict[str, Any]


def serve(fit: Callable[[Request], Reply]) -> None:
    """Answer the request in the file named on the command line with one line of JSON."""
    request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    try:
        reply = fit(request)
    except Exception as error:
        traceback.print_exc()
        reply = {"error": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:300]}
    print("REPLY " + json.dumps(reply), flush=True)


@contextmanager
def measured(request: Request, processes: Callable[[], list[int]] = list) -> Iterator[Reply]:
    """Time what happens within, and the peak memory of this process and of others meanwhile.

    Memory that other processes hold before is told apart: ``data_mb`` is what all had at the beginning.
    """
    pids = [os.getpid(), *processes()]
    for pid in pids:
        reset_peak(pid)
    found: Reply = {"data_mb": sum(map(peak_mb, pids))}
    spent = sum(map(cpu_seconds, pids))
    Path(request["started"]).touch()
    began = time.perf_counter()
    yield found
    found["seconds"] = time.perf_counter() - began
    found["peak_mb"] = sum(map(peak_mb, pids))
    found["cpu_seconds"] = sum(map(cpu_seconds, pids)) - spent


def reset_peak(pid: int) -> None:
    """Forget the highest memory so far, where the system can (Linux)."""
    try:
        Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        pass


def peak_mb(pid: int | None = None) -> float:
    """The highest resident memory of a process in MB, since the last reset."""
    try:
        status = Path(f"/proc/{pid or os.getpid()}/status").read_text(encoding="ascii")
        return float(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1e3
    except OSError:
        if pid not in (None, os.getpid()):
            return 0.0
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def cpu_seconds(pid: int) -> float:
    """What all threads of a process have computed so far (Linux; else of this process alone)."""
    try:
        fields = (
            Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        )
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return time.process_time() if pid == os.getpid() else 0.0


def descendants(pid: int) -> list[int]:
    """Child processes, and theirs (Linux)."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text(encoding="ascii").split()):
            found += [child, *descendants(child)]
    return found
