"""The command line: every option, its help, and what can be refused without reading anything."""

from __future__ import annotations

import argparse
from typing import Any, Never, final

from daskml_dist import __version__
from daskml_dist.cli import models, option_types, scoring, serving, updating, watching
from daskml_dist.cli.options import FitOptions

DESCRIPTION = "Machine learning on partitioned data: the certified optimum of a linear model in a few passes."
FIT = """Train a linear model from a file that may be larger than memory.

FILE is a CSV file (also .gz), a Parquet file or directory, a Zarr store or a
NetCDF file, on this machine or at any URL that fsspec knows; quote a pattern
such as "data/*.csv" for many. In Zarr and NetCDF each data variable on the dims
of the target is a column, and each cell a row; coordinates are labels and no
features. In parentheses: the defaults."""
FIT_EXAMPLES = """examples:
  daskml-dist fit adult.csv --target income
  daskml-dist fit claims.parquet --target ClaimNb --model poisson --exposure Exposure --workers 2
  daskml-dist fit "data/*.csv.gz" --target delay --missing impute --out model"""


@final
class Parser(argparse.ArgumentParser):
    """Complains in one line."""

    def error(self, message: str) -> Never:
        self.exit(2, f"daskml-dist: error: {message} (see {self.prog} --help)\n")


def parser() -> Parser:
    """The parser of all commands."""
    top = Parser(prog="daskml-dist", description=DESCRIPTION)
    top.add_argument("--version", action="version", version=f"daskml-dist {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_fit(commands)
    show = commands.add_parser(
        "show", help="say what a saved model is", description="Say what a saved model is."
    )
    show.add_argument("dir", metavar="DIR", help="directory or URL of the model")
    models.add_parsers(commands)
    scoring.add_parsers(commands)
    updating.add_parsers(commands)
    serving.add_parsers(commands)
    watching.add_parser(commands)
    demo = commands.add_parser(
        "demo",
        help="real data, then a generated million rows on two workers",
        description="Train on data sets that come with scikit-learn, beside scikit-learn; then on generated "
        "rows on a local cluster, once more with a worker killed on the way. Needs no network and leaves "
        "nothing behind.",
    )
    demo.add_argument(
        "--rows",
        type=option_types.whole(1000),
        default=1_000_000,
        metavar="N",
        help="generated rows (1000000)",
    )
    demo.add_argument(
        "--workers", type=option_types.whole(2), default=2, metavar="N", help="of the local cluster (2)"
    )
    return top


def _add_fit(commands: Any) -> None:
    fit = commands.add_parser(
        "fit",
        usage="daskml-dist fit FILE --target COLUMN [options]",
        help="train a model from a file",
        description=FIT,
        epilog=FIT_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    fit.add_argument("file", metavar="FILE", help="a path, pattern or URL")
    fit.add_argument("--target", required=True, metavar="COLUMN", help="what is to be predicted")
    _add_columns(fit.add_argument_group("columns"))
    _add_model(fit.add_argument_group("model"))
    machine = fit.add_argument_group("machine")
    option_types.add_machine(machine)
    machine.add_argument(
        "--checkpoint", metavar="DIR", help="keep the state after each pass; the same command goes on from it"
    )
    _add_output(fit.add_argument_group("output"))


def _add_columns(group: Any) -> None:
    names = option_types.names
    group.add_argument("--weight", metavar="COLUMN", help="weight of each row")
    group.add_argument(
        "--exposure", metavar="COLUMN", help="exposure of each row (poisson): its logarithm is added"
    )
    group.add_argument(
        "--drop", type=names, action="extend", default=[], metavar="A,B", help="columns that are no features"
    )
    group.add_argument(
        "--categories",
        choices=("refuse", "onehot"),
        default="onehot",
        help="text becomes one feature for each level of the training rows; other levels become "
        "zeros (onehot)",
    )
    group.add_argument(
        "--max-levels",
        type=option_types.whole(1),
        default=500,
        metavar="N",
        help="refuse text with more levels (500)",
    )
    group.add_argument(
        "--missing",
        choices=("refuse", "impute"),
        default="refuse",
        help="impute: numbers by the mean of the training rows, text by a level of its own; rows without a "
        "target are left out (refuse)",
    )
    option_types.add_reading(group)


def _add_model(group: Any) -> None:
    group.add_argument(
        "--model",
        choices=("logistic", "linear", "ridge", "poisson"),
        help="(logistic if the target is text or has two values, else ridge)",
    )
    group.add_argument("--C", type=float, metavar="X", help="inverse strength of the penalty, logistic (1)")
    group.add_argument(
        "--alpha", type=float, metavar="X", help="strength of the penalty, ridge and poisson (1)"
    )
    group.add_argument("--tol", type=float, metavar="X", help="relative gap to the optimum to reach (1e-6)")
    group.add_argument(
        "--max-iter", type=option_types.whole(1), metavar="N", help="passes over the data at most (100)"
    )
    group.add_argument("--certify", action="store_true", help="prove the gap, even where that costs more")
    group.add_argument(
        "--test-size",
        type=option_types.share(zero=True),
        default=0.2,
        metavar="X",
        help="share of rows that is held out, 0 for none (0.2)",
    )
    group.add_argument(
        "--seed",
        type=option_types.whole(0),
        default=0,
        metavar="N",
        help="of the held-out rows and samples (0)",
    )


def _add_output(group: Any) -> None:
    group.add_argument("--out", metavar="DIR", help="save the model and its encoding")
    group.add_argument("--overwrite", action="store_true", help="replace the model that is in DIR")
    group.add_argument("--register", metavar="NAME", help="register the model as a new version of NAME")
    group.add_argument("--alias", metavar="ALIAS", help="which means the new version, such as champion")
    option_types.add_registry(group)
    group.add_argument(
        "--personal",
        type=option_types.names,
        action="extend",
        default=[],
        metavar="A,B",
        help="columns about a person, whose values are never logged where the model is served",
    )
    group.add_argument("--quiet", action="store_true", help="print nothing but errors")


def fit_options(arguments: argparse.Namespace) -> FitOptions:
    """The options of ``fit`` as a record; refuses those that contradict each other."""
    given = {name: value for name, value in vars(arguments).items() if name != "command"}
    lists = {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
    return FitOptions(**given | lists)


def contradiction(options: FitOptions) -> str | None:
    """What is wrong with the options taken together."""
    if options.memory_limit is not None and options.workers is None:
        return "--memory-limit is of local workers; give --workers too"
    if options.overwrite and options.out is None:
        return "--overwrite needs --out"
    needing = {"--alias": options.alias, "--registry": options.registry, "--personal": options.personal}
    for name, given in needing.items():
        if given and options.register is None:
            return f"{name} needs --register"
    return None
