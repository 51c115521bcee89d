"""What is wanted, as a record on disk: a gateway that starts again goes on from it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, final

from daskml_dist.errors import DaskmlDistError
from daskml_dist.serve.processes import read_json, write_json

_EVENTS = 200


class StateInvalid(DaskmlDistError, ValueError):
    """The state of a deployment is damaged."""


@final
@dataclass
class Desired:
    """A deployment.

    Attributes
    ----------
    model : its name. spec : what was asked for, such as "claims@champion".
    replicas : that must be ready.
    counts : replicas of each version that are wanted now.
    shares : of requests, by version.
    directories : where versions lie.
    replica_of : version of each replica, by id. agent_of : who keeps it.
    failed : versions that did not work, and why.
    history : versions that were served, the last is served now.
    seen : version that the alias had when it was last looked at.
    token : that replicas ask for.
    port, admin_port : of the gateway.
    events : what happened, the latest last.
    """

    model: str
    spec: str
    replicas: int
    counts: dict[str, int] = field(default_factory=dict)
    shares: dict[str, float] = field(default_factory=dict)
    directories: dict[str, str] = field(default_factory=dict)
    replica_of: dict[str, str] = field(default_factory=dict)
    agent_of: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    history: list[str] = field(default_factory=list)
    seen: str = ""
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    port: int = 0
    admin_port: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def current(self) -> str | None:
        """The version that is served, or was last."""
        return self.history[-1] if self.history else None

    def tell(self, what: str, facts: Mapping[str, Any] | None = None) -> None:
        """Write down what happened."""
        self.events = [*self.events[-_EVENTS + 1 :], {"at": time.time(), "what": what, **(facts or {})}]

    def save(self, path: Path) -> None:
        """Write it, entirely or not at all."""
        write_json(path, asdict(self))

    @classmethod
    def load(cls, path: Path) -> Desired | None:
        """Read it; None where there is none.

        Raises
        ------
        StateInvalid
            It is damaged.
        """
        told = read_json(path)
        if told is None:
            if path.exists():
                raise StateInvalid(f"{path} is damaged; remove it to start anew")
            return None
        try:
            return cls(**told)
        except TypeError as error:
            raise StateInvalid(f"{path} is of another version ({error}); remove it to start anew") from error


def assign(
    counts: Mapping[str, int],
    replica_of: Mapping[str, str],
    agent_of: Mapping[str, str],
    agents: Collection[str],
    leaving: Collection[str],
) -> list[tuple[str, str]]:
    """Versions that lack replicas, each with the agent that keeps the fewest.

    Parameters
    ----------
    counts : wanted replicas of each version.
    replica_of, agent_of : version and agent of each replica there is.
    agents : that live.
    leaving : replicas that are being drained.

    Examples
    --------
    >>> assign({"1": 3}, {"r": "1"}, {"r": "a"}, ["a", "b"], ())
    [('1', 'b'), ('1', 'a')]
    """
    if not agents:
        return []
    load = dict.fromkeys(sorted(agents), 0)
    for identity, agent in agent_of.items():
        if agent in load and identity not in leaving:
            load[agent] += 1
    found = []
    for version, count in counts.items():
        here = sum(v == version and identity not in leaving for identity, v in replica_of.items())
        for _ in range(count - here):
            agent = min(load, key=lambda name: load[name])
            load[agent] += 1
            found.append((version, agent))
    return found
