"""The command ``daskml-dist``: dispatch, and errors as one line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from daskml_dist.cli import arguments, models, scoring, serving, updating, watching
from daskml_dist.cli.report import Report, one_line
from daskml_dist.edge import InvalidModel
from daskml_dist.errors import DaskmlDistError

OK, BAD, INTERRUPTED = 0, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit code.

    Parameters
    ----------
    argv : the arguments without the name of the program; None for those of this process.

    Returns
    -------
    0 on success, 1 where the demo found something wrong or a model in the list is damaged, 2 for bad usage
    or data, 130 after Ctrl-C.
    """
    parser = arguments.parser()
    try:
        given = parser.parse_args(argv)
        return _run(given, parser, sys.argv[1:] if argv is None else list(argv))
    except SystemExit as stop:  # argparse leaves this way
        return int(stop.code or 0)
    except BrokenPipeError:  # the reader of a pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except (DaskmlDistError, InvalidModel, OSError) as error:
        print(f"daskml-dist: error: {one_line(str(error))}", file=sys.stderr, flush=True)
        return BAD
    except KeyboardInterrupt:
        print("daskml-dist: interrupted", file=sys.stderr, flush=True)
        return INTERRUPTED


def _run(given: argparse.Namespace, parser: arguments.Parser, argv: list[str]) -> int:
    """Each command imports what it needs: the status of servers needs no Dask, which takes seconds."""
    name = given.command
    if name == "fit":
        return _fit(given, parser)
    if name == "demo":
        from daskml_dist.cli.demo import demo

        return OK if demo(given.rows, given.workers) else 1
    if name == "show":
        from daskml_dist.cli.show import show

        show(given.dir)
    elif name == "models":
        return models.run(given)
    elif name == "top":
        watching.run(given)
    elif name == "score":
        scoring.run(given)
    elif name == "update":
        updating.run(given)
    else:
        return serving.run(given, argv)
    return OK


def _fit(given: argparse.Namespace, parser: arguments.Parser) -> int:
    from daskml_dist.cli.training import train

    options = arguments.fit_options(given)
    wrong = arguments.contradiction(options)
    if wrong is not None:
        parser.error(wrong)
    train(options, Report(options.quiet))
    return OK
