"""The active check of replicas: four times a second, each bearing the token that renews its lease."""

from __future__ import annotations

import asyncio
from typing import final

from daskml_dist.serve.gateway_app import GatewayApp
from daskml_dist.serve.routing import MISSES, Target
from daskml_dist.serve.upstream import Lost

INTERVAL = 0.25
TIMEOUT = 0.5


@final
class HealthChecks:
    """Asks every replica whether it is ready, and tells the router.

    Parameters
    ----------
    app : whose replicas are looked after.
    """

    def __init__(self, app: GatewayApp) -> None:
        self._app = app
        self._asking: set[Target] = set()
        self._request = app.request_of("GET", "/v2/health/ready")

    async def run(self) -> None:
        """Check until it is cancelled."""
        tasks: set[asyncio.Task[None]] = set()
        while True:
            for target in list(self._app.router.targets.values()):
                if target not in self._asking:  # one that does not answer is not asked twice at once
                    self._asking.add(target)
                    task = asyncio.create_task(self._check(target))
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
            await asyncio.sleep(INTERVAL)

    async def _check(self, target: Target) -> None:
        try:
            answer = await self._app.pool.ask(target, self._request, TIMEOUT)
            if answer.status == 200:
                target.misses, target.lost = 0, False
            else:
                target.misses = MISSES
        except Lost:
            target.misses += 1
        finally:
            self._asking.discard(target)
