"""How much memory a table needs and how much there is."""

from __future__ import annotations

from distributed.system import MEMORY_LIMIT

from daskml_dist.types import Table

#: share of the memory limit that resident data may take: the rest is for loading, kernels and others
RESIDENT_SHARE = 0.5


def table_bytes(table: Table) -> int | None:
    """Bytes of all columns; None where the lengths of the chunks are unknown."""
    if table.chunks is None:
        return None
    return sum(int(part.nbytes) for part in table.columns.values())


def process_limit() -> int:
    """Bytes that this process may use, by the container's or the machine's limit."""
    return int(MEMORY_LIMIT)
