"""The command `top`: a deployment, live, in the terminal or on a page."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from daskml_dist.dashboard.looks import Ask

_HOME = "\x1b[H\x1b[J"
_ANSWER = 2.0  # seconds within which the gateway tells its state


def add_parser(commands: Any) -> None:
    """Add the command to a parser."""
    text = "watch a deployment: requests, times, drift, versions, replicas"
    top = commands.add_parser("top", help=text, description=f"{text.capitalize()}. Ends with Ctrl-C.")
    top.add_argument("name", metavar="NAME", help="of the model")
    top.add_argument("--folder", type=Path, metavar="DIR", help="($DASKML_DIST_SERVE/NAME)")
    top.add_argument("--every", type=_seconds, default=1.0, metavar="SECONDS", help="between two looks (1)")
    top.add_argument("--once", action="store_true", help="one look, and end")
    top.add_argument("--page", action="store_true", help="serve a page for the browser here instead")


def run(given: argparse.Namespace) -> None:
    """Run the command.

    Raises
    ------
    DaskmlDistError
        Nothing of that name is served here.
    """
    from daskml_dist.serve.access import Access

    access = Access.of(given.name, given.folder)
    ask = partial(access.ask, "GET", "/status", timeout=_ANSWER)
    if given.page:
        _page(ask)
    else:
        watch(ask, sys.stdout, every=given.every, times=1 if given.once else None)


def watch(
    ask: Ask,
    out: TextIO,
    *,
    every: float,
    times: int | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Look and show, again and again; the screen is cleared where there is one.

    Parameters
    ----------
    ask : gives the state.
    out : where it is shown.
    every : seconds between two looks.
    times : how often; None for no end. A look that is not shown comes first: rates are between two.
    sleep : waits.
    """
    from daskml_dist.dashboard.looks import Looks
    from daskml_dist.dashboard.screen import screen

    looks, clear = Looks(), _HOME if out.isatty() else ""
    looks.look(ask)
    while times is None or looks.count <= times:
        sleep(every)
        looks.look(ask)
        width = shutil.get_terminal_size().columns if out.isatty() else 120
        print(f"{clear}{screen(looks.all, width)}", file=out, flush=True)


def _page(ask: Callable[[], Mapping[str, Any]]) -> None:
    from daskml_dist.dashboard import serve_deployment

    with serve_deployment(ask) as page:
        print(f"{page.address}   (Ctrl-C ends the page, not the deployment)", flush=True)
        while True:
            time.sleep(3600.0)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0.1 <= seconds <= 3600:
        raise argparse.ArgumentTypeError("give 0.1 to 3600 seconds")
    return seconds
