"""The fewest moves that balance a plan again, if they pay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import final

from daskml_dist.partition._base import Plan

#: the longest busy time of a slot over the mean that is left alone
BALANCED = 1.15
_KINDS = 32  # of chunks that are tried at each step, where all of a slot are different


@final
@dataclass(frozen=True)
class Facts:
    """What a re-plan is made from.

    Attributes
    ----------
    slots : the worker of each thread; a worker of two threads is named twice.
    costs : work of each chunk, such as its rows.
    paces : seconds that a thread of each worker takes for a unit of work; the median where none is known.
    passes : how many more are expected.
    sizes : bytes of each chunk that a move transfers.
    bandwidth : bytes a second between two workers.
    overhead : seconds that any move takes.
    rooms : bytes that each worker may hold in all; a worker that is not named has no limit.
    homes : a worker that holds the bytes of a chunk whose owner is gone.
    """

    slots: tuple[str, ...]
    costs: tuple[float, ...]
    paces: Mapping[str, float]
    passes: float
    sizes: tuple[float, ...]
    bandwidth: float
    overhead: float = 0.0
    rooms: Mapping[str, float] = field(default_factory=dict)
    homes: Mapping[int, str] = field(default_factory=dict)

    def pace(self, worker: str) -> float:
        """Seconds for a unit of work there."""
        known = self.paces.get(worker)
        return known if known is not None else median(self.paces.values() or (1.0,))


@final
@dataclass(frozen=True)
class Move:
    """Chunks that change their worker.

    Attributes
    ----------
    chunks : their ids, ascending.
    source, target : the worker they leave, and the one they go to.
    kind : "left" where the source is gone, "idle" where the target had nothing to do, else "slow".
    why : the reason in words.
    gain : seconds a pass that are expected to be saved, this move's share by work; 0 where it is forced.
    """

    chunks: tuple[int, ...]
    source: str
    target: str
    kind: str
    why: str
    gain: float


def replanned(plan: Plan, facts: Facts) -> tuple[Plan, tuple[Move, ...]]:
    """Move chunks from the slowest slot to the one that is done first, until they are balanced.

    Each step moves the chunk that shortens the longer of the two times most, and steps end when
    max / mean of the busy times is at most 1.15 or no chunk helps. All of it is done only where

        (longest busy time before - after) * passes > bytes through the busiest worker / bandwidth + overhead.

    Chunks of workers without a slot are always moved, to where their bytes are or to the earliest finish.

    Returns
    -------
    the plan and its moves; the plan as it was and no moves where nothing needs to or pays.
    """
    housed = _Loads(plan, facts)
    housed.house(plan)
    levelled = housed.copy()
    levelled.level()
    gain = housed.longest - levelled.longest
    spent = levelled.transfer(housed) / facts.bandwidth + facts.overhead
    chosen = levelled if gain * facts.passes > spent else housed
    moves = _moves(plan, housed, chosen, gain)
    return (chosen.plan(), moves) if moves else (plan, ())


class _Loads:
    """The chunks of each slot while moves are tried, and how long it would be busy."""

    def __init__(self, plan: Plan, facts: Facts) -> None:
        self.facts = facts
        self.held: list[list[int]] = [[] for _ in facts.slots]
        free: dict[str, list[int]] = {}
        for slot, worker in enumerate(facts.slots):
            free.setdefault(worker, []).append(slot)
        for shard, owner in zip(plan.shards, plan.owners, strict=True):
            if free.get(owner):
                self.held[free[owner].pop(0)] = list(shard)
        self.paces = [facts.pace(worker) for worker in facts.slots]
        self.busy = [self._seconds(slot, chunks) for slot, chunks in enumerate(self.held)]
        self.left = {w: room - sum(self._of(w, facts.sizes)) for w, room in facts.rooms.items()}

    def copy(self) -> _Loads:
        other = _Loads(Plan((), ()), self.facts)
        other.held = [list(chunks) for chunks in self.held]
        other.busy, other.left = list(self.busy), dict(self.left)
        return other

    @property
    def longest(self) -> float:
        return max(self.busy)

    @property
    def imbalance(self) -> float:
        mean = sum(self.busy) / len(self.busy)
        return self.longest / mean if mean > 0.0 else 1.0

    def house(self, plan: Plan) -> None:
        """Give the chunks that nobody has to somebody, the longest first."""
        known = {chunk for chunks in self.held for chunk in chunks}
        homeless = [chunk for shard in plan.shards for chunk in shard if chunk not in known]
        costs = self.facts.costs
        for chunk in sorted(homeless, key=lambda i: (-costs[i], i)):
            home = self.facts.homes.get(chunk)
            near = [slot for slot, worker in enumerate(self.facts.slots) if worker == home]
            self._give(chunk, self._earliest(chunk, near or list(range(len(self.held)))))

    def level(self) -> None:
        """Move one chunk after the other while that helps."""
        for _ in self.facts.costs:
            if self.imbalance <= BALANCED:
                return
            source = self.busy.index(self.longest)
            found = self._step(source)
            if found is None:
                return
            chunk, target = found
            self._take(chunk, source)
            self._give(chunk, target)

    def _step(self, source: int) -> tuple[int, int] | None:
        """The chunk of the source that helps most, and where it goes; None where none helps."""
        kinds: dict[tuple[float, float], list[int]] = {}
        for chunk in self.held[source]:
            kinds.setdefault((self.facts.costs[chunk], self.facts.sizes[chunk]), []).append(chunk)
        best: tuple[float, int, tuple[float, float]] | None = None
        for kind in sorted(kinds)[:: 1 + len(kinds) // _KINDS]:
            fits = self._fitting(source, kind[1])
            if fits:
                target = self._earliest(kinds[kind][0], fits)
                there = self.busy[target] + kind[0] * self.paces[target]
                longer = max(self.busy[source] - kind[0] * self.paces[source], there)
                best = min(best or (longer, target, kind), (longer, target, kind))
        if best is None or not best[0] < self.longest:
            return None
        _, target, kind = best
        return min(kinds[kind], key=lambda chunk: (self._distance(chunk, target), chunk)), target

    def _fitting(self, source: int, size: float) -> list[int]:
        """The slots that have room for so many bytes of the source."""
        slots = self.facts.slots
        return [
            slot
            for slot, worker in enumerate(slots)
            if slot != source and (worker == slots[source] or size <= self.left.get(worker, size))
        ]

    def _earliest(self, chunk: int, slots: list[int]) -> int:
        cost = self.facts.costs[chunk]
        return min(slots, key=lambda s: (self.busy[s] + cost * self.paces[s], s))

    def _distance(self, chunk: int, target: int) -> int:
        """To the ends of what the target has: neighbours stay together."""
        there = self.held[target]
        return min(abs(chunk - min(there)), abs(chunk - max(there))) if there else 0

    def _give(self, chunk: int, slot: int) -> None:
        self.held[slot].append(chunk)
        self._account(chunk, slot, 1.0)

    def _take(self, chunk: int, slot: int) -> None:
        self.held[slot].remove(chunk)
        self._account(chunk, slot, -1.0)

    def _account(self, chunk: int, slot: int, sign: float) -> None:
        worker = self.facts.slots[slot]
        self.busy[slot] += sign * self.facts.costs[chunk] * self.paces[slot]
        if worker in self.left:
            self.left[worker] -= sign * self.facts.sizes[chunk]

    def _seconds(self, slot: int, chunks: list[int]) -> float:
        return self.paces[slot] * sum(self.facts.costs[i] for i in chunks)

    def _of(self, worker: str, amounts: tuple[float, ...]) -> list[float]:
        owned = zip(self.facts.slots, self.held, strict=True)
        return [amounts[i] for owner, chunks in owned if owner == worker for i in chunks]

    def owners(self) -> dict[int, int]:
        """The slot of each chunk."""
        return {chunk: slot for slot, chunks in enumerate(self.held) for chunk in chunks}

    def transfer(self, before: _Loads) -> float:
        """Bytes through the worker that sends or receives most, coming from the other loads."""
        was, slots = before.owners(), self.facts.slots
        through: dict[tuple[str, str], float] = {}
        for chunk, slot in self.owners().items():
            source, target = slots[was[chunk]], slots[slot]
            if source != target:
                for end in (("out", source), ("in", target)):
                    through[end] = through.get(end, 0.0) + self.facts.sizes[chunk]
        return max(through.values(), default=0.0)

    def plan(self) -> Plan:
        filled = [slot for slot, chunks in enumerate(self.held) if chunks]
        shards = tuple(tuple(sorted(self.held[slot])) for slot in filled)
        return Plan(shards, tuple(self.facts.slots[slot] for slot in filled))


def _moves(plan: Plan, housed: _Loads, after: _Loads, gain: float) -> tuple[Move, ...]:
    """What changed, by the two workers, and why."""
    first = {chunk: owner for ids, owner in zip(plan.shards, plan.owners, strict=True) for chunk in ids}
    slots, costs = after.facts.slots, after.facts.costs
    was, now = housed.owners(), after.owners()
    changed: dict[tuple[str, str], list[int]] = {}
    for chunk in sorted(now):
        if now[chunk] != was[chunk] or first[chunk] not in slots or first[chunk] != slots[was[chunk]]:
            changed.setdefault((first[chunk], slots[now[chunk]]), []).append(chunk)
    work = sum(costs[i] for chunks in changed.values() for i in chunks if now[i] != was[i])
    idle = {worker for worker in slots if not housed._of(worker, costs)}
    moves = []
    for (source, target), chunks in changed.items():
        kind = "left" if source not in slots else "idle" if target in idle else "slow"
        share = sum(costs[i] for i in chunks if now[i] != was[i]) / work if work else 0.0
        why = _why(kind, source, target, housed, after)
        moves.append(
            Move(tuple(chunks), source, target, kind, why, gain * share if after is not housed else 0.0)
        )
    return tuple(moves)


def _why(kind: str, source: str, target: str, before: _Loads, after: _Loads) -> str:
    change = f"imbalance {before.imbalance:.2f}, expected {after.imbalance:.2f}"
    if kind == "left":
        return f"{source} is gone"
    if kind == "idle":
        return f"{target} had nothing to do: {change}"
    ratio = before.facts.pace(source) / before.facts.pace(target)
    if ratio > BALANCED:
        return f"{source} takes {ratio:.1f} times as long for a row as {target}: {change}"
    return f"{source} has more to do than {target}: {change}"
