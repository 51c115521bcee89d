"""Rows of chunked data are put into folds where they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from dask.base import is_dask_collection

from daskml_dist import inputs
from daskml_dist.cluster import Hands, connect
from daskml_dist.errors import ChunkMismatch, InvalidData
from daskml_dist.fit import count_rows, settle, settle_folds
from daskml_dist.kernels import FoldTally, Question
from daskml_dist.model_selection._rows import Rows
from daskml_dist.splits import Folds, Split, Tally
from daskml_dist.types import AnyArray, Table


def split_chunks(rule: Split, data: Sequence[Any], y: Any, groups: Any) -> list[tuple[Rows, Rows]]:
    """Train and test rows of each split; rows, labels or groups are counted, and nothing else is computed.

    Parameters
    ----------
    rule : how to split.
    data : containers of the rows, at least one of them (or y or groups) lazy.
    y, groups : (n,) labels and groups, where the rule asks for them.
    """
    hands = connect()
    try:
        rows = count_rows(hands, [values for values in (*data, y, groups) if values is not None])
        columns = {name: inputs.column_in_chunks(*asked, rows) for name, asked in _asked(rule, y, groups)}
        table = Table(None, columns.get("y"), None, None, rows, 0, None, True, columns.get("groups"))
        folds, sizes = _folds(hands, rule, table)
    finally:
        hands.close()
    fold = inputs.numbered(folds, rows, columns)
    sides = zip(folds.trains, folds.tests, strict=True)
    return [(Rows(fold, trained, sizes), Rows(fold, tested, sizes)) for trained, tested in sides]


def is_chunked(*containers: Any) -> bool:
    """Say whether any of these is lazy, and complain about a lazy one that has no rows."""
    for container in containers:
        if is_dask_collection(container):
            inputs.kind_of(container)
    return inputs.is_lazy(*containers)


def _asked(rule: Split, y: Any, groups: Any) -> list[tuple[str, tuple[Any, str]]]:
    """The columns that a rule asks for, by name: what was given and how it is called."""
    if rule.asks == "labels":
        if y is None:
            raise InvalidData("Labels are needed to stratify, but y is None. Pass y, or use KFold.")
        return [("y", (y, "y"))]
    if rule.asks == "groups":
        if groups is None:
            raise InvalidData("The 'groups' parameter should not be None. Pass one group a row.")
        return [("groups", (groups, "groups"))]
    return []


def _folds(hands: Hands, rule: Split, table: Table) -> tuple[Folds, AnyArray]:
    """The settled rule, and (chunks, F) rows of each chunk in each fold."""
    assert table.chunks is not None
    if rule.asks == "rows":
        folds = rule.settle(Tally(np.array(table.chunks, dtype=np.int64)[:, None]))
    else:
        settle(hands, table)
        folds = settle_folds(hands, rule)
    sizes = hands.answer(Question(FoldTally(folds))) if folds.sizes is None else folds.sizes
    _refuse_other_chunks(rule, table.chunks, tuple(sizes.sum(axis=1).tolist()))
    return folds, sizes


def _refuse_other_chunks(rule: Split, rows: tuple[int, ...], found: tuple[int, ...]) -> None:
    """Complain about labels or groups whose chunks had unknown lengths, and have other rows than X."""
    for chunk, (expected, there) in enumerate(zip(rows, found, strict=True)):
        if expected != there:
            raise ChunkMismatch(
                f"Chunk {chunk} has {expected} rows, and {there} {rule.asks}. Chunks of unknown lengths must "
                "be alike: build X, y and groups from one frame, or call compute_chunk_sizes() so that they "
                "can be aligned."
            )
