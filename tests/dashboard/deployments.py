"""States of a deployment as a gateway tells them."""

from __future__ import annotations

from typing import Any

CANARY = "<script>alert(1)</script>"


def state(total: int = 1000, errors: int = 0, **changed: Any) -> dict[str, Any]:
    """One of them."""
    return {
        "name": "claims",
        "model": "claims@champion",
        "url": "http://127.0.0.1:8080",
        "current": "3",
        "state": "ready",
        "replicas_wanted": 2,
        "versions": {
            "3": {"weight": 0.95, "wanted": 2, "ready": 2, "failed": None},
            "4": {"weight": None, "wanted": 0, "ready": 0, "failed": f"golden rows {CANARY}"},
        },
        "replicas": [
            {
                "id": "r1", "version": "3", "agent": "a", "address": "127.0.0.1:4001", "state": "ready",
                "outstanding": 2, "restarts": 0, "why": "",
            },
            {
                "id": "r2", "version": "3", "agent": "b", "address": None, "state": "starting",
                "outstanding": 0, "restarts": 3, "why": "killed",
            },
        ],
        "agents": [{"name": "a", "alive": True}, {"name": "b", "alive": False}],
        "requests": {"total": total, "errors": errors, "rejected": 7, "retries": 5, "per_second": 1.0},
        "seconds": {"p50": 0.0008, "p99": 0.0031, "p999": None},
        "drift": [
            {"version": "3", "column": column, "psi": psi, "rows": 2000, "threshold": 0.028, "drifted": far}
            for column, psi, far in (("age", 0.01, False), ("bmi", 0.31, True))
        ],
        "rolling": None,
        "events": [{"at": 1_800_000_000.0, "what": "roll done", "version": "3"}],
        **changed,
    }  # fmt: skip
