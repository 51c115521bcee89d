"""Rolling updates and canaries as conversations: generators that yield steps and are sent why one failed,
or None.

Nothing here starts or stops anything. Old replicas are only lowered when as many new ones are ready and
have been
watched; so at no time are fewer than N ready, and at the first bad replica the old ones are all that is left.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class Raise:
    """Have so many replicas of a version ready; sent why that is impossible."""

    version: str
    count: int


@final
@dataclass(frozen=True)
class Guard:
    """Watch a version for a while; sent what is wrong with its answers."""

    version: str


@final
@dataclass(frozen=True)
class Weigh:
    """Give versions shares of the requests; none: all replicas alike."""

    shares: tuple[tuple[str, float], ...]


@final
@dataclass(frozen=True)
class Lower:
    """Drain and stop all but so many replicas of a version."""

    version: str
    count: int


Step = Raise | Guard | Weigh | Lower
Conversation = Generator[Step, str | None, str | None]
"""Its value is why it failed, or None."""


def roll(number: int, running: Mapping[str, int], new: str) -> Conversation:
    """Replace all versions by a new one, one replica at a time.

    Parameters
    ----------
    number : replicas that must be ready at any time.
    running : replicas of each version now.
    new : version.
    """
    old = {version: count for version, count in running.items() if version != new}
    here = running.get(new, 0)
    yield Weigh(())
    if not old:
        return (yield from _raised(new, number, here))
    for count in range(here + 1, number + 1):
        why = (yield Raise(new, count)) or (yield Guard(new))
        if why is not None:
            yield from _restored(running, new)
            return why
        yield from _lowered(old, max(0, number - count))
    yield from _lowered(old, 0)
    return None


def canary(number: int, running: Mapping[str, int], new: str, percent: float) -> Conversation:
    """Give a new version so many per cent of the requests; 0 takes it back, 100 completes it.

    Parameters
    ----------
    number, running, new : as for `roll`.
    percent : 0 to 100.
    """
    old = {version: count for version, count in running.items() if version != new}
    if not old:
        return "there is no other version to compare with"
    (base, *_) = sorted(old, key=lambda version: -old[version])
    if percent <= 0.0:
        yield Weigh(())
        yield Lower(new, 0)
        return None
    share = min(1.0, percent / 100.0)
    why = yield Raise(new, max(1, math.ceil(number * share - 1e-9)))
    if why is None:
        yield Weigh(((new, share), (base, 1.0 - share)))
        why = yield Guard(new)
    if why is not None:
        yield Weigh(())
        yield Lower(new, 0)
        return why
    if share == 1.0:
        yield from _lowered(old, 0)
        yield Weigh(())
    return None


def _raised(new: str, number: int, here: int) -> Conversation:
    """The first version: all replicas at once."""
    why = yield Raise(new, number)
    if why is not None:
        yield Lower(new, here)
    return why


def _restored(running: Mapping[str, int], new: str) -> Generator[Step, str | None, None]:
    """Have the old replicas back before the new ones go; where that is impossible the new ones stay."""
    for version, count in running.items():
        if version != new and (yield Raise(version, count)) is not None:
            return
    yield Lower(new, running.get(new, 0))


def _lowered(old: dict[str, int], left: int) -> Generator[Step, str | None, None]:
    """Lower old versions until ``left`` replicas of them are left, the fewest first."""
    for version in sorted(old, key=lambda name: old[name]):
        surplus = sum(old.values()) - left
        if surplus > 0 and old[version] > 0:
            old[version] -= min(surplus, old[version])
            yield Lower(version, old[version])
