"""The drift of a deployment: counts of all replicas added up, and judged for each version."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, final

import numpy as np
import orjson

from daskml_dist import drift
from daskml_dist.errors import InvalidData
from daskml_dist.serve.desired import Desired
from daskml_dist.serve.gateway_app import GatewayApp
from daskml_dist.serve.served import Served
from daskml_dist.serve.upstream import Lost
from daskml_dist.types import AnyArray

INTERVAL = 5.0
LEAST = 1000
"""Rows of a window."""


@final
class DriftWatch:
    """Asks replicas for their counts every few seconds, and judges windows of a thousand rows and more.

    Parameters
    ----------
    app : whose replicas are asked, and whose figures are told.
    desired : knows where versions lie.
    """

    def __init__(self, app: GatewayApp, desired: Desired) -> None:
        self._app, self._desired = app, desired
        self._references: dict[str, drift.Reference | None] = {}
        self._last: dict[
            tuple[str, int], AnyArray
        ] = {}  # a replica at a port: its counts begin anew elsewhere
        self._window: dict[str, AnyArray] = {}
        self._judged: dict[str, list[dict[str, Any]]] = {}

    async def run(self) -> None:
        """Watch until it is cancelled."""
        while True:
            await asyncio.sleep(INTERVAL)
            for target in list(self._app.router.targets.values()):
                if not target.healthy:
                    continue
                path = f"/v2/models/{self._app.model}/drift"
                try:
                    answer = await self._app.pool.ask(target, self._app.request_of("GET", path), 1.0)
                except Lost:
                    continue
                if answer.status == 200 and (counts := orjson.loads(answer.body)["counts"]) is not None:
                    self._add(target.version, (target.id, target.port), np.array(counts, dtype=np.int64))
            self._app.figures.drift = [told for judged in self._judged.values() for told in judged]

    def _add(self, version: str, key: tuple[str, int], counts: AnyArray) -> None:
        reference = self._reference(version)
        if reference is None or counts.shape != reference.counts.shape:
            return
        fresh = counts - self._last.get(key, 0)
        self._last[key] = counts
        window: AnyArray = self._window.get(version, 0) + fresh
        if int(window[0].sum()) < LEAST:
            self._window[version] = window
            return
        self._window.pop(version, None)
        try:
            judgements = drift.judge(reference, window)
        except InvalidData:
            return
        self._judged[version] = [
            {
                "version": version,
                "column": j.column,
                "psi": j.psi,
                "rows": j.rows,
                "threshold": j.threshold,
                "drifted": j.drifted,
            }
            for j in judgements
        ]

    def _reference(self, version: str) -> drift.Reference | None:
        if version not in self._references:
            directory = self._desired.directories.get(version)
            try:
                self._references[version] = Served(Path(directory)).reference if directory else None
            except (OSError, ValueError):
                self._references[version] = None
        return self._references[version]
