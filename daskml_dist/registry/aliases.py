"""Aliases: each is an append-only history of events, the last of which says which version is meant.

Events are numbered entries of a folder, each with its own digest and that of the one before it. Nothing is
ever changed, and there is no lock that a killed process could leave behind.
"""

from __future__ import annotations

import getpass
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, final

from daskml_dist.edge import InvalidModel, digest_of, keys_of, parsed
from daskml_dist.registry.names import NotRegistered
from daskml_dist.storage import Folder, create_next, numbers, sealed_json

FILE = "event.json"
_FORMAT = "daskml_dist.alias"
_KEYS = set("format sha256 model alias number version action at by why previous".split())
_MOST = 1 << 16


@final
@dataclass(frozen=True)
class Event:
    """One event in the history of an alias.

    Attributes
    ----------
    model, alias : names. number : 1, 2, 3...
    version : which the alias means from now on.
    action : "promote" or "rollback".
    at : time in UTC. by, why : as they were given.
    """

    model: str
    alias: str
    number: int
    version: int
    action: str
    at: str
    by: str
    why: str


def read(folder: Folder, model: str, alias: str) -> list[Event]:
    """All events in order; the digests of a chain are checked.

    Raises
    ------
    InvalidModel
        An event is damaged, foreign, or does not follow from the one before it.
    """
    events: list[Event] = []
    previous = ""
    for number in numbers(folder):
        raw, told = _read(folder, number)
        if events and told["previous"] != previous:
            raise InvalidModel(f"{folder.address()}: event {number} does not follow from the one before it.")
        events.append(_event(folder, told, model, alias, number))
        previous = hashlib.sha256(raw).hexdigest()
    return events


def current(folder: Folder, model: str, alias: str) -> int:
    """The version that an alias means; only the last event is read."""
    found = numbers(folder)
    if not found:
        raise _no_alias(folder, model, alias)
    return _event(folder, _read(folder, found[-1])[1], model, alias, found[-1]).version


def append(
    folder: Folder,
    model: str,
    alias: str,
    action: str,
    choose: Callable[[list[Event]], int],
    by: str | None,
    why: str,
) -> Event:
    """Add an event.

    Parameters
    ----------
    folder : of the alias.
    choose : the version, from the events before this one; asked again where somebody else was faster.
    by : who; None for the user of this process.
    """
    if action == "rollback" and not numbers(folder):
        raise _no_alias(folder, model, alias)
    who = user() if by is None else by
    made: list[Event] = []

    def written(number: int) -> dict[str, bytes]:
        events = [event for event in read(folder, model, alias) if event.number < number]
        last = _read(folder, events[-1].number)[0] if events else b""
        at = datetime.now(UTC).isoformat(timespec="seconds")
        event = Event(model, alias, number, choose(events), action, at, who, why)
        made.append(event)
        body: dict[str, Any] = {"format": _FORMAT, "sha256": "", **vars(event)}
        return {FILE: sealed_json(body | {"previous": hashlib.sha256(last).hexdigest() if events else ""})}

    create_next(folder, {}, written)
    return made[-1]


def before(events: list[Event]) -> int:
    """The version to which a roll-back leads: each one undoes one promotion.

    Raises
    ------
    NotRegistered
        There is none before.
    """
    stack: list[int] = []
    for event in events:
        if event.action == "rollback":
            stack.pop()
        elif not stack or stack[-1] != event.version:
            stack.append(event.version)
    if len(stack) < 2:
        raise NotRegistered("There is no version to roll back to: the alias has meant no other one before.")
    return stack[-2]


def _no_alias(folder: Folder, model: str, alias: str) -> NotRegistered:
    return NotRegistered(
        f"there is no {model}@{alias} at {folder.address()}; promote a version of {model} to it."
    )


def user() -> str:
    """Who runs this process."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container without a user of this number
        return "unknown"


def _read(folder: Folder, number: int) -> tuple[bytes, dict[str, Any]]:
    where = f"{folder.address()}/{number}/{FILE}"
    try:
        raw = folder.child(str(number)).read_bounded(FILE, _MOST)
    except FileNotFoundError as error:
        raise InvalidModel(f"{where} is missing.") from error
    told = keys_of(parsed(raw, where), _KEYS, where)
    if told["format"] != _FORMAT or told["sha256"] != digest_of(raw, str(told["sha256"])):
        raise InvalidModel(f"{where} is damaged or was edited: its SHA-256 does not match.")
    return raw, told


def _event(folder: Folder, told: dict[str, Any], model: str, alias: str, number: int) -> Event:
    if (told["model"], told["alias"], told["number"]) != (model, alias, number) or type(
        told["version"]
    ) is not int:
        raise InvalidModel(f"{folder.address()}: event {number} is of another alias.")
    return Event(**{name: told[name] for name in Event.__dataclass_fields__})
