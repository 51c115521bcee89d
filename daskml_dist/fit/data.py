"""The data of a training: read unread, and given a place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from daskml_dist import inputs
from daskml_dist.cluster import Hands, connect
from daskml_dist.errors import InvalidData
from daskml_dist.fit.stopping import known
from daskml_dist.fit.training import Training
from daskml_dist.monitor import StopAsked
from daskml_dist.solvers import State
from daskml_dist.types import Table


@contextmanager
def placed(
    training: Training, X: Any, y: Any, sample_weight: Any, offset: Any = None, groups: Any = None
) -> Iterator[tuple[Hands, Table, bool]]:
    """Hands that hold the data while the block lasts, the table, and whether it is streamed."""
    with connected(training, X, y, sample_weight, offset, groups) as (hands, table):
        yield hands, table, settle(hands, table)


@contextmanager
def connected(
    training: Training, X: Any, y: Any, sample_weight: Any, offset: Any = None, groups: Any = None
) -> Iterator[tuple[Hands, Table]]:
    """Hands while the block lasts, and the data as a table that has no place yet."""
    lazy = inputs.is_lazy(X, y, sample_weight, offset, groups)
    hands = connect(training.scheduler, lazy=lazy, patience=training.patience)
    hands.heed = training.control.heed
    try:
        yield hands, read(training, hands, X, y, sample_weight, offset, groups)
    except StopAsked:  # before there was a conversation
        known(State())
    finally:
        hands.close()


def read(
    training: Training, hands: Hands, X: Any, y: Any, sample_weight: Any, offset: Any, groups: Any = None
) -> Table:
    """The data as one aligned table; chunk lengths are measured where nothing else can align them."""
    lengths = None
    if inputs.measure_needed(X, y, sample_weight, offset, groups):
        lengths = tuple(hands.evaluate(inputs.row_counts(X)).tolist())
    table = inputs.read(
        X,
        y,
        sample_weight,
        offset,
        groups=groups,
        multi_output=training.multi_output,
        lengths=lengths,
        estimator=training.name,
    )
    if training.feature_names is not None:
        table = replace(table, feature_names=np.array(training.feature_names, dtype=object))
    return inputs.made_lazy(table) if training.scheduler not in (None, "threads") else table


def count_rows(hands: Hands, data: Sequence[Any]) -> tuple[int, ...]:
    """The rows of each chunk: those of the first lazy container, counted where no lazy one knows them.

    Raises
    ------
    InvalidData
        Containers of other lengths.
    """
    for values in data:
        inputs.kind_of(values)  # or complain
    lazy = [values for values in data if inputs.is_lazy(values)]
    known = [rows for values in lazy or data if (rows := inputs.chunk_rows(values)) is not None]
    rows = known[0] if known else tuple(hands.evaluate(inputs.row_counts(lazy[0])).tolist())
    lengths = [sum(found) for values in data if (found := inputs.chunk_rows(values)) is not None]
    if any(length != sum(rows) for length in lengths):
        raise InvalidData(f"Found input variables with inconsistent numbers of samples: {lengths}")
    return rows


def settle(hands: Hands, table: Table) -> bool:
    """Give the data a place; whether they are streamed."""
    holding = hands.hold(table)
    hands.place(hands.planned(holding))
    return holding.streamed
