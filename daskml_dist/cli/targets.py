"""Which model a target asks for, and why some targets are none; every complaint says what to do instead."""

from __future__ import annotations

import shlex

from daskml_dist.cli.options import FitOptions
from daskml_dist.cli.survey import MOST_CLASSES, Column, Survey, Target
from daskml_dist.errors import InvalidData
from daskml_dist.files import listed

FEW = 20
"""Whole numbers that may be names of classes rather than quantities."""


def choose_model(found: Survey, options: FitOptions) -> tuple[str, str, list[str]]:
    """The model, why, and notes about the target; refuses a target that the model cannot have."""
    name, column, target = options.target, found.columns[options.target], found.target
    if column.infinite:
        raise InvalidData(f"--target: {name} is infinite in {column.infinite:,} rows")
    if column.kinds & {"date", "other"}:
        raise InvalidData(f"--target: {name} holds neither numbers nor text")
    model, why = (options.model, "as asked for") if options.model else _by_itself(name, column, target)
    if model == "logistic":
        _refuse_no_classes(name, column, target, sum(found.training))
    elif "text" in column.kinds:
        _refuse_slips(name, column)
        text = next(iter(sorted(target.values or [])), "")
        raise InvalidData(f"--target: {name} holds text such as {text!r}, and --model {model} needs numbers")
    if model == "poisson" and column.negative:
        raise InvalidData(
            f"--target: {name} is negative in {column.negative:,} rows, and --model poisson needs counts"
        )
    if options.exposure is not None and model != "poisson":
        raise InvalidData(f"--exposure is for --model poisson, and this is {model} ({why})")
    return model, why, _notes(name, column, target) if model == "logistic" else []


def _by_itself(name: str, column: Column, target: Target) -> tuple[str, str]:
    """Logistic for text, truth values and two whole numbers; ridge for other numbers."""
    classes = target.values or {}
    named = bool(column.kinds & {"text", "bool"}) and "number" not in column.kinds - {"text"}
    if named or (len(classes) == 2 and target.integral):
        return "logistic", f"since {name} {_values(target)}"
    why = f"since {name} holds numbers"
    if target.integral and 2 < len(classes) <= FEW:
        why += f"; --model logistic takes its {len(classes)} values for classes"
    return "ridge", why


def _refuse_no_classes(name: str, column: Column, target: Target, rows: int) -> None:
    """Refuse too few classes, and so many that they are none."""
    values, text = target.values, "text" in column.kinds
    if values is not None and len(values) < 2:
        raise InvalidData(
            f"--target: {name} {_values(target)} in the training rows, and logistic needs two or more; "
            "give another --target, or rows of other classes"
        )
    if not text and values and len(values) > 2 and not target.integral:
        raise InvalidData(
            f"--target: {name} holds numbers with fractions, which are quantities and no classes; give "
            "--model ridge or --model linear"
        )
    few_rows = values is not None and len(values) > max(FEW, rows // 2)
    if values is not None and not few_rows:
        return
    _refuse_slips(name, column)
    many = f"more than {MOST_CLASSES:,}" if values is None else f"{len(values):,}"
    where = f"different values in {rows:,} training rows"
    if text:
        raise InvalidData(
            f"--target: {name} has {many} {where}, too many to be classes; if it names or numbers the rows, "
            "give another --target, or else join values to fewer classes"
        )
    raise InvalidData(
        f"--target: {name} has {many} {where}, too many to be classes; if they are quantities, give --model "
        "ridge, linear or poisson"
    )


def _refuse_slips(name: str, column: Column) -> None:
    """Complain about numbers among which a few texts are."""
    if column.slips:
        slips, given = listed(map(repr, column.slips)), ",".join(map(shlex.quote, column.slips))
        raise InvalidData(
            f"--target: {name} holds numbers and the text {slips}; give --na-values {given} to take that for "
            "missing"
        )


def _notes(name: str, column: Column, target: Target) -> list[str]:
    """What may not be what was meant."""
    if column.slips:
        slips = listed(map(repr, column.slips))
        return [f"{name} is taken for text, since it holds {slips} beside numbers (--na-values)"]
    if "text" not in column.kinds and len(target.values or {}) > FEW:
        return [f"each number of {name} is a class by itself; if they are quantities, give --model ridge"]
    return []


def _values(target: Target) -> str:
    """How many values there are, and the first of them."""
    values = sorted(target.values or [])
    if target.values is None:
        return f"has more than {MOST_CLASSES:,} values"
    if len(values) == 2:
        return f"has two values, {_said(values[0])} and {_said(values[1])}"
    if len(values) == 1:
        return f"has the one value {_said(values[0])}"
    return f"has {len(values):,} values{', ' * bool(values)}{listed(map(_said, values))}"


def _said(value: object) -> str:
    """A value of the target as it stands in the file."""
    return f"{value:g}" if isinstance(value, float) else str(value)
