"""``daskml-dist score``: the answers of a model for each row of a file."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING, Any

from daskml_dist.cli import option_types

if TYPE_CHECKING:
    from daskml_dist.batch import Report

DESCRIPTION = """Write a model's answers for each row of SRC to DST.

SRC is a CSV file (also .gz), a Parquet file or directory, a Zarr store or a
NetCDF file, with the columns that the model was trained with. DST ends in
.parquet or .csv (a directory with a file for each piece of SRC), or in .zarr for
Zarr and NetCDF. Killed at any moment, the same command goes on: each row is
written once. Receipts are kept in DST.scoring."""
EXAMPLES = """examples:
  daskml-dist score claims.parquet scores.parquet --model claims@champion --keep policy
  daskml-dist score "data/*.csv" scores.parquet --model ./model --workers 2"""


def add_parsers(commands: Any) -> None:
    """Add the command to those of ``daskml-dist``."""
    parser = commands.add_parser(
        "score",
        usage="daskml-dist score SRC DST --model MODEL [options]",
        help="write a model's answers for a file",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", metavar="SRC", help="a path, pattern or URL")
    parser.add_argument("destination", metavar="DST", help="a path or URL")
    parser.add_argument(
        "--model",
        required=True,
        metavar="MODEL",
        help="NAME@ALIAS, NAME/VERSION, NAME or a directory",
    )
    option_types.add_registry(parser)
    parser.add_argument(
        "--keep",
        type=option_types.names,
        action="extend",
        default=[],
        metavar="A,B",
        help="columns of SRC to keep",
    )
    option_types.add_reading(parser)
    option_types.add_machine(parser.add_argument_group("machine"))
    parser.add_argument("--overwrite", action="store_true", help="remove what is in DST, and begin anew")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")


def run(given: argparse.Namespace) -> None:
    """Score, and say what came out."""
    from daskml_dist.batch import score
    from daskml_dist.cli.clusters import connected

    began = time.monotonic()
    shown = not given.quiet and sys.stderr.isatty()
    with connected(given.workers, given.scheduler, given.memory_limit):
        report = score(
            given.source,
            given.destination,
            given.model,
            registry=given.registry,
            keep=given.keep,
            kind=given.format,
            sep=given.sep,
            na_values=given.na_values,
            blocksize=given.blocksize,
            overwrite=given.overwrite,
            told=_tell if shown else None,
        )
    if shown:
        print(file=sys.stderr)
    if not given.quiet:
        _say(report, time.monotonic() - began)


def _tell(rows: int, left: int) -> None:
    print(f"\r{rows:,} rows, {left:,} pieces left ", end="", file=sys.stderr, flush=True)


def _say(report: Report, seconds: float) -> None:
    before = report.rows - report.scored
    print(f"model   {report.model} (sha256 {report.sha256[:12]})")
    print(
        f"rows    {report.rows:,} in {report.parts:,} parts" + (f", {before:,} from before" if before else "")
    )
    print(f"time    {seconds:.1f} s, {report.scored / max(seconds, 1e-9):,.0f} rows/s")
    if report.drift is None:
        print("drift   unknown: the model was registered without data")
    elif report.drifted:
        print(f"drift   {', '.join(report.drifted)}: unlike the training data")
    else:
        print("drift   none")
