"""Options that several commands have, and the types of their values."""

from __future__ import annotations

import argparse
import math
from typing import Any

_MOST_DAYS = 36_525
"""A century: whoever wants more wants a token that never expires."""


def add_machine(group: Any) -> None:
    """Where to work, and in which pieces."""
    where = group.add_mutually_exclusive_group()
    where.add_argument(
        "--workers", type=whole(1), metavar="N", help="start a local cluster of N processes (threads)"
    )
    where.add_argument(
        "--scheduler", metavar="ADDRESS", help="use a running cluster, such as tcp://10.0.0.1:8786"
    )
    group.add_argument(
        "--memory-limit", type=memory, metavar="SIZE", help="of each local worker, such as 2GiB"
    )
    group.add_argument(
        "--blocksize",
        type=blocksize,
        default=16 << 20,
        metavar="SIZE",
        help="bytes of a piece that is read at once, 0 for whole files (16MiB)",
    )


def add_reading(parser: Any) -> None:
    """How a file is read."""
    parser.add_argument(
        "--na-values",
        type=names,
        default=[],
        metavar="A,B",
        help="further texts that mean missing in CSV, such as '?'",
    )
    parser.add_argument("--sep", metavar="C", help="separator of CSV (a comma; a tab for .tsv)")
    parser.add_argument(
        "--format", choices=("csv", "parquet", "zarr", "netcdf"), help="of the file (by its name)"
    )


def add_registry(parser: Any) -> None:
    """Where registered models are."""
    parser.add_argument(
        "--registry", metavar="URL", help="($DASKML_DIST_REGISTRY, or ~/.local/share/daskml_dist/registry)"
    )


def names(text: str) -> list[str]:
    """Names that are separated by commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def whole(least: int) -> Any:
    """The type of whole numbers from ``least`` up."""

    def number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {least} up")
        return value

    return number


def share(*, zero: bool) -> Any:
    """The type of numbers between 0 and 1; of 0 itself too, if wanted."""

    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not (0.0 < value < 1.0 or (zero and value == 0.0)):
            expected = "from 0 to below 1" if zero else "between 0 and 1"
            raise argparse.ArgumentTypeError(f"{text!r} is no share {expected}")
        return value

    return number


def percent(text: str) -> float:
    """A number from 0 to 100."""
    value = _number(text)
    if not 0.0 <= value <= 100.0:
        raise argparse.ArgumentTypeError(f"{text!r}: the percent must be a number from 0 to 100")
    return value


def days(text: str) -> float:
    """A length of time that is above 0 and ends."""
    value = _number(text)
    if not 0.0 < value <= _MOST_DAYS:
        raise argparse.ArgumentTypeError(
            f"{text!r}: the days must be a number above 0, at most {_MOST_DAYS:,}"
        )
    return value


def _number(text: str) -> float:
    """The number, or one that is in no range."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def memory(text: str) -> str:
    """A size such as 2GiB, as it was given."""
    from dask.utils import parse_bytes  # commands without sizes need no Dask

    try:
        parse_bytes(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no size such as 2GiB") from error
    return text


def blocksize(text: str) -> int | None:
    """A size in bytes; None for 0."""
    from dask.utils import parse_bytes

    size = int(parse_bytes(memory(text)))
    return None if size <= 0 else size
