"""How much memory a table needs and how much there is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from dask.sizeof import sizeof
from distributed.system import MEMORY_LIMIT
from scipy.sparse import issparse, sparray

from daskml_dist import inputs
from daskml_dist.errors import InvalidData
from daskml_dist.partition import Offer
from daskml_dist.types import AnyArray, Table

#: share of the memory limit that resident data may take: the rest is for loading, kernels and others
RESIDENT_SHARE = 0.5
#: bytes of a sparse block for each of the dense one, where every entry is stored
_MOST_FOR_ENTRIES = 2.0


def table_bytes(table: Table, evaluate: Callable[[Any], Any], limit: float) -> int | None:
    """Bytes of all columns; None where the lengths of the chunks are unknown.

    The bytes of sparse blocks are not known unread. Where they could matter against the limit, the largest
    block is loaded, and the others are taken to be like it, row for row.
    """
    if table.chunks is None:
        return None
    size = sum(int(part.nbytes) for part in table.columns.values())
    if not inputs.is_sparse(table) or _MOST_FOR_ENTRIES * size <= RESIDENT_SHARE * limit:
        return size
    full = int(np.argmax(table.chunks))
    measured = table.X.blocks[full].map_blocks(_weighed, dtype=np.int64, chunks=((1,), (1,)), meta=_NONE)
    weight = float(np.ravel(evaluate(measured))[0])
    others = size - int(table.X.nbytes)
    return others + int(weight * sum(table.chunks) / max(table.chunks[full], 1))


def too_large(table: Table, evaluate: Callable[[Any], Any], offers: Sequence[Offer]) -> bool:
    """Whether these workers cannot hold a table, so that it must be streamed.

    Raises
    ------
    InvalidData
        It has chunks that no worker can hold while it is streamed.
    """
    memory = sum(offer.memory for offer in offers) if offers else np.inf
    size = table_bytes(table, evaluate, memory)
    if size is None or size <= RESIDENT_SHARE * memory:
        return False
    largest = size / sum(table.chunks or (1,)) * max(table.chunks or (1,))
    room = min(offer.memory / offer.threads for offer in offers)
    if largest > 0.5 * room:
        raise InvalidData(
            f"X has chunks of up to {largest / 2**20:.0f} MiB, and a worker thread has "
            f"{room / 2**20:.0f} MiB in all. The data do not fit the cluster's memory, so they are "
            "streamed chunk by chunk, and a chunk may take half of a thread's memory at most: rechunk X "
            "to fewer rows a chunk, or give the workers more memory."
        )
    return True


_NONE = np.empty((0, 0), dtype=np.int64)


def _weighed(block: Any) -> AnyArray:
    """The bytes of a block."""
    return np.array([[block_bytes(block)]], dtype=np.int64)


def row_bytes(table: Table | None) -> float:
    """Bytes of a row of dense columns, by their dtypes; 0 where they are sparse, or there is no table."""
    if table is None or (table.X is not None and inputs.is_sparse(table)):
        return 0.0
    return float(sum(part.dtype.itemsize * np.prod(part.shape[1:]) for part in table.columns.values()))


def block_bytes(block: Any) -> int:
    """Bytes of a dense or sparse block."""
    if not issparse(block):
        return int(np.asarray(block).nbytes)
    rows = block.tocsr()
    return int(rows.data.nbytes + rows.indices.nbytes + rows.indptr.nbytes)


def _sizeof_sparse(block: Any) -> int:
    """Dask weighs matrices of scipy.sparse, but not its arrays."""
    return block_bytes(block)


sizeof.register(sparray, _sizeof_sparse)


def process_limit() -> int:
    """Bytes that this process may use, by the container's or the machine's limit."""
    return int(MEMORY_LIMIT)
