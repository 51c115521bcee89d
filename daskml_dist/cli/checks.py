"""What a survey can reveal that makes a training impossible; every complaint names the column and a cure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from daskml_dist.cli.options import FitOptions
from daskml_dist.cli.survey import Column, Roles, Survey
from daskml_dist.errors import InvalidData
from daskml_dist.files import find, listed

NUMBERS = frozenset({"number", "bool", "empty"})


def roles_of(options: FitOptions, columns: tuple[str, ...], where: str) -> tuple[Roles, list[str]]:
    """Which column is what, and notes about columns that were left out.

    Raises
    ------
    InvalidData
        A name is not there, or no features are left.
    """
    for name, given in (
        ("--target", options.target),
        ("--weight", options.weight),
        ("--exposure", options.exposure),
    ):
        if given is not None:
            find(columns, given, name, where)
    dropped = {find(columns, name, "--drop", where) for name in options.drop}
    special = {options.target, options.weight, options.exposure}
    if dropped & special:
        raise InvalidData(
            f"--drop: {listed(sorted(dropped & special))} cannot be dropped, since another option needs it"
        )
    unnamed = [name for name in columns if name.startswith("Unnamed: ") and name not in special]
    dropped |= set(unnamed)
    features = tuple(name for name in columns if name not in special and name not in dropped)
    if not features:
        raise InvalidData(
            f"{where} has no columns beside {listed(sorted(n for n in special if n))} to learn from"
        )
    notes = (
        [f"left out: {listed(unnamed)} (a column without a name, probably row numbers)"] if unnamed else []
    )
    return Roles(options.target, features, options.weight, options.exposure), notes


def mixed(found: Survey) -> list[str]:
    """Columns that hold numbers in some pieces and text in others."""
    return [
        name
        for name, column in found.columns.items()
        if "text" in column.kinds and not column.kinds <= {"text", "empty"}
    ]


def check_rows(found: Survey, options: FitOptions) -> list[str]:
    """Notes about rows that are not used; refuses a source without rows, and a missing target."""
    total = found.rows
    without = found.columns[options.target].missing
    if total + without == 0:
        raise InvalidData(f"{options.file} has no rows")
    if without and options.missing == "refuse":
        raise InvalidData(
            f"--target: {options.target} is missing in {without:,} of {total + without:,} rows; "
            "--missing impute leaves these rows out"
        )
    if sum(found.training) == 0:
        raise InvalidData(
            f"{options.file} has no rows to train on; --test-size {options.test_size:g} leaves none"
        )
    return [f"left out: {without:,} rows without {options.target}"] if without else []


def check_features(found: Survey, roles: Roles, options: FitOptions) -> list[str]:
    """Refuse columns that cannot become features; notes about those that are imputed."""
    columns = {name: found.columns[name] for name in roles.features}
    _refuse(
        (name for name, column in columns.items() if column.kinds & {"date"}),
        "holds dates or times",
        "hold dates or times",
        "--drop {0}, or turn them into numbers first",
    )
    _refuse(
        (name for name, column in columns.items() if column.kinds & {"other"}),
        "holds neither numbers nor text",
        "hold neither numbers nor text",
        "--drop {0}",
    )
    _refuse(
        (f"{name}" for name, column in columns.items() if column.infinite),
        "holds infinity",
        "hold infinity",
        "--drop {0}, or mend the file",
    )
    gaps = {name: column for name, column in columns.items() if column.missing}
    if gaps and options.missing == "refuse":
        counts = listed(f"{name} ({column.missing:,})" for name, column in gaps.items())
        raise InvalidData(
            f"missing values in {counts} of {found.rows:,} rows; "
            "give --missing impute, or --drop these columns"
        )
    _refuse(
        (name for name, column in columns.items() if _empty(column)),
        "has no value in any training row",
        "have no value in any training row",
        "--drop {0}",
    )
    notes = _check_categories({n: c for n, c in columns.items() if not c.kinds <= NUMBERS}, options)
    imputed = listed((f"{name} ({column.missing:,})" for name, column in gaps.items()), most=50)
    return [*notes, *([f"imputed: {imputed}"] if gaps else [])]


def _check_categories(columns: dict[str, Column], options: FitOptions) -> list[str]:
    """Refuse text where it is to be refused, or has too many levels; notes about numbers that became text."""
    slips = {name: found for name, c in columns.items() if (found := c.slips)}
    for name, strays in slips.items():
        if columns[name].levels is None:
            raise InvalidData(
                f"column {name} holds numbers and the text {listed(map(repr, strays))}; "
                f"give --na-values {','.join(map(shlex.quote, strays))} to take that for missing, "
                f"or --drop {name}"
            )
    if options.categories == "refuse":
        _refuse(columns, "holds text", "hold text", "--categories onehot, or --drop {0}")
    _refuse(
        (name for name, column in columns.items() if column.levels is None),
        f"holds text with more than {options.max_levels:,} different values",
        f"hold text with more than {options.max_levels:,} different values",
        "--drop {0}, or raise --max-levels",
    )
    return [
        f"{name} is taken for text, since it holds {listed(map(repr, strays))} beside numbers (--na-values)"
        for name, strays in slips.items()
    ]


def check_special(found: Survey, roles: Roles) -> None:
    """Refuse weights below 0 and exposures that have no logarithm."""
    for option, name in (("--weight", roles.weight), ("--exposure", roles.exposure)):
        if name is None:
            continue
        column = found.columns[name]
        if not column.kinds <= NUMBERS:
            raise InvalidData(f"{option}: {name} does not hold numbers")
        if column.missing or column.infinite:
            count = column.missing + column.infinite
            raise InvalidData(f"{option}: {name} is missing or infinite in {count:,} rows")
        if column.negative:
            raise InvalidData(f"{option}: {name} is negative in {column.negative:,} rows")
        if option == "--exposure" and column.zero:
            raise InvalidData(
                f"{option}: {name} is zero in {column.zero:,} rows, and its logarithm is needed"
            )


def _empty(column: Column) -> bool:
    """Whether the training rows have no value."""
    if column.kinds <= NUMBERS:
        return column.count == 0
    return column.levels is not None and not column.levels


def _refuse(names: Iterable[str], one: str, many: str, cure: str) -> None:
    """Complain about all of them at once."""
    bad = list(names)
    if bad:
        quoted = listed(bad)
        verb = one if len(bad) == 1 else many
        raise InvalidData(f"column{'s' * (len(bad) > 1)} {quoted} {verb}; {cure.format(','.join(bad))}")
