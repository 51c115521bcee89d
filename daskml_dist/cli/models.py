"""The command ``daskml-dist models``: what is registered, and which version an alias means."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from daskml_dist.cli import option_types
from daskml_dist.cli.report import Report
from daskml_dist.registry import Registry, parse
from daskml_dist.registry.names import BadName

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
    """Do what was asked for; 0.

    Raises
    ------
    NotRegistered, InvalidModel
        There is no such version or alias, or it is damaged.
    """
    store, report = Registry(given.registry), Report()
    if given.verb == "list":
        _list(store, report)
    elif given.verb == "show":
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


def _list(store: Registry, report: Report) -> None:
    names = store.models()
    if not names:
        report.line(
            f"no models in {store.url}; daskml-dist fit FILE --target COLUMN --register NAME adds one"
        )
        return
    rows = [("model", "versions", "registered", "aliases", "metrics of the newest")]
    for name in names:
        versions = store.versions(name)
        newest = versions[-1]
        aliases = ", ".join(f"{alias} {number}" for alias, number in store.aliases(name).items())
        numbers = {key: value for key, value in newest.metrics.items() if isinstance(value, float)}
        metrics = ", ".join(f"{key} {value:.4g}" for key, value in list(numbers.items())[:3])
        when = str(newest.lineage["registered_at"])[:16].replace("T", " ")
        rows.append((name, str(len(versions)), when, aliases or "-", metrics or "-"))
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    for row in rows:
        report.line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _show(store: Registry, report: Report, spec: str) -> None:
    version = store.version(spec)
    report.line(Path(store.local(version.spec), "card.md").read_text(encoding="utf-8"))
    report.line("## Aliases\n")
    for alias, number in store.aliases(version.name).items():
        report.line(f"{alias} is version {number}")
        for event in store.history(version.name, alias):
            why = f": {event.why}" if event.why else ""
            report.line(f"  {event.at}  {event.action} to {event.version} by {event.by}{why}")
