"""``daskml-dist update``: a registered model learns from a file, once, every so often, or when it changes."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import asdict
from typing import Any

from daskml_dist.cli import option_types
from daskml_dist.errors import DaskmlDistError, InvalidData

DESCRIPTION = """Let a registered model learn from new rows.

A share of the rows is held out. What has learned from the others becomes a new
version; if its loss on the held-out rows is less than the champion's, by more
than chance, the alias is moved to it, and servers of the alias roll to it."""
EXAMPLES = """examples:
  daskml-dist update claims new.parquet
  daskml-dist update claims "incoming/*.csv" --watch --min-gain 0.001
  daskml-dist update claims new.parquet --every 86400"""


def add_parsers(commands: Any) -> None:
    """Add the command to those of ``daskml-dist``."""
    parser = commands.add_parser(
        "update",
        usage="daskml-dist update NAME[@ALIAS] FILE [options]",
        help="let a registered model learn from new rows",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="NAME[@ALIAS]", help="the model and its alias (champion)")
    parser.add_argument("file", metavar="FILE", help="a path, pattern or URL")
    option_types.add_registry(parser)
    parser.add_argument("--target", metavar="COLUMN", help="(as when it was registered)")
    parser.add_argument("--weight", metavar="COLUMN", help="(as when it was registered)")
    parser.add_argument("--exposure", metavar="COLUMN", help="(as when it was registered)")
    _add_learning(parser)
    option_types.add_reading(parser)
    option_types.add_machine(parser.add_argument_group("machine"))


def _add_learning(parser: Any) -> None:
    """How to learn, when to promote, and how often."""
    parser.add_argument(
        "--how",
        choices=("auto", "partial_fit", "warm_start", "refit"),
        default="auto",
        help="go on from the champion and forget slowly (partial_fit), start from it (warm_start), or from "
        "nothing (refit); the first that the model can (auto)",
    )
    parser.add_argument(
        "--test-size",
        type=option_types.share(zero=False),
        default=0.2,
        metavar="X",
        help="share that is held out (0.2)",
    )
    parser.add_argument(
        "--seed", type=option_types.whole(0), default=0, metavar="N", help="of the held-out rows (0)"
    )
    parser.add_argument(
        "--min-gain", type=float, default=0.0, metavar="X", help="least fall of the loss for a promotion (0)"
    )
    parser.add_argument(
        "--confidence",
        type=option_types.share(zero=False),
        default=0.95,
        metavar="X",
        help="that it is no chance (0.95)",
    )
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--every", type=option_types.whole(1), metavar="SECONDS", help="do it again and again")
    again.add_argument("--watch", action="store_true", help="do it again whenever FILE has changed")


def run(given: argparse.Namespace) -> None:
    """Update once; or until Ctrl-C, and then one failure is told and is not the end."""
    from daskml_dist.cli.clusters import connected

    with connected(given.workers, given.scheduler, given.memory_limit):
        if given.every is None and not given.watch:
            print(_once(given), flush=True)
            return
        seen: object = None
        while True:
            began = time.monotonic()
            seen = _again(given, seen)
            rest = 1.0 if given.watch else given.every - (time.monotonic() - began)
            time.sleep(max(rest, 0.0))


def _again(given: argparse.Namespace, seen: object) -> object:
    """One round; what the files looked like before it."""
    from daskml_dist.files import files_of, fingerprint_of

    try:
        found = fingerprint_of(files_of(given.file, given.format)[1])
        if given.watch and found == seen:
            return seen
        print(f"{time.strftime('%F %T')}  {_once(given)}", flush=True)
        return found
    except (DaskmlDistError, OSError, ValueError) as error:
        if str(error) != seen:  # a file that stays away is told once
            print(f"{time.strftime('%F %T')}  error: {error}", file=sys.stderr, flush=True)
        return str(error)


def _once(given: argparse.Namespace) -> str:
    """One update, in words."""
    from daskml_dist.files import open_source
    from daskml_dist.registry import Registry
    from daskml_dist.update import update
    from daskml_dist.update.files import Roles, rows_of

    store = Registry(given.registry)
    spec = given.model if "@" in given.model else f"{given.model}@champion"
    version = store.version(spec)
    told = dict(version.lineage.get("encoding") or {})
    target = given.target or told.get("target")
    if target is None:
        raise InvalidData(f"{spec} does not say what its target was: give --target COLUMN")
    model = version.load()
    names, missing = [column.name for column in model.columns], tuple(given.na_values)
    source = open_source(
        given.file, names, kind=given.format, sep=given.sep, na_values=missing, blocksize=given.blocksize
    )
    roles = Roles(target, given.weight or told.get("weight"), given.exposure or told.get("exposure"))
    rows = rows_of(source, model, roles)
    outcome = update(
        spec,
        rows.X,
        rows.y,
        sample_weight=rows.weight,
        offset=rows.offset,
        registry=store,
        how=given.how,
        test_size=given.test_size,
        random_state=given.seed,
        confidence=given.confidence,
        min_gain=given.min_gain,
        lineage={"file": given.file, "encoding": told | asdict(roles)},
    )
    fate = "promoted" if outcome.promoted else "registered"
    return f"{outcome.version.spec} {fate}: {outcome.why}"
