"""Chunks where they already are: nothing moves."""

from __future__ import annotations

from collections import Counter

from daskml_dist.partition._base import Plan, runs


def in_place(rows: tuple[int, ...], locations: tuple[str | None, ...], slots: tuple[str, ...]) -> Plan:
    """Cut the chunks of each worker into one shard for each of its threads.

    Parameters
    ----------
    rows : rows of each chunk.
    locations : the worker that holds each chunk; None, or a worker without a slot, where nobody does:
        then the worker with the fewest rows so far gets it.
    slots : the worker of each thread; a worker of two threads is named twice.
    """
    threads = Counter(slots)
    held: dict[str, list[int]] = {worker: [] for worker in threads}
    loads = dict.fromkeys(held, 0)
    homeless = []
    for chunk, where in enumerate(locations):
        if where in held and where is not None:
            held[where].append(chunk)
            loads[where] += rows[chunk]
        else:
            homeless.append(chunk)
    for chunk in homeless:
        least = min(loads, key=lambda worker: loads[worker] / threads[worker])
        held[least].append(chunk)
        loads[least] += rows[chunk]
    shards: list[tuple[int, ...]] = []
    owners: list[str] = []
    for worker, chunks in held.items():
        for run in runs(sorted(chunks), rows, threads[worker]):
            shards.append(run)
            owners.append(worker)
    return Plan(tuple(shards), tuple(owners))


def together(
    shards: tuple[tuple[int, ...], ...], locations: tuple[str | None, ...], slots: tuple[str, ...]
) -> Plan:
    """The same shards, each on the worker that holds most of its chunks, or on the slots in turn."""
    owners = []
    for number, ids in enumerate(shards):
        held = Counter(locations[i] for i in ids if i < len(locations) and locations[i] in slots)
        most = held.most_common(1)
        owners.append(str(most[0][0]) if most else slots[number % len(slots)])
    return Plan(shards, tuple(owners))
