"""The commands about deployments: serve, status, roll, canary, rollback, scale, stop, tokens."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

from daskml_dist.cli import option_types
from daskml_dist.errors import DaskmlDistError

_NEEDED = ("uvicorn", "uvloop", "httptools", "starlette", "orjson", "prometheus_client")
_OF_A_MODEL = ("predict", "explain", "feedback")
SERVE = """Serve a version of a model over HTTP (Open Inference Protocol v2).

Runs until Ctrl-C, which answers what is under way and stops the replicas. A promoted alias is picked up
within a second, replica by replica."""


class ExtraMissing(DaskmlDistError, ImportError):
    """A command needs packages that are not installed."""


def add_parsers(commands: Any) -> None:
    """Add the commands to a parser."""
    serve = commands.add_parser(
        "serve",
        help="serve a model with many processes",
        description=SERVE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if not _missing():
        from daskml_dist.serve.options import add_arguments  # with the extra alone

        add_arguments(serve)
    else:
        serve.add_argument("spec", nargs="*")
    for name, text in (
        ("status", "say who serves what, how fast, and what went wrong"),
        ("roll", "replace what is served, one replica at a time"),
        ("canary", "give a version a share of the requests"),
        ("rollback", "serve what was served before"),
        ("scale", "serve with another number of replicas"),
        ("stop", "end a deployment"),
        ("tokens", "make, list and revoke tokens"),
    ):
        parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        parser.add_argument("name", metavar="NAME", help="of the model")
        parser.add_argument("--folder", type=Path, metavar="DIR", help="($DASKML_DIST_SERVE/NAME)")
        _add_own(name, parser)


def _add_own(name: str, parser: argparse.ArgumentParser) -> None:
    if name == "status":
        parser.add_argument("--json", action="store_true", help="all of it")
    if name in ("roll", "canary"):
        parser.add_argument("version", metavar="VERSION", help="such as 4, NAME@challenger, or a directory")
    if name == "canary":
        parser.add_argument(
            "percent",
            type=option_types.percent,
            metavar="PERCENT",
            help="0 takes it back, 100 completes it",
        )
    if name == "scale":
        parser.add_argument("replicas", type=int, metavar="N")
    if name == "tokens":
        parser.add_argument("action", choices=("create", "list", "revoke"))
        parser.add_argument("id", nargs="?", metavar="ID", help="of the token to revoke")
        parser.add_argument(
            "--scope",
            action="append",
            default=[],
            metavar="SCOPE",
            help="predict, explain or feedback, of this model; predict:OTHER, metrics, deploy... (predict)",
        )
        parser.add_argument("--days", type=option_types.days, metavar="N", help="until it expires (never)")
        parser.add_argument("--note", default="", metavar="TEXT", help="whose it is")


def run(given: argparse.Namespace, argv: list[str]) -> int:
    """Run one of the commands; the exit code.

    Raises
    ------
    ExtraMissing
        The packages of the extra ``serve`` are not installed.
    DaskmlDistError
        There is no such deployment, or it refuses.
    """
    if absent := _missing():
        raise ExtraMissing(
            f'{given.command} needs {", ".join(absent)}; install them with: pip install "daskml_dist[serve]"'
        )
    if given.command == "serve":
        # a process of its own, without what this one has imported
        command = [sys.executable, "-m", "daskml_dist.serve.gateway", *argv[argv.index("serve") + 1 :]]
        os.execv(sys.executable, command)
    if given.command == "tokens":
        _tokens(given)
    else:
        _ask(given)
    return 0


def _ask(given: argparse.Namespace) -> None:
    from daskml_dist.serve.access import Access

    access, name = Access.of(given.name, given.folder), given.name
    if given.command == "status":
        told = access.ask("GET", "/status")
        print(json.dumps(told, indent=1) if given.json else _words(told))
    elif given.command == "roll":
        said = access.ask("POST", "/roll", {"version": _spec(name, given.version)})
        print(f"{name}: version {said['version']} is served")
    elif given.command == "canary":
        body = {"version": _spec(name, given.version), "percent": given.percent}
        said = access.ask("POST", "/canary", body)
        print(f"{name}: version {said['version']} has {given.percent:g} % of the requests")
    elif given.command == "rollback":
        print(f"{name}: version {access.ask('POST', '/rollback')['version']} is served")
    elif given.command == "scale":
        print(f"{name}: {access.ask('POST', '/scale', {'replicas': given.replicas})['replicas']} replicas")
    else:
        access.ask("POST", "/stop")
        print(f"{name}: stopping")


def _tokens(given: argparse.Namespace) -> None:
    from daskml_dist.security import Tokens
    from daskml_dist.serve.options import home

    tokens = Tokens((given.folder or home() / given.name) / "tokens.json")
    if given.action == "create":
        seconds = None if given.days is None else 86400 * given.days
        scopes = [f"{s}:{given.name}" if s in _OF_A_MODEL else s for s in given.scope or ["predict"]]
        try:
            identity, secret = tokens.create(scopes, expires=seconds, note=given.note)
        except ValueError as error:  # of a scope; it says which there are
            raise DaskmlDistError(str(error)) from None
        print(f"{identity}  {secret}  (shown once)")
    elif given.action == "revoke":
        if given.id is None:
            raise DaskmlDistError("give the id of the token to revoke; tokens NAME list shows them")
        try:
            tokens.revoke(given.id)
        except KeyError as error:
            raise DaskmlDistError(str(error.args[0])) from None
        print(f"{given.id}  revoked")
    else:
        for token in tokens.list():
            state = "revoked" if token.revoked is not None else "good"
            print(f"{token.id}  {state:8}{' '.join(sorted(token.scopes))}  {token.note}")


def _spec(name: str, version: str) -> str:
    """What a version is called in full."""
    return f"{name}/{version}" if version.isdigit() else version


def _words(told: dict[str, Any]) -> str:
    """The state as a person reads it."""
    lines = [f"{told['name']}: {told['state']}, version {told['current']} at {told['url']}"]
    if told["rolling"] is not None:
        lines.append(f"  {told['rolling']['what']} to version {told['rolling']['version']} is under way")
    for version, facts in told["versions"].items():
        share = "" if facts["weight"] is None else f", {100 * facts['weight']:g} % of the requests"
        failed = "" if facts["failed"] is None else f", failed: {facts['failed']}"
        lines.append(f"  version {version}: {facts['ready']} of {facts['wanted']} ready{share}{failed}")
    for replica in told["replicas"]:
        why = f"  {replica['why']}" if replica["why"] else ""
        lines.append(
            f"  {replica['id']:16}{replica['state']:10}{replica['address'] or '-':22}{replica['agent']:12}"
            f"{replica['restarts']} restarts{why}"
        )
    requests, seconds = told["requests"], told["seconds"]
    p99 = "-" if seconds["p99"] is None else f"{1e3 * seconds['p99']:g} ms"
    lines.append(
        f"  {requests['total']:,} requests, {requests['errors']:,} errors, {requests['retries']:,} retries, "
        f"{requests['per_second']:g} a second, 99 % within {p99}"
    )
    lines += [f"  drift: {d['column']} (PSI {d['psi']:.3f})" for d in told["drift"] if d["drifted"]]
    return "\n".join(lines)


def _missing() -> list[str]:
    return [name for name in _NEEDED if importlib.util.find_spec(name) is None]
