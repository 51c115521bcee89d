"""Waiting without trusting: no wait is endless, lost workers are replaced, worn-out work is made anew."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar, final

from distributed import Client, Future, KilledWorker, wait
from distributed.client import ClosedClientError, FutureCancelledError
from distributed.comm.core import CommClosedError
from distributed.scheduler import NoWorkerError

from daskml_dist.cluster.elastic import Crew
from daskml_dist.cluster.scheduler_internals import drop_worker, forgive, reconnect_for
from daskml_dist.cluster.shards import ShardMoved
from daskml_dist.errors import ClusterGaveUp

T = TypeVar("T")

#: what a repair may cure; anything else is the user's or ours, and is raised at once
CURABLE = (KilledWorker, FutureCancelledError, CancelledError, CommClosedError, NoWorkerError, ShardMoved)


@final
@dataclass(frozen=True)
class Patience:
    """How long to wait, in seconds, and how often to try.

    Attributes
    ----------
    tick : between two looks at the cluster.
    silent_worker : a worker that has not been heard of for this long is taken for dead.
    no_workers : how long the cluster may be without any worker.
    no_scheduler : how long the scheduler may be away.
    stalled : no question may take longer than this, or than 30 times the longest one so far.
    attempts : how often one question is asked in all.
    reads : how often a task is run that raises OSError, as where a file cannot be read for a moment.
    """

    tick: float = 0.5
    silent_worker: float = 30.0
    no_workers: float = 120.0
    no_scheduler: float = 120.0
    stalled: float = 600.0
    attempts: int = 20
    reads: int = 3


class Stalled(RuntimeError):
    """A question took far longer than any before."""


@final
class Supervisor:
    """Waits for futures of one fit, and repairs the cluster meanwhile."""

    def __init__(self, client: Client, patience: Patience) -> None:
        self.client = client
        self.patience = patience
        self.repairs: list[str] = []
        self.heed: Callable[[], None] = lambda: None
        scheduler: Any = client.scheduler
        self._address: str = scheduler.address
        self._timeout = reconnect_for(client, patience.no_scheduler)
        if self._timeout is None or self._timeout > patience.no_scheduler:  # it is more patient than that
            reconnect_for(client, self._timeout)
        self._crew = Crew(client)
        self._longest = 0.0
        self._last_seen_any = -math.inf
        self._silent: dict[str, tuple[float, float]] = {}
        self._scheduler = self._known_scheduler = ""
        self.workers()  # whom the fit counts on
        self._known_scheduler = self._scheduler

    def workers(self) -> dict[str, Any]:
        """What the scheduler knows of each worker, by address; nothing while it cannot be reached."""
        if self.client.status != "running":  # the client would tell what it knew before
            return {}
        try:
            info: Any = self.client.scheduler_info(n_workers=-1)
        except (OSError, TimeoutError):
            return {}
        workers, self._scheduler = dict(info["workers"]), info["id"]
        self._crew.note(workers)
        return workers

    def dismiss(self) -> None:
        """The fit is over: the client and its cluster are as they were before."""
        self._crew.dismiss()
        reconnect_for(self.client, self._timeout)

    def insist(
        self,
        attempt_once: Callable[[], T],
        repair: Callable[[BaseException], None],
        keys: Callable[[], list[str]],
    ) -> T:
        """What ``attempt_once()`` returns, tried again after a repair when the cluster lost the work.

        Parameters
        ----------
        attempt_once : submits the work under keys that were never used before, and waits with ``result``
            or ``settle``.
        repair : restores what the work depends on.
        keys : names the long-lived keys that must not wear out by the deaths of workers.
        """
        trouble: BaseException | None = None
        unread = 0
        for _ in range(self.patience.attempts):
            try:
                if trouble is not None:
                    self._recover(trouble, repair, keys)
                elif (
                    time.monotonic() - self._last_seen_any > self.patience.tick
                ):  # else one has just answered
                    self.wait_for_workers()
                found = attempt_once()
                self._last_seen_any = time.monotonic()
                return found
            except ClosedClientError as error:
                raise ClusterGaveUp(self._no_client()) from error
            except (*CURABLE, Stalled) as error:
                trouble = error
            except OSError as error:
                trouble = error
                unread += self.client.status == "running"  # else it is the scheduler that cannot be reached
                if unread == self.patience.reads:
                    raise
                time.sleep(self.patience.tick)
            self.repairs.append(f"{type(trouble).__name__}: {trouble}")
        assert trouble is not None
        raise ClusterGaveUp(self._why(trouble)) from trouble

    def result(self, future: Future[Any]) -> Any:
        """Wait for one future, looking after the cluster at every tick; cancel it if the wait ends early."""
        try:
            self.settle([future])
            return self.fetch(future)
        finally:
            if not future.done():
                future.cancel()
            future.release()

    def settle(self, futures: list[Future[Any]]) -> None:
        """Wait until all futures are done, without fetching them; raise the first error among them."""
        began = time.monotonic()
        waiting = futures
        while waiting:
            try:
                with self.client.as_current():
                    waiting = list(wait(waiting, timeout=self.patience.tick).not_done)
            except TimeoutError:
                waiting = [future for future in waiting if not future.done()]
                self.look(began)
        self._longest = max(self._longest, time.monotonic() - began)
        for future in futures:
            if future.status != "finished":
                self.fetch(future)

    def first(self, candidates: Callable[[], list[Future[Any]]], pulse: float) -> Future[Any]:
        """The first finished one of futures for the same answer, which are asked for every ``pulse`` seconds.

        Raises the error of one that failed, where none has finished.
        """
        began = looked = time.monotonic()
        while True:
            futures = candidates()
            done = [future for future in futures if future.done()]
            if done:
                self._longest = max(self._longest, time.monotonic() - began)
                winner = next((future for future in done if future.status == "finished"), done[0])
                if winner.status != "finished":
                    self.fetch(winner)
                return winner
            with suppress(TimeoutError), self.client.as_current():
                wait(futures, timeout=pulse, return_when="FIRST_COMPLETED")
            if time.monotonic() - looked > self.patience.tick:
                looked = time.monotonic()
                self.look(began)

    def fetch(self, future: Future[Any]) -> Any:
        """The result of a future that is done; its worker may have stopped answering since."""
        try:
            return future.result(timeout=self.patience.silent_worker)
        except TimeoutError as error:
            if future.status == "error":  # the task itself raised it
                raise
            raise Stalled(f"no worker sent a result within {self.patience.silent_worker:.0f} s") from error

    def wait_for_workers(self) -> dict[str, Any]:
        """``workers()`` once there are any; missing ones are asked for, and a scheduler may come back."""
        began, enough = time.monotonic(), 1
        while len(workers := self.workers()) < max(enough, 1):
            if self._scheduler_came_back():  # its workers come one by one, and one alone has little memory
                began, enough = time.monotonic(), self._crew.expected
            waited = time.monotonic() - began
            if workers and waited > self.patience.silent_worker:
                break
            if not workers and waited > self.patience.no_workers:
                raise ClusterGaveUp(self._no_workers())
            self._replace_missing(len(workers))
            time.sleep(self.patience.tick)
        self._last_seen_any = time.monotonic()
        return workers

    def _scheduler_came_back(self) -> bool:
        """Wait for the scheduler where it is away; whether it is another one than before."""
        began = time.monotonic()
        while self.client.status != "running":
            if self.client.status != "connecting":
                raise ClusterGaveUp(self._no_client())
            if time.monotonic() - began > self.patience.no_scheduler:
                raise ClusterGaveUp(self._no_scheduler())
            time.sleep(self.patience.tick)
        known, self._known_scheduler = self._known_scheduler, self._scheduler
        return known != self._scheduler

    def _recover(
        self, trouble: BaseException, repair: Callable[[BaseException], None], keys: Callable[[], list[str]]
    ) -> None:
        """Make whole what an attempt needs; what disturbs that is trouble like any other."""
        self.wait_for_workers()
        self._forgive(keys())
        repair(trouble)

    def look(self, began: float) -> None:
        """Replace and remove workers; raise Stalled where nothing was done since ``began`` for too long.

        And do what ``heed`` does, which may end the wait.
        """
        self.heed()
        workers = self.workers()
        self._replace_missing(len(workers))
        self._drop_silent(workers)
        if workers:
            self._last_seen_any = time.monotonic()
        elif time.monotonic() - max(self._last_seen_any, began) > self.patience.no_workers:
            raise Stalled(f"no worker for {self.patience.no_workers:.0f} s")
        limit = max(self.patience.stalled, 30.0 * self._longest)
        if time.monotonic() - began > limit:
            self._restart_busy()
            raise Stalled(f"no answer within {limit:.0f} s")

    def _replace_missing(self, there: int) -> None:
        """Have dead workers replaced; a scheduler that is away just now is asked the next time."""
        with suppress(OSError):
            self._crew.replace_missing(there)

    def _drop_silent(self, workers: dict[str, Any]) -> None:
        """Remove workers whose heartbeats stopped; times are this machine's own, not the cluster's."""
        now = time.monotonic()
        for address, info in workers.items():
            seen = float(info["last_seen"])
            before, since = self._silent.get(address, (seen, now))
            self._silent[address] = (seen, since if seen == before else now)
            if seen == before and now - since > self.patience.silent_worker:
                self.repairs.append(f"removed silent worker {address}")
                drop_worker(self.client, address)
                self._silent.pop(address)

    def _restart_busy(self) -> None:
        """Remove the workers that hold the stalled work."""
        processing: Any = self.client.processing()
        for address, keys in dict(processing).items():
            if keys:
                self.repairs.append(f"removed stalled worker {address}")
                drop_worker(self.client, address)

    def _forgive(self, keys: list[str]) -> None:
        if keys and self.client.status == "running":
            forgive(self.client, keys)

    def _no_workers(self) -> str:
        return (
            f"The cluster has had no worker for {self.patience.no_workers:.0f} s. Start workers for "
            f"{self._address}, or look into the workers' logs for why they die."
        )

    def _no_scheduler(self) -> str:
        return (
            f"The scheduler at {self._address} is gone and did not come back within "
            f"{self.patience.no_scheduler:.0f} s. Start it again, or connect to another one."
        )

    def _no_client(self) -> str:
        return (
            f"The client was closed, or its scheduler at {self._address} is gone and did not come back "
            f"within {self.patience.no_scheduler:.0f} s. Connect to a scheduler and fit again."
        )

    def _why(self, error: BaseException) -> str:
        tries = self.patience.attempts
        if isinstance(error, KilledWorker):
            return (
                f"The cluster could not answer a question in {tries} attempts; in the last one workers died "
                "again and again while they held the same work. The likely cause is memory: a chunk and what "
                "a kernel needs for it do not fit a worker's memory limit. Use smaller chunks, or workers "
                "with fewer threads or more memory; the workers' logs name the limit."
            )
        if isinstance(error, FutureCancelledError | CancelledError):
            return (
                f"The data were lost in the last of {tries} attempts and could not be made anew. Data that "
                "were scattered to the workers are gone when a worker dies, and those that were persisted "
                "when the scheduler does; build X and y from files or other tasks that can be run again."
            )
        return f"The cluster did not answer after {tries} attempts; the last failure was {error!r}."
