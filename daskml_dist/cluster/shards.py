"""Shards: the chunks of one thread, in memory or as recipes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, final

import numpy as np
from dask.sizeof import sizeof

from daskml_dist.cluster.recipes import Recipe, chunk_of
from daskml_dist.kernels import Coding, Kernel
from daskml_dist.types import Chunk


class ShardMoved(RuntimeError):
    """A shard was asked for its chunks on another worker than the one that holds them."""


@final
@dataclass
class ResidentShard:
    """Chunks in the memory of this process, whose blocks other keys of the worker own.

    The blocks are counted by Dask where they live, so the shard itself weighs next to nothing, and
    it does not travel: a copy on another worker, or one read back from disk, is empty and says so.
    """

    chunks_raw: tuple[Chunk, ...] | None
    _coded: dict[str, tuple[Chunk, ...]] = field(default_factory=dict)

    def chunks(self, coding: Coding, token: str, kernel: Kernel[Any]) -> Iterator[Chunk]:
        """The coded chunks; coding is done once and kept."""
        if self.chunks_raw is None:
            raise ShardMoved("the shard was moved or spilled to disk; it is rebuilt where its blocks are")
        if token not in self._coded:
            self._coded.clear()
            self._coded[token] = tuple(coding.code(chunk) for chunk in self.chunks_raw)
        for chunk in self._coded[token]:
            yield chunk if kernel.reads_features else replace(chunk, X=None)

    def __reduce__(self) -> tuple[Any, ...]:
        return ResidentShard, (None,)


@final
@dataclass
class RecipeShard:
    """Chunks that are loaded one at a time when they are asked for, and dropped after that."""

    recipes: tuple[Recipe, ...]

    def chunks(self, coding: Coding, token: str, kernel: Kernel[Any]) -> Iterator[Chunk]:
        """Load, code and hand over one chunk after the other; chunks that are not needed come empty."""
        for recipe in self.recipes:
            if kernel.streams_only is None or recipe.id < kernel.streams_only:
                yield coding.code(recipe.load(kernel.reads_features))
            else:
                yield Chunk(recipe.id, None, np.empty(0))


Shard = ResidentShard | RecipeShard


def resident_shard(
    ids: tuple[int, ...], names: tuple[str, ...], columns: Mapping[int, list[Any]] | list[Any]
) -> ResidentShard:
    """The shard of these chunks, from the blocks of each column in the order of ids."""
    return ResidentShard(
        tuple(
            chunk_of(i, dict(zip(names, blocks, strict=True)))
            for i, blocks in zip(ids, zip(*columns, strict=True), strict=True)
        )
    )


def _sizeof_resident(shard: ResidentShard) -> int:
    return 1000


def _sizeof_recipes(shard: RecipeShard) -> int:
    return 1000 * len(shard.recipes)


sizeof.register(ResidentShard, _sizeof_resident)
sizeof.register(RecipeShard, _sizeof_recipes)
