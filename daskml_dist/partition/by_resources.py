"""Threads of those workers that offer what a task needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

from daskml_dist.errors import UnsupportedParameter


@final
@dataclass(frozen=True)
class Offer:
    """What a worker has.

    Attributes
    ----------
    worker : its name.
    threads : how many tasks it runs at once.
    memory : bytes it may use; 0 for no limit.
    resources : the resources of Dask that it was started with, such as {"GPU": 2}.
    """

    worker: str
    threads: int
    memory: float = 0.0
    resources: Mapping[str, float] = field(default_factory=dict)

    def slots(self, wanted: Mapping[str, float]) -> int:
        """How many tasks that each need ``wanted`` it runs at once."""
        shares = (int(self.resources.get(name, 0.0) / amount) for name, amount in wanted.items())
        return min(self.threads, *shares) if wanted else self.threads


def by_resources(offers: Sequence[Offer], wanted: Mapping[str, float]) -> tuple[str, ...]:
    """The worker of each slot: as many for each worker as its threads and resources allow at once.

    One slot of each worker comes first, so that few chunks are spread over all of them.

    Parameters
    ----------
    offers : of all workers.
    wanted : what each task needs, by the name of the resource; nothing for no restriction.

    Raises
    ------
    UnsupportedParameter
        No worker offers enough; the message says what each of them does.
    """
    slots = {offer.worker: offer.slots(wanted) for offer in offers}
    if offers and not any(slots.values()):
        raise UnsupportedParameter(_nobody(offers, wanted))
    most = max(slots.values(), default=0)
    return tuple(worker for thread in range(most) for worker in sorted(slots) if slots[worker] > thread)


def _nobody(offers: Sequence[Offer], wanted: Mapping[str, float]) -> str:
    def told(offer: Offer) -> str:
        return f"{offer.worker} offers {dict(offer.resources) or 'none'}"

    named = sorted(offers, key=lambda offer: offer.worker)
    more = f", and {len(named) - 8} more workers" if len(named) > 8 else ""
    start = " ".join(f"{name}={amount:g}" for name, amount in wanted.items())
    return (
        f"resources={dict(wanted)!r} was given, and no worker has that: "
        f"{'; '.join(told(offer) for offer in named[:8])}{more}. Ask for what they offer, or start workers "
        f"with it (dask worker --resources '{start}')."
    )
