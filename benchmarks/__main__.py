"""The command line: which suites, how large, and where the tables go."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any


def main(arguments: Sequence[str] | None = None) -> int:
    """Run suites and print their tables."""
    asked = _parser().parse_args(arguments)
    cores = _hold_to(asked.cores)
    # after the cores are chosen: BLAS counts them when it is loaded
    from benchmarks import suites
    from benchmarks.options import Options
    from benchmarks.table import write_section

    folder = Path(tempfile.mkdtemp(prefix="benchmarks-", dir=asked.folder))
    options = Options(asked.size, folder, not asked.no_peers, asked.limit, asked.out)
    record: dict[str, Any] = {"machine": machine(cores), "size": asked.size, "suites": {}}
    print(f"{record['machine']}\n", flush=True)
    try:
        for name in asked.only or suites.NAMES:
            tables = suites.named(name)(options)
            record["suites"][name] = [table.record() for table in tables]
            for table in tables:
                print(table.markdown() if asked.markdown else table.text(), flush=True)
            if asked.markdown:
                body = "\n".join(table.markdown() for table in tables)
                write_section(asked.markdown, name, f"{body}\n*{asked.size}: {record['machine']}*\n")
            if asked.out:
                asked.out.write_text(json.dumps(record, indent=1), encoding="utf-8")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def machine(cores: int) -> str:
    """What the figures were measured with."""
    packages = ", ".join(
        f"{name} {version(name)}" for name in ("numpy", "dask", "scikit-learn", "daskml_dist")
    )
    load = os.getloadavg()[0]
    return (
        f"{cores} cores of {os.cpu_count()} ({platform.machine()}), load {load:.1f} at the beginning, "
        f"Python {platform.python_version()}, {packages}"
    )


def _hold_to(cores: int) -> int:
    """Let this process and its children use so many cores, where the system can."""
    if sys.platform != "linux":
        return os.cpu_count() or 1
    mine = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, mine[:cores])
    return min(cores, len(mine))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="suites to run; all by default")
    parser.add_argument(
        "--quick", dest="size", action="store_const", const="quick", help="smaller data, minutes"
    )
    parser.add_argument("--tiny", dest="size", action="store_const", const="tiny", help="seconds, for tests")
    parser.add_argument("--no-peers", action="store_true", help="without peers in environments of their own")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds that one fit of a peer may take")
    parser.add_argument("--cores", type=int, default=2, help="cores that everybody may use")
    parser.add_argument("--folder", type=Path, help="where generated data are kept meanwhile")
    parser.add_argument("--out", type=Path, help="write all figures as JSON")
    parser.add_argument(
        "--markdown",
        type=Path,
        nargs="?",
        const=Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md",
        help="print Markdown, and write the tables into this file (docs/benchmarks.md)",
    )
    parser.set_defaults(size="full")
    return parser


if __name__ == "__main__":
    sys.exit(main())
