"""Who may work: the threads of the workers that are there, by what they offer."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import final

from daskml_dist.cluster.memory import RESIDENT_SHARE
from daskml_dist.cluster.supervisor import Supervisor
from daskml_dist.errors import UnsupportedParameter
from daskml_dist.partition import Offer, by_resources


@final
class Roster:
    """The workers of a cluster, as far as they have what tasks need.

    Parameters
    ----------
    supervisor : of the fit.
    needs : what each task needs of the resources of Dask; empty for nothing.
    """

    def __init__(self, supervisor: Supervisor, needs: Mapping[str, float]) -> None:
        self.supervisor, self.needs = supervisor, needs
        self.threads: tuple[str, ...] = ()  # as they were at the last look
        self._looked = 0.0

    def look(self) -> tuple[str, ...]:
        """The worker of each thread that may answer; waits for those that have been there before."""
        began = self._looked = time.monotonic()
        patience = self.supervisor.patience
        while True:
            try:
                self.threads = by_resources(self._offers(), self.needs)
                return self.threads
            except UnsupportedParameter:
                if not self.threads or time.monotonic() - began > patience.no_workers:
                    raise
                time.sleep(patience.tick)

    @property
    def stale(self) -> bool:
        """Whether the last look was more than a tick ago."""
        return time.monotonic() - self._looked > self.supervisor.patience.tick

    def limited(self) -> list[Offer]:
        """Those of the last look that have a limit of memory."""
        able = set(self.threads)
        return [offer for offer in self._offers() if offer.memory and offer.worker in able]

    def rooms(self, workers: Iterable[str]) -> dict[str, float]:
        """Bytes of data that may stay on each of these workers, where there is a limit."""
        wanted = set(workers)
        return {o.worker: RESIDENT_SHARE * o.memory for o in self.limited() if o.worker in wanted}

    def _offers(self) -> list[Offer]:
        """What each worker has that is there to stay."""
        infos = self.supervisor.wait_for_workers()
        staying = {w: info for w, info in infos.items() if info["status"] != "closing_gracefully"}
        return [
            Offer(worker, info["nthreads"], info["memory_limit"] or 0.0, info["resources"])
            for worker, info in (staying or infos).items()
        ]
