"""Workers that come and go on purpose: the dead are replaced, and nobody is fought who scales a cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any, final
from weakref import WeakKeyDictionary

from distributed import Client
from distributed.deploy.adaptive import Adaptive
from distributed.deploy.spec import SpecCluster

from daskml_dist.cluster.scheduler_internals import adaptive_of


@final
class Crew:
    """The workers that a fit counts on: as many as it has seen, without those that were sent away.

    A worker was sent away if it was retired (``Client.retire_workers``) or the cluster was scaled down
    (``cluster.scale``), and not if it died, was dropped as silent, or reached its ``--lifetime``. An
    adaptive cluster replaces workers by itself; while the fit lasts it may add some and sends none away:
    between two questions it looks idle, and workers that went and came would be given their data again
    and again.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._adaptive = adaptive_of(client)
        self._seen: set[str] = set()
        self._sent_away: set[str] = set()
        self.expected = 0
        if self._adaptive is not None:
            _hold(self._adaptive, 1)

    def note(self, workers: Mapping[str, Any]) -> None:
        """Take note of the workers that are there now."""
        self._seen |= set(workers)
        if len(workers) > self.expected:
            self.expected = len(workers)
            if self._adaptive is not None:
                _raise_floor(self._adaptive, self.expected)

    def replace_missing(self, there: int) -> None:
        """Ask the cluster again for workers that died: jobs and killed nannies do not come back alone."""
        cluster: Any = self._client.cluster
        if there >= self.expected or cluster is None or self._adaptive is not None:
            return
        gone = (_sent_away(self._client) & self._seen) - self._sent_away
        self._sent_away |= gone
        self.expected -= len(gone)
        planned = self.expected
        if isinstance(cluster, SpecCluster):  # of others the plan is what is there
            planned = len(cluster.plan)
            self.expected = min(self.expected, planned)
        if there < self.expected:
            scale: Callable[[int], Any] = cluster.scale
            scale(max(self.expected, planned))  # more may have been asked for meanwhile

    def dismiss(self) -> None:
        """The fit is over; an adaptive cluster may do again what it likes."""
        if self._adaptive is not None:
            _let_go(self._adaptive)
            self._adaptive = None


def _sent_away(client: Client) -> set[str]:
    """The addresses of workers that somebody retired."""
    events: Any = client.get_events("all")
    return {
        event["worker"]
        for _, event in events
        if isinstance(event, dict)
        and event.get("action") == "remove-worker"
        and str(event.get("stimulus_id")).startswith("retire-workers")
    }


#: of each adaptive cluster: its own minimum, and how many fits hold another one
_floors: WeakKeyDictionary[Adaptive, tuple[int, int]] = WeakKeyDictionary()
_lock = Lock()


def _hold(adaptive: Adaptive, least: int) -> None:
    with _lock:
        own, fits = _floors.get(adaptive, (adaptive.minimum, 0))
        _floors[adaptive] = own, fits + 1
    _raise_floor(adaptive, least)


def _raise_floor(adaptive: Adaptive, least: int) -> None:
    adaptive.minimum = int(min(max(adaptive.minimum, least), adaptive.maximum))


def _let_go(adaptive: Adaptive) -> None:
    with _lock:
        own, fits = _floors.pop(adaptive)
        if fits > 1:
            _floors[adaptive] = own, fits - 1
        else:
            adaptive.minimum = own
