"""The contract of a partition: which chunk is answered for by which shard, and where it lives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class Plan:
    """Shards of chunks; each chunk is in exactly one shard.

    Attributes
    ----------
    shards : ids of the chunks of each shard, ascending.
    owners : the worker of each shard, by the name the backend gave it.
    """

    shards: tuple[tuple[int, ...], ...]
    owners: tuple[str, ...]

    def __post_init__(self) -> None:
        ids = sorted(chunk for shard in self.shards for chunk in shard)
        if ids != list(range(len(ids))):
            raise AssertionError("a plan must have each chunk in exactly one shard")
        if len(self.owners) != len(self.shards):
            raise AssertionError("a plan must name an owner for each shard")

    @property
    def places(self) -> dict[int, str]:
        """The worker of each chunk."""
        return {i: owner for ids, owner in zip(self.shards, self.owners, strict=True) for i in ids}


def runs(ids: list[int], rows: tuple[int, ...], parts: int) -> list[tuple[int, ...]]:
    """Cut ids into at most ``parts`` runs of neighbours with about the same rows; none is empty."""
    total = sum(rows[i] for i in ids)
    cut: list[list[int]] = [[] for _ in range(parts)]
    before = 0
    for position, i in enumerate(ids):
        middle = before + rows[i] / 2
        part = int(parts * middle / total) if total else position * parts // len(ids)
        cut[min(part, parts - 1)].append(i)
        before += rows[i]
    return [tuple(run) for run in cut if run]
