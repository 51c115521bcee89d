"""The drift of a deployment: counts of all replicas added up, and judged for each version."""

from __future__ import annotations

import asyncio
from typing import Any, final

import numpy as np
import orjson

from daskml_dist import drift, edge
from daskml_dist.errors import InvalidData
from daskml_dist.serve.desired import Desired
from daskml_dist.serve.gateway_app import GatewayApp
from daskml_dist.serve.upstream import Lost
from daskml_dist.types import AnyArray

INTERVAL = 5.0


@final
class DriftWatch:
    """Asks replicas for their counts every few seconds, and tells the figures what windows of them say.

    Parameters
    ----------
    app : whose replicas are asked, and whose figures are told.
    desired : knows where versions lie.
    """

    def __init__(self, app: GatewayApp, desired: Desired) -> None:
        self._app, self._desired = app, desired
        self._windows: dict[str, drift.Window | None] = {}
        self._last: dict[tuple[str, int], AnyArray] = {}  # by id and port: a replica elsewhere begins anew

    async def run(self) -> None:
        """Watch until it is cancelled."""
        request = self._app.request_of("GET", f"/v2/models/{self._app.model}/drift")
        while True:
            await asyncio.sleep(INTERVAL)
            for target in list(self._app.router.targets.values()):
                if not target.healthy:
                    continue
                try:
                    answer = await self._app.pool.ask(target, request, 1.0)
                except Lost:
                    continue
                if answer.status == 200 and (counts := orjson.loads(answer.body)["counts"]) is not None:
                    await self._add(
                        target.version, (target.id, target.port), np.array(counts, dtype=np.int64)
                    )
            self._app.figures.drift = self._told()

    async def _add(self, version: str, key: tuple[str, int], counts: AnyArray) -> None:
        window = await self._window(version)
        if window is None:
            return
        fresh = counts - self._last[key] if key in self._last else counts
        self._last[key] = counts
        try:
            window.add(fresh)
        except InvalidData:  # the replica has another reference than the version's directory
            self._windows[version] = None

    async def _window(self, version: str) -> drift.Window | None:
        if version not in self._windows:
            directory = self._desired.directories.get(version)
            try:
                reference = await asyncio.to_thread(_reference, directory) if directory else None
            except (OSError, ValueError):
                reference = None
            self._windows[version] = None if reference is None else drift.Window(reference)
        return self._windows[version]

    def _told(self) -> list[dict[str, Any]]:
        return [
            {
                "version": version,
                "column": judged.column,
                "psi": judged.psi,
                "rows": judged.rows,
                "threshold": judged.threshold,
                "drifted": judged.drifted,
            }
            for version, window in self._windows.items()
            if window is not None and version in self._desired.counts
            for judged in window.judgements
        ]


def _reference(directory: str) -> drift.Reference | None:
    return drift.Reference.from_arrays(edge.load(directory).reference)
