"""The state of a deployment as JSON: what `daskml-dist status` and the live page show."""

from __future__ import annotations

import time
from typing import Any

from daskml_dist.serve.controller import Controller
from daskml_dist.serve.gateway_app import GatewayApp


def status_of(controller: Controller, app: GatewayApp, url: str) -> dict[str, Any]:
    """The state.

    Returns
    -------
    name, model, url, state; versions with weight, wanted, ready and why one failed; replicas, agents,
    requests, seconds, drift, the change that is under way, and the latest events.
    """
    desired, router, figures = controller.desired, app.router, app.figures
    total = sum(figures.requests.values())
    seconds = figures.seconds
    errors = sum(count for (_, status), count in figures.requests.items() if status >= 500)
    versions = {*desired.counts, *desired.failed}
    return {
        "name": desired.model,
        "model": desired.spec,
        "url": url,
        "current": desired.current,
        "state": _state(controller, app),
        "replicas_wanted": desired.replicas,
        "versions": {
            version: {
                "weight": desired.shares.get(version),
                "wanted": desired.counts.get(version, 0),
                "ready": router.ready(version),
                "failed": desired.failed.get(version),
            }
            for version in sorted(versions)
        },
        "replicas": controller.replicas(),
        "agents": controller.agents(),
        "requests": {
            "total": total,
            "errors": errors,
            "rejected": sum(figures.rejected.values()),
            "retries": sum(figures.retries.values()),
            "inflight": figures.inflight,
            "since": figures.since,
            "per_second": round(total / max(time.time() - figures.since, 1e-9), 2),
        },
        "seconds": {name: seconds.quantile(q) for name, q in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999))},
        "drift": figures.drift,
        "rolling": controller.rolling,
        "events": desired.events[-50:],
    }


def _state(controller: Controller, app: GatewayApp) -> str:
    if controller.stopping:
        return "stopping"
    if controller.rolling is not None:
        return "changing"
    ready = app.router.ready()
    return "ready" if ready >= controller.desired.replicas else "degraded" if ready else "unavailable"
