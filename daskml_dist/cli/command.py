"""The command ``daskml-dist``: dispatch, and errors as one line."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from daskml_dist.cli import arguments, models, scoring, serving, watching
from daskml_dist.cli.demo import demo
from daskml_dist.cli.report import Report, one_line
from daskml_dist.cli.show import show
from daskml_dist.cli.training import train
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
    0 on success, 1 where the demo found something wrong, 2 for bad usage or data, 130 after Ctrl-C.
    """
    parser = arguments.parser()
    try:
        given = parser.parse_args(argv)
        if given.command == "show":
            show(given.dir)
            return OK
        if given.command in models.COMMANDS:
            return models.run(given)
        if given.command in scoring.COMMANDS:
            return scoring.run(given)
        if given.command in serving.COMMANDS:
            return serving.run(given, sys.argv[1:] if argv is None else list(argv))
        if given.command == "top":
            watching.run(given)
            return OK
        if given.command == "demo":
            return OK if demo(given.rows, given.workers) else 1
        options = arguments.fit_options(given)
        wrong = arguments.contradiction(options)
        if wrong is not None:
            parser.error(wrong)
        train(options, Report(options.quiet))
        return OK
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
