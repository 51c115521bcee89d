"""Environments of the peers: made on first use with the pins that each needs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from benchmarks.options import ROOT

#: kept where build products are, out of reach of the checks of the source tree
HOME = ROOT / "build" / "peers"

PINS = {
    "dask-ml": ("dask-ml==2025.1.0", "dask-glm==0.4.0", "scipy<1.18"),
    "spark": ("pyspark>=4.0,<5", "numpy>=2"),
}


class Absent(RuntimeError):
    """A peer cannot take part, and why."""


def python(peer: str) -> str:
    """The interpreter of a peer; its environment is made where it is missing."""
    if peer not in PINS:
        return sys.executable
    if peer == "spark" and not (shutil.which("java") or os.environ.get("JAVA_HOME")):
        raise Absent("no Java: neither java on the PATH nor JAVA_HOME")
    home, pins = HOME / peer, "\n".join(PINS[peer])
    ready = home / ".ready"
    if not ready.is_file() or ready.read_text(encoding="utf-8") != pins:
        print(
            f"making the environment of {peer} in {home.relative_to(ROOT)} (once)",
            file=sys.stderr,
            flush=True,
        )
        _make(peer, home)
        ready.write_text(pins, encoding="utf-8")
    return str(home / "bin" / "python")


def _make(peer: str, home: Path) -> None:
    try:
        venv.create(home, with_pip=True, clear=True)
        command = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", *PINS[peer]]
        done = subprocess.run(command, capture_output=True, text=True, timeout=1800)
    except (OSError, subprocess.SubprocessError) as error:
        raise Absent(f"its environment could not be made: {error}") from error
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if "ERROR" in line] or done.stderr.splitlines()
        raise Absent(f"it could not be installed: {lines[-1] if lines else 'pip failed'}")


def version(peer: str, package: str) -> str:
    """The version of a package in the environment of a peer."""
    code = f"from importlib.metadata import version; print(version({package!r}))"
    done = subprocess.run([python(peer), "-c", code], capture_output=True, text=True, timeout=120)
    return done.stdout.strip() or "unknown"
