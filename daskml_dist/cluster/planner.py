"""Who answers for which chunks: the first plan, what passes tell of it, and each change with its reason."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import inf
from typing import final

from daskml_dist.cluster._base import Holding
from daskml_dist.cluster.late import MULTIPLE
from daskml_dist.cluster.pace import Pace
from daskml_dist.cluster.placement import Placement
from daskml_dist.partition import Facts, Plan, in_place, longest_first, replanned, sequential
from daskml_dist.types import Decision

#: seconds that a re-plan takes beside the transfer: a round trip, and shards that are put together anew
OVERHEAD = 0.25


@final
class Planner:
    """Makes plans from facts, and remembers why.

    Parameters
    ----------
    placement : what the user asked for.
    known : paces of workers that earlier fits measured; what this fit measures is added.
    clock : seconds, of which differences count.
    """

    def __init__(
        self, placement: Placement, known: dict[str, float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.placement = placement
        self.pace = Pace(known if placement.by == "finish-time" else None)
        self.decisions: list[Decision] = []
        self._known = known
        self._clock, self._began = clock, clock()
        self._pending: tuple[Plan, list[int]] | None = None  # the plan before, and the decisions against it

    def first(self, holding: Holding, sizes: Sequence[float], rooms: Mapping[str, float]) -> Plan:
        """The plan for the first question.

        Parameters
        ----------
        holding : what is held where.
        sizes : bytes of each chunk.
        rooms : bytes that each worker may hold.
        """
        rows, slots, by = holding.rows, holding.slots, self.placement.by
        if by == "resources":
            plan = longest_first(rows, slots, None, sizes, rooms)
        elif holding.streamed or set(holding.locations) == {None}:
            plan = (
                longest_first(rows, slots, self.speeds()) if by == "finish-time" else sequential(rows, slots)
            )
        else:
            plan = in_place(rows, holding.locations, slots)
            if by == "finish-time":
                facts = Facts(slots, rows, self.pace.relative, inf, tuple(sizes), inf, rooms=rooms)
                plan = replanned(plan, facts)[0]
        self._note_placed(plan, holding.locations)
        return plan

    def heard(
        self, plan: Plan, costs: Sequence[float], seconds: Sequence[float], owners: Sequence[str], idle: int
    ) -> None:
        """Note how long each shard of a pass took, and on which worker; ``idle`` slots had none."""
        work = [sum(costs[i] for i in ids) for ids in plan.shards]
        self.pace.heard(work, owners, seconds, idle)
        self._known.update(self.pace.relative)
        if self._pending is not None:
            self._measure(costs, seconds)

    def replan(self, plan: Plan, facts: Facts) -> Plan:
        """The plan that the facts ask for, which may be the same one."""
        changed, moves = replanned(plan, facts)
        self.pace.settled()
        self._pending = (plan, []) if moves else None
        for move in moves:
            self.decide(move.kind, move.chunks, move.source, move.target, move.why, move.gain)
            if self._pending is not None and move.gain > 0.0:
                self._pending[1].append(len(self.decisions) - 1)
        return changed

    def copied(self, plan: Plan, copies: Mapping[int, str], waited: float, seconds: float) -> None:
        """Put on record that work which was waited for is done once more by helpers, in so many seconds."""
        pairs: dict[tuple[str, str], list[int]] = {}
        for ids, owner in zip(plan.shards, plan.owners, strict=True):
            for chunk in ids:
                if chunk in copies:
                    pairs.setdefault((owner, copies[chunk]), []).append(chunk)
        for (owner, helper), chunks in pairs.items():
            why = f"{owner} had not answered after {waited:.1f} s, {MULTIPLE:g} times as long as the others"
            self.decide("backup", tuple(chunks), owner, helper, why, waited - seconds)

    def speeds(self) -> dict[str, float]:
        """Work in a unit of time of a thread of each worker, in no particular unit."""
        return {worker: 1.0 / pace for worker, pace in self.pace.relative.items() if pace > 0.0}

    def forget(self) -> None:
        """The plan was replaced by a repair: what is still to be measured cannot be."""
        self._pending = None

    def decide(
        self, kind: str, chunks: tuple[int, ...], source: str, target: str, why: str, gain: float = 0.0
    ) -> None:
        """Put a decision on record."""
        seconds, number = self._clock() - self._began, len(self.decisions)
        self.decisions.append(
            Decision(number, seconds, self.pace.sweeps, kind, chunks, source, target, why, gain)
        )

    def came_out(self, kind: str, outcome: str) -> None:
        """Add how the latest decisions of a kind turned out, where that is not known yet."""
        for number, decision in enumerate(self.decisions):
            if decision.kind == kind and not decision.outcome:
                self.decisions[number] = replace(decision, outcome=outcome)

    def _measure(self, costs: Sequence[float], seconds: Sequence[float]) -> None:
        """What the last re-plan gained in this pass: each decision has its share of it."""
        assert self._pending is not None
        before, numbers = self._pending
        would = self.pace.would_take(before, costs)
        expected = sum(self.decisions[n].expected_gain for n in numbers)
        for n in numbers:
            share = self.decisions[n].expected_gain / expected
            gain = None if would is None else share * (would - max(seconds))
            outcome = f"imbalance {self.pace.imbalance:.2f}"
            self.decisions[n] = replace(self.decisions[n], measured_gain=gain, outcome=outcome)
        self._pending = None

    def _note_placed(self, plan: Plan, locations: Sequence[str | None]) -> None:
        moved: dict[tuple[str, str], list[int]] = {}
        for ids, owner in zip(plan.shards, plan.owners, strict=True):
            for chunk in ids:
                home = locations[chunk]
                if home is not None and home != owner:
                    moved.setdefault((home, owner), []).append(chunk)
        why = {
            "resources": "spread over the workers that have the resources",
            "finish-time": "done earliest there, by measured speeds",
        }.get(self.placement.by, "no thread for it where it is")
        for (home, owner), chunks in moved.items():
            self.decide("placed", tuple(sorted(chunks)), home, owner, why)
