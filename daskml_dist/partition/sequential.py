"""Neighbouring chunks together: one run of chunks for each thread."""

from __future__ import annotations

from daskml_dist.partition._base import Plan, runs


def sequential(rows: tuple[int, ...], slots: tuple[str, ...]) -> Plan:
    """Cut the chunks into runs of about the same number of rows, one for each slot.

    Parameters
    ----------
    rows : rows of each chunk.
    slots : the worker of each thread; a worker of two threads is named twice.
    """
    shards = runs(list(range(len(rows))), rows, max(len(slots), 1))
    return Plan(tuple(shards), tuple(slots[: len(shards)]))
