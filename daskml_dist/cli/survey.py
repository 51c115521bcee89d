"""One pass over a source: what each column holds, and what the encoding learns from the training rows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, final

import dask
import numpy as np
import pandas as pd

from daskml_dist.cli.clusters import compute
from daskml_dist.cli.heldout import HeldOut
from daskml_dist.files import Kind, Piece, Source, as_numbers, as_text, kind_of, missing
from daskml_dist.types import AnyArray

MOST_CLASSES = 1000
"""Distinct values of the target that are told apart; no classifier takes more."""
STRAYS = 3
"""Different texts in a column of numbers that pass for slips rather than for levels."""


@final
@dataclass(frozen=True)
class Roles:
    """Which column is what; ``features`` in the order of the file."""

    target: str
    features: tuple[str, ...]
    weight: str | None = None
    exposure: str | None = None

    @property
    def all(self) -> tuple[str, ...]:
        """Every column that is read, once."""
        special = [name for name in (self.target, self.weight, self.exposure) if name is not None]
        return (*dict.fromkeys(special), *self.features)


@final
@dataclass
class Column:
    """What is known of one column; sums and levels are of the training rows, the rest of all rows.

    Attributes
    ----------
    kinds : that were met.
    missing, infinite, negative, zero : numbers of values.
    total, count : sum and number of the values that are there.
    levels : how often each text is there; None where there are more than ``most``.
    numerals : how many different texts are numbers (the sum over the pieces).
    strays : texts that are none; None where there are more than a few.
    """

    kinds: set[Kind] = field(default_factory=set)
    missing: int = 0
    infinite: int = 0
    negative: int = 0
    zero: int = 0
    total: float = 0.0
    count: int = 0
    levels: Counter[str] | None = field(default_factory=Counter)
    numerals: int = 0
    strays: set[str] | None = field(default_factory=set)

    @property
    def slips(self) -> list[str]:
        """The few texts in a column of numbers that are none."""
        return sorted(self.strays) if self.strays and self.numerals > len(self.strays) else []

    def add(self, other: Column, most: int) -> None:
        """Take in what another part of the column holds."""
        self.kinds |= other.kinds
        self.missing += other.missing
        self.infinite += other.infinite
        self.negative += other.negative
        self.zero += other.zero
        self.total += other.total
        self.count += other.count
        if self.levels is None or other.levels is None:
            self.levels = None
        else:
            self.levels = _capped(self.levels + other.levels, most)
        self.numerals += other.numerals
        both = None if self.strays is None or other.strays is None else self.strays | other.strays
        self.strays = None if both is None or len(both) > STRAYS else both


@final
@dataclass
class Target:
    """The distinct values of the target in training rows with their weights (None: many), and its sums."""

    values: dict[Any, float] | None = field(default_factory=dict)
    integral: bool = True
    weight: float = 0.0
    product: float = 0.0
    exposure: float = 0.0

    def add(self, other: Target) -> None:
        """Take in what another part of the target holds."""
        self.integral = self.integral and other.integral
        self.weight += other.weight
        self.product += other.product
        self.exposure += other.exposure
        if self.values is None or other.values is None:
            self.values = None
            return
        for value, weight in other.values.items():
            self.values[value] = self.values.get(value, 0.0) + weight
        self.values = None if len(self.values) > MOST_CLASSES else self.values


@final
@dataclass
class Survey:
    """What one pass has found.

    Attributes
    ----------
    columns : by name. target : of it.
    training, held_out : rows of each piece.
    target_kinds : what the target holds.
    """

    columns: dict[str, Column]
    target: Target
    training: list[int]
    held_out: list[int]
    target_kinds: set[Kind] = field(default_factory=set)

    @property
    def rows(self) -> int:
        """All rows, those without a target too."""
        return sum(self.training) + sum(self.held_out)


def survey(source: Source, roles: Roles, rule: HeldOut, most: int, text: Sequence[str]) -> Survey:
    """Look at every row once, on the cluster or in threads.

    Parameters
    ----------
    source, roles, rule : what is read, as what, and which rows are held out.
    most : levels of a text column that are told apart; those of one with more are not kept.
    text : columns that are not parsed as numbers.
    """
    look = dask.delayed(look_at, pure=True)
    parts = [
        look(dask.delayed(piece, traverse=False), number, roles, rule, most, tuple(text))
        for number, piece in enumerate(source.pieces)
    ]
    found: list[Survey] = compute(parts)
    whole = Survey({name: Column() for name in roles.all}, Target(), [], [])
    for part in found:
        for name, column in part.columns.items():
            whole.columns[name].add(column, most)
        whole.target.add(part.target)
        whole.training += part.training
        whole.held_out += part.held_out
    whole.target_kinds = whole.columns[roles.target].kinds
    return whole


def look_at(
    piece: Piece, number: int, roles: Roles, rule: HeldOut, most: int, text: tuple[str, ...]
) -> Survey:
    """The survey of one piece."""
    frame = piece.read(roles.all, text)
    out = rule.draw(number, len(frame))
    known = ~missing(frame[roles.target])
    train = known & ~out
    columns = {name: _column(frame[name], train, most) for name in roles.all}
    for name in roles.features:  # rows without a target are not used
        columns[name].missing = int(missing(frame[name])[known].sum())
    return Survey(columns, _target(frame[train], roles), [int(train.sum())], [int((known & out).sum())])


def _column(values: pd.Series[Any], train: AnyArray, most: int) -> Column:
    """What one column of a piece holds."""
    kind = kind_of(values)
    column = Column({kind}, missing=int(missing(values).sum()))
    if kind in ("number", "bool"):
        numbers = as_numbers(values)
        there = numbers[train & np.isfinite(numbers)]
        column.infinite = int(np.isinf(numbers).sum())
        column.negative = int((numbers < 0.0).sum())
        column.zero = int((numbers == 0.0).sum())
        column.total, column.count = math.fsum(there.tolist()), len(there)
    elif kind == "text":
        counts = as_text(values[train]).value_counts()
        levels = Counter({str(level): int(n) for level, n in counts.items() if n})
        column.levels = _capped(levels, most)
        distinct = pd.Series(as_text(values).dropna().unique(), dtype="str")
        numeral = pd.to_numeric(distinct, errors="coerce").notna()
        strays = set(distinct[~numeral][: STRAYS + 1])
        column.numerals, column.strays = int(numeral.sum()), None if len(strays) > STRAYS else strays
    return column


def _target(frame: pd.DataFrame, roles: Roles) -> Target:
    """The target of the training rows of a piece; nothing where it is of no known kind."""
    y = frame[roles.target]
    kind = kind_of(y)
    weight = _numbers(frame, roles.weight)
    if kind == "text":
        sums = _sums(as_text(y).to_numpy(dtype=object), weight)
        return Target(sums, False, float(weight.sum()))
    if kind not in ("number", "bool"):
        return Target()
    numbers = as_numbers(y)
    exposure = _numbers(frame, roles.exposure)
    return Target(
        values=_sums(numbers.astype(bool) if kind == "bool" else numbers, weight),
        integral=bool((numbers == np.floor(numbers)).all()),
        weight=float(weight.sum()),
        product=float(weight @ numbers),
        exposure=float(weight @ exposure),
    )


def _numbers(frame: pd.DataFrame, name: str | None) -> AnyArray:
    """A numeric column; ones where there is none, or no number in it: that is complained about later."""
    if name is None or kind_of(frame[name]) not in ("number", "bool"):
        return np.ones(len(frame))
    return as_numbers(frame[name])


def _sums(values: AnyArray, weight: AnyArray) -> dict[Any, float] | None:
    """The weight of each distinct value; None where there are more than can be told apart."""
    sums = pd.Series(weight).groupby(values).sum()
    return None if len(sums) > MOST_CLASSES else {value: float(total) for value, total in sums.items()}


def _capped(levels: Counter[str], most: int) -> Counter[str] | None:
    return None if len(levels) > most else levels
