"""Some rows of a container: whole chunks where all of their rows are chosen, none where none are."""

from __future__ import annotations

from itertools import product
from typing import Any

import dask.array as da
import numpy as np
from dask.array.utils import meta_from_array
from dask.highlevelgraph import HighLevelGraph
from dask.task_spec import Alias, Task, TaskRef
from dask.tokenize import tokenize
from scipy.sparse import issparse, vstack

from daskml_dist.errors import ChunkMismatch, InvalidData
from daskml_dist.inputs._align import in_blocks, known, rows_of, with_rows
from daskml_dist.inputs._base import Chosen
from daskml_dist.types import AnyArray


def rows_in(values: Any) -> int:
    """The number of rows of a container in memory; sparse ones have no len."""
    return int(values.shape[0]) if issparse(values) else len(values)


def index_of(values: Any, chosen: Chosen) -> AnyArray:
    """The positions of the rows to take from a container in memory, which has as many rows as expected."""
    assert chosen.index is not None
    refuse_other_length(rows_in(values), chosen.rows)
    return chosen.index


def taken_chunks(array: Any, chosen: Chosen) -> Any:
    """The chosen rows of a dask array of any number of dims; chunks without any are left out."""
    counted = known(rows_of(array))
    array = cut_into(array, chosen.rows)
    kept = kept_chunks(chosen)
    name = f"rows-{tokenize(array.name, chosen.fold.name, chosen.wanted)}"
    layer: dict[Any, Any] = {}
    for others in product(*(range(n) for n in array.numblocks[1:])):
        for position, i in enumerate(kept):
            key: Any = (name, position, *others)
            whole = counted and chosen.taken[i] == chosen.rows[i]
            block: Any = (array.name, i, *others)
            layer[key] = Alias(key, block) if whole else task_of(key, block, i, chosen)
    graph = HighLevelGraph.from_collections(name, layer, dependencies=[array, chosen.fold])
    chunks = (tuple(chosen.taken[i] for i in kept), *array.chunks[1:])
    return da.Array(graph, name, chunks, meta=meta_from_array(array))


def kept_chunks(chosen: Chosen) -> list[int]:
    """The chunks with chosen rows; the first chunk, empty, where there are none."""
    return [i for i, taken in enumerate(chosen.taken) if taken] or [0]


def task_of(key: Any, block: Any, i: int, chosen: Chosen) -> Any:
    """The task that takes the chosen rows of chunk i."""
    return Task(key, chosen_rows, TaskRef(block), TaskRef((chosen.fold.name, i)), chosen.wanted)


def chosen_rows(block: Any, fold: AnyArray, wanted: AnyArray) -> Any:
    """The rows of a block whose folds are wanted; the block itself, and no copy, where all are.

    Raises
    ------
    ChunkMismatch
        The block has another number of rows.
    """
    if block.shape[0] != fold.shape[0]:
        raise ChunkMismatch(
            f"A chunk has {block.shape[0]} rows where {fold.shape[0]} were split. Data whose chunks have "
            "unknown lengths must be cut like those that were split: build them from one frame, or call "
            "compute_chunk_sizes() (to_dask_array(lengths=True) for a dask dataframe)."
        )
    mask = wanted[fold]
    return block if mask.all() else block[mask]


def cut_into(array: Any, rows: tuple[int, ...]) -> Any:
    """A dask array, cut into chunks of these rows."""
    ours = rows_of(array)
    if not known(ours):
        refuse_other_chunks(len(ours), rows)
        return with_rows(array, rows, "the data")
    refuse_other_length(sum(ours), rows)
    return array if ours == rows else array.rechunk({0: rows}, method="tasks")


def refuse_other_chunks(chunks: int, rows: tuple[int, ...]) -> None:
    """Complain about chunks of unknown lengths that are not as many as were split."""
    if chunks != len(rows):
        raise ChunkMismatch(
            f"The rows were split in {len(rows)} chunks, and the data have {chunks} chunks of unknown "
            "lengths, so that their rows cannot be brought together. Cut them alike, or call "
            "compute_chunk_sizes() first (to_dask_array(lengths=True) for a dask dataframe)."
        )


def refuse_other_length(length: float, rows: tuple[int, ...]) -> None:
    """Complain about another number of rows than were split; the first words are scikit-learn's."""
    if length != sum(rows):
        raise InvalidData(
            f"Found input variables with inconsistent numbers of samples: [{sum(rows)}, {int(length)}]. "
            "All of them must have the same rows."
        )


def in_chunks(array: Any, rows: tuple[int, ...]) -> Any:
    """A dask array of these chunks, from one that is lazy or in memory."""
    if isinstance(array, da.Array):
        return cut_into(array, rows)
    refuse_other_length(rows_in(array), rows)
    return in_blocks(array if issparse(array) else np.asarray(array), rows)


def joined_chunks(parts: list[Any]) -> Any:
    """Dask arrays one after the other, the row chunks of each made one."""
    sizes = tuple(int(sum(rows_of(part))) for part in parts)
    name = f"joined-{tokenize([part.name for part in parts])}"
    layer: dict[Any, Any] = {}
    for others in product(*(range(n) for n in parts[0].numblocks[1:])):
        for position, part in enumerate(parts):
            key: Any = (name, position, *others)
            blocks = [TaskRef((part.name, i, *others)) for i in range(part.numblocks[0])]
            layer[key] = Task(key, _stacked, *blocks)
    graph = HighLevelGraph.from_collections(name, layer, dependencies=parts)
    return da.Array(graph, name, (sizes, *parts[0].chunks[1:]), meta=meta_from_array(parts[0]))


def _stacked(*blocks: Any) -> Any:
    """Blocks of rows, dense or sparse, one below the other."""
    if len(blocks) == 1:
        return blocks[0]
    return vstack(blocks, format="csr") if issparse(blocks[0]) else np.concatenate(blocks)
