"""The longest work first, each to the thread that would be done with it earliest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf

from daskml_dist.partition._base import Plan


def longest_first(
    costs: Sequence[float],
    slots: tuple[str, ...],
    speeds: Mapping[str, float] | None = None,
    sizes: Sequence[float] | None = None,
    rooms: Mapping[str, float] | None = None,
) -> Plan:
    """Chunks in descending order of cost, each to the slot with the earliest finish time.

    Where all speeds are equal the last slot finishes within 4/3 - 1/(3m) of the best there is for m slots
    (Graham 1969, theorem 3). Chunks of the same cost and size are exchanged so that neighbours stay
    together, which changes no finish time.

    Parameters
    ----------
    costs : work of each chunk, such as its rows.
    slots : the worker of each thread; a worker of two threads is named twice.
    speeds : work in a unit of time of a thread of each worker; None, or a worker that is not named, for 1.
    sizes : bytes of each chunk; None for none.
    rooms : bytes that each worker may hold; a worker that is not named has no limit. A chunk that fits
        nowhere goes where most is left.
    """
    speed = [1.0 if speeds is None else speeds.get(worker, 1.0) for worker in slots]
    sizes = [0.0] * len(costs) if sizes is None else sizes
    left = dict.fromkeys(slots, inf) | {w: r for w, r in (rooms or {}).items() if w in slots}
    held: list[list[int]] = [[] for _ in slots]
    loads = [0.0] * len(slots)
    for chunk in sorted(range(len(costs)), key=lambda i: (-costs[i], -sizes[i], i)):
        fits = [s for s, worker in enumerate(slots) if sizes[chunk] <= left[worker]]
        if not fits:
            most = max(left.values())
            fits = [s for s, worker in enumerate(slots) if left[worker] == most]
        slot = min(fits, key=lambda s: ((loads[s] + costs[chunk]) / speed[s], s))
        held[slot].append(chunk)
        loads[slot] += costs[chunk]
        left[slots[slot]] -= sizes[chunk]
    filled = [s for s, chunks in enumerate(held) if chunks]
    shards = _in_runs([held[s] for s in filled], costs, sizes)
    return Plan(tuple(shards), tuple(slots[s] for s in filled))


def _in_runs(held: list[list[int]], costs: Sequence[float], sizes: Sequence[float]) -> list[tuple[int, ...]]:
    """The same number of chunks of each kind for each shard, those of a kind in runs of neighbours."""
    kinds: dict[tuple[float, float], list[int]] = {}
    for chunk in sorted(i for chunks in held for i in chunks):
        kinds.setdefault((costs[chunk], sizes[chunk]), []).append(chunk)
    waiting = {kind: iter(chunks) for kind, chunks in kinds.items()}
    return [tuple(sorted(next(waiting[costs[i], sizes[i]]) for i in chunks)) for chunks in held]
