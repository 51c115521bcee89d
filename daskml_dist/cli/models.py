"""The command ``daskml-dist models``: what is registered, and which version an alias means."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from daskml_dist.cli import option_types
from daskml_dist.cli.report import Report, one_line
from daskml_dist.edge import InvalidModel
from daskml_dist.registry import Registry, Version, parse
from daskml_dist.registry.names import BadName, NotRegistered

HELP = """What is registered, and which version an alias means.

SPEC is claims/3, claims@champion, or claims (the newest version)."""
EXAMPLES = """examples:
  daskml-dist models list
  daskml-dist models show claims@champion
  daskml-dist models compare claims/2 claims/3
  daskml-dist models promote claims/3 --why "better on the held-out rows"
  daskml-dist models rollback claims"""


def add_parsers(commands: Any) -> None:
    """Add the command to a parser."""
    models = commands.add_parser(
        "models",
        help="list, show, compare, promote and roll back registered models",
        description=HELP,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = models.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb, text in (
        ("list", "all models, their versions and aliases"),
        ("show", "the card of a version, and the history of its model's aliases"),
        ("promote", "let an alias mean a version from now on"),
        ("rollback", "let an alias mean what it meant before"),
        ("compare", "two versions side by side"),
    ):
        parser = verbs.add_parser(verb, help=text, description=text[0].upper() + text[1:] + ".")
        if verb in ("show", "promote"):
            parser.add_argument("spec", metavar="SPEC", help="such as claims/3")
        if verb == "rollback":
            parser.add_argument("name", metavar="NAME", help="such as claims")
        if verb == "compare":
            parser.add_argument("first", metavar="SPEC", help="such as claims/2")
            parser.add_argument("second", metavar="SPEC", help="such as claims/3")
        if verb in ("promote", "rollback"):
            parser.add_argument("--alias", default="champion", metavar="ALIAS", help="(champion)")
            parser.add_argument("--why", default="", metavar="TEXT", help="for the history")
        option_types.add_registry(parser)


def run(given: argparse.Namespace) -> int:
    """Do what was asked for; 0, or 1 where something in the list is damaged.

    Raises
    ------
    NotRegistered, InvalidModel
        There is no such version or alias, or it is damaged.
    """
    store, report = Registry(given.registry), Report()
    if given.verb == "list":
        return _list(store, report)
    if given.verb == "show":
        _show(store, report, given.spec)
    elif given.verb == "compare":
        report.line(str(store.compare(given.first, given.second)))
    elif given.verb == "promote":
        version = store.version(given.spec)
        event = store.promote(version.name, version.number, alias=given.alias, why=given.why)
        report.line(f"{event.model}@{event.alias} is {event.model}/{event.version}")
    else:
        if parse(given.name)[1:] != (None, None):
            raise BadName(f"rollback {given.name}: expected the name of a model, and its alias as --alias.")
        event = store.rollback(given.name, given.alias, why=given.why)
        report.line(f"{event.model}@{event.alias} is {event.model}/{event.version} again")
    return 0


def _list(store: Registry, report: Report) -> int:
    """A line for each model, and after them what is damaged."""
    names, damaged = store.models(), list[str]()
    if not names:
        report.line(
            f"no models in {store.url}; daskml-dist fit FILE --target COLUMN --register NAME adds one"
        )
        return 0
    rows: list[tuple[str, ...]] = [("model", "versions", "registered", "aliases", "metrics of the newest")]
    rows += [_row(store, name, damaged) for name in names]
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    for row in rows:
        report.line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for what in damaged:
        print(f"daskml-dist: damaged: {one_line(what)}", file=sys.stderr, flush=True)
    return 1 if damaged else 0


def _row(store: Registry, name: str, damaged: list[str]) -> tuple[str, ...]:
    """What is listed of a model; what of it cannot be read is added to ``damaged``."""
    versions: list[Version] = []
    numbers = store.numbers(name)
    for number in numbers:
        with _noting(f"{name}/{number}", damaged):
            versions.append(store.version(f"{name}/{number}"))
    aliases = "?"
    with _noting(f"the aliases of {name}", damaged):
        aliases = ", ".join(f"{alias} {number}" for alias, number in store.aliases(name).items()) or "-"
    if not versions:
        return name, str(len(numbers)), "?", aliases, "?"
    newest = versions[-1]
    told = {key: value for key, value in newest.metrics.items() if isinstance(value, float)}
    metrics = ", ".join(f"{key} {value:.4g}" for key, value in list(told.items())[:3])
    when = str(newest.lineage.get("registered_at", "-"))[:16].replace("T", " ")
    return name, str(len(numbers)), when, aliases, metrics or "-"


@contextmanager
def _noting(what: str, damaged: list[str]) -> Iterator[None]:
    """Write down what cannot be read, and go on."""
    try:
        yield
    except (InvalidModel, NotRegistered, OSError) as error:
        damaged.append(f"{what}: {error}")


def _show(store: Registry, report: Report, spec: str) -> None:
    version = store.version(spec)
    report.line(store.card(version.spec))
    report.line("## Aliases\n")
    for alias, number in store.aliases(version.name).items():
        report.line(f"{alias} is version {number}")
        for event in store.history(version.name, alias):
            why = f": {event.why}" if event.why else ""
            report.line(f"  {event.at}  {event.action} to {event.version} by {event.by}{why}")
