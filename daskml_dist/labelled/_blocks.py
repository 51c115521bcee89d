"""Arrays cut alike along the dims that they share, so that what belongs together is in one block.

Nothing is stacked and nothing is broadcast here: an array without a dim gives the same block for all labels
of it, and a block is spread over the others inside its own task.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate, pairwise, product
from typing import Any, final
from uuid import uuid4

import dask.array as da
import numpy as np
import xarray as xr
from dask.array.core import slices_from_chunks
from dask.task_spec import DataNode, TaskRef

from daskml_dist.types import AnyArray


@final
@dataclass(frozen=True)
class Block:
    """Where one block lies.

    Attributes
    ----------
    number : its position along each outer dim.
    spans : the first label and the one after the last, by dim.
    labels : those of each dim, for messages; empty where there are none.
    """

    number: tuple[int, ...]
    spans: Mapping[str, tuple[int, int]]
    labels: Mapping[str, Any] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the outer dims."""
        return tuple(end - start for start, end in self.spans.values())


@final
@dataclass(frozen=True)
class Cut:
    """Arrays that are cut alike.

    Attributes
    ----------
    dims : the outer ones. chunks : of each of them.
    arrays : dask arrays, whose feature dims are one chunk.
    places : for each array, which of the outer dims it has.
    indexes : the labels of the outer dims that have some.
    """

    dims: tuple[str, ...]
    chunks: Mapping[str, tuple[int, ...]]
    arrays: tuple[Any, ...]
    places: tuple[tuple[int, ...], ...]
    indexes: Mapping[str, Any]

    @property
    def numblocks(self) -> tuple[int, ...]:
        """Blocks along each outer dim."""
        return tuple(len(self.chunks[dim]) for dim in self.dims)

    def blocks(self) -> Iterator[Block]:
        """All blocks, the last dim running fastest."""
        ends = {dim: list(pairwise(accumulate(self.chunks[dim], initial=0))) for dim in self.dims}
        for number in product(*map(range, self.numblocks)):
            spans = {dim: ends[dim][i] for dim, i in zip(self.dims, number, strict=True)}
            labels = {dim: index[slice(*spans[dim])] for dim, index in self.indexes.items()}
            yield Block(number, spans, labels)

    def references(self, number: tuple[int, ...]) -> list[Any]:
        """The block of each array."""
        found = []
        for array, places in zip(self.arrays, self.places, strict=True):
            inner = (0,) * (array.ndim - len(places))
            found.append(TaskRef((array.name, *(number[place] for place in places), *inner)))
        return found


def cut_alike(
    arrays: tuple[xr.DataArray, ...], dims: tuple[str, ...], chunks: Mapping[str, Any] | None = None
) -> Cut:
    """Cut arrays in the chunks of the first lazy one that has a dim; those of X lie first.

    Parameters
    ----------
    arrays : dims in the order of ``dims``, and others behind them.
    dims : the outer ones.
    chunks : other chunks of some dims.
    """
    sizes: dict[str, int] = {}
    chosen: dict[str, tuple[int, ...]] = dict(chunks or {})
    for array in arrays:
        for dim in array.dims:
            sizes.setdefault(str(dim), array.sizes[dim])
            if array.chunks is not None:
                chosen.setdefault(str(dim), array.chunksizes[dim])
    whole = {dim: chosen.get(dim, (sizes[dim],)) for dim in dims}
    indexes: dict[str, Any] = {}
    for array in arrays:
        indexes = {dim: array.indexes[dim] for dim in dims if dim in array.indexes} | indexes
    return Cut(
        dims=dims,
        chunks=whole,
        arrays=tuple(_cut(array, dims, whole) for array in arrays),
        places=tuple(tuple(dims.index(str(d)) for d in array.dims if d in dims) for array in arrays),
        indexes=indexes,
    )


def _cut(array: xr.DataArray, dims: tuple[str, ...], chunks: Mapping[str, tuple[int, ...]]) -> Any:
    """One array as a dask array of these chunks; feature dims are one chunk."""
    wanted = tuple(
        chunks[str(dim)] if dim in dims else (size,)
        for dim, size in zip(array.dims, array.shape, strict=True)
    )
    data = array.data
    if not isinstance(data, da.Array):
        return _views(np.asarray(data), wanted)
    return data if data.chunks == wanted else data.rechunk(wanted, method="tasks")


def _views(array: AnyArray, chunks: tuple[tuple[int, ...], ...]) -> Any:
    """An array in memory as a dask array whose blocks are views; ``from_array`` would copy all of it."""
    name = f"in-memory-{uuid4().hex}"
    blocks: dict[Any, Any] = {}
    numbers = product(*(range(len(c)) for c in chunks))
    for number, place in zip(numbers, slices_from_chunks(chunks), strict=True):
        blocks[(name, *number)] = DataNode((name, *number), array[place])
    return da.Array(blocks, name, chunks, meta=np.empty((0,) * array.ndim, dtype=array.dtype))


def spread(block: AnyArray, places: tuple[int, ...], n_outer: int) -> AnyArray:
    """A block with an axis for each outer dim, of length 1 where it has none, and its inner axes behind."""
    inner = block.shape[len(places) :]
    lengths = dict(zip(places, block.shape, strict=False))
    return block.reshape(tuple(lengths.get(place, 1) for place in range(n_outer)) + inner)
