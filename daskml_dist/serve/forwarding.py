"""A request on its way to the replicas: to which, how long and how often it is tried.

Without a task as long as the first replica answers, which nearly all do; a task when it must be tried again.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple, final

from daskml_dist.serve.patience import AGAIN, ATTEMPTS, Budget, Patience
from daskml_dist.serve.refusals import Refused
from daskml_dist.serve.routing import Router, Target
from daskml_dist.serve.upstream import Answer, Lost, Pool

_WAIT = 0.02  # seconds between two looks for a replica, where there is none


@final
class Errand(NamedTuple):
    """What is to be sent.

    Attributes
    ----------
    request : head and body.
    again : whether it may be sent twice.
    version : the only one that may answer, or None.
    point : decides on the version where versions have shares.
    end : time of the loop at which it must be answered.
    """

    request: bytes
    again: bool
    version: str | None
    point: float
    end: float


Done = Callable[[Answer | Refused, str], None]
"""Is told the answer, and the version that gave it ("" where none did)."""


@final
class Forwarder:
    """Sends requests to replicas.

    Parameters
    ----------
    router : knows the replicas. pool : of connections to them.
    retries : counts by reason.
    """

    def __init__(self, router: Router, pool: Pool, retries: Counter[str]) -> None:
        self._router, self._pool, self._retries = router, pool, retries
        self._budget, self._patience = Budget(), Patience()
        self._tasks: set[asyncio.Task[None]] = set()

    def forward(self, errand: Errand, done: Done) -> None:
        """Send a request; ``done`` is told the answer, or that there is none."""
        self._budget.request()
        target = self._router.choose((), errand.point, errand.version)
        connection = None if target is None else self._pool.idle(target)
        if target is None or connection is None:
            self._in_a_task(errand, done, None)
            return
        now = self._pool.loop.time()

        def answered(found: Answer | Lost) -> None:
            answer = self._judged(target, found, now)
            if isinstance(answer, str):
                self._in_a_task(errand, done, (target, answer))
            else:
                done(answer, target.version)

        target.outstanding += 1
        connection.ask(errand.request, min(now + self._patience.timeout(0), errand.end), answered)

    async def ask(self, errand: Errand) -> tuple[Answer, str]:
        """The answer, and the version that gave it.

        Raises
        ------
        Refused
            503 where no replica answers; 404 where the version is not served.
        """
        self._budget.request()
        return await self._insist(errand, None)

    def _in_a_task(self, errand: Errand, done: Done, failed: tuple[Target, str] | None) -> None:
        async def insist() -> None:
            try:
                answer, version = await self._insist(errand, failed)
            except Refused as refused:
                done(refused, "")
            else:
                done(answer, version)

        task = self._pool.loop.create_task(insist())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _insist(self, errand: Errand, failed: tuple[Target, str] | None) -> tuple[Answer, str]:
        """Try until a replica answers; ``failed`` has tried already."""
        tried: list[Target] = []
        for attempt in range(ATTEMPTS):
            if attempt == 0 and failed is not None:
                target, reason = failed
            else:
                target = await self._target(tried, errand)
                found = await self._attempt(target, errand, attempt)
                if not isinstance(found, str):
                    return found, target.version
                reason = found
            tried.append(target)
            sent = reason != "connect"
            late = self._pool.loop.time() >= errand.end
            if (sent and not errand.again) or late or not self._budget.take():
                break
            self._retries[reason] += 1
        raise Refused(503, "no replica has answered; try again", "replicas", retry_after=1)

    async def _attempt(self, target: Target, errand: Errand, attempt: int) -> Answer | str:
        """The answer, or why there is none."""
        now = self._pool.loop.time()
        target.outstanding += 1
        timeout = min(self._patience.timeout(attempt), errand.end - now)
        try:
            found: Answer | Lost = await self._pool.ask(target, errand.request, timeout)
        except Lost as lost:
            found = lost
        except asyncio.CancelledError:
            target.outstanding -= 1
            raise
        return self._judged(target, found, now)

    def _judged(self, target: Target, found: Answer | Lost, asked: float) -> Answer | str:
        """Note what became of an attempt: the answer, or why there is none."""
        target.outstanding -= 1
        if isinstance(found, Lost):
            target.lost = target.lost or found.reason in ("connect", "reset")
            return found.reason
        if found.status in AGAIN:
            return "status"
        target.answered += 1
        self._patience.answered(self._pool.loop.time() - asked)
        return found

    async def _target(self, tried: list[Target], errand: Errand) -> Target:
        """A replica; where there is none, one is waited for."""
        version = errand.version
        while (target := self._router.choose(tried, errand.point, version)) is None:
            known = version is None or any(t.version == version for t in self._router.targets.values())
            if not known:
                raise Refused(404, f"version {version} is not served", "path")
            if self._pool.loop.time() + _WAIT > errand.end:
                raise Refused(503, "no replica is ready; try again", "replicas", retry_after=1)
            await asyncio.sleep(_WAIT)
        return target
