"""Messages as fits tell them, made up: what a page shows of them is known."""

from __future__ import annotations

import math
from typing import Any

Message = dict[str, Any]


def begin(fit: str = "fit-1", **changes: Any) -> Message:
    """A fit begins."""
    told = {"estimator": "LogisticRegression", "solver": "newton", "rows": 1_000_000, "features": 30}
    return {"event": "begin", "fit_id": fit, "number": 0, "tol": 1e-6, "max_passes": 100, **told, **changes}


def step(k: int, fit: str = "fit-1", **changes: Any) -> Message:
    """Pass k; the gap is 10^(-k/2)."""
    return {
        "event": "step",
        "fit_id": fit,
        "number": k,
        "passes": k,
        "question": "Sweep",
        "objective": 0.3 + 0.4 * math.exp(-k / 3),
        "gap": 10.0 ** (-k / 2),
        "gap_kind": "self-concordance",
        "gradient_norm": 10.0 ** (-k / 3),
        "step_size": 1.0,
        "rows": 1_000_000,
        "seconds": 0.5 * k,
        "tasks": 7,
        "partial_bytes": 8000,
        **changes,
    }


def workers(n: int) -> list[str]:
    """Their addresses."""
    return [f"tcp://10.0.{w // 100}.{w % 100}:4{w:04d}" for w in range(n)]


def placed(n: int = 8, fit: str = "fit-1", **changes: Any) -> Message:
    """One shard for each of n workers."""
    told = {"rows": [100_000] * n, "nbytes": [24_000_000] * n, "owners": workers(n), "chunks": 4 * n}
    return {"event": "placed", "fit_id": fit, "number": 1, "threads": n, "streamed": False, **told, **changes}


def work(k: int, n: int = 8, slow: int | None = None, fit: str = "fit-1", **changes: Any) -> Message:
    """Half a second, of which each worker computed 0.2 s, and a slow one 0.45 s."""
    busy = [0.45 if w == slow else 0.2 for w in range(n)]
    told = {"wall": 0.5, "asked": 0.48, "slowest": max(busy), "nbytes": 9000}
    at = {"event": "work", "fit_id": fit, "number": k, "passes": k, "seconds": 0.5 * k}
    return {**at, "workers": workers(n), "busy": busy, **told, **changes}


def coefficients(k: int, p: int = 20, fit: str = "fit-1", **changes: Any) -> Message:
    """p of them, with standard errors."""
    told = {"names": [f"x{j}" for j in range(p)], "values": [math.sin(j) * k for j in range(p)]}
    told |= {"errors": [0.1 + 0.05 * j for j in range(p)], "source": "Hessian of all rows"}
    at = {"event": "coefficients", "fit_id": fit, "number": k, "passes": k, "seconds": 0.5 * k}
    return {**at, **told, **changes}


def score(k: int, fit: str = "fit-1", **changes: Any) -> Message:
    """Of held-out rows."""
    at = {"event": "held_out", "fit_id": fit, "number": k, "passes": k, "seconds": 0.5 * k}
    return {**at, "score": 0.9 - 0.3 * math.exp(-k / 3), "error": 0.02, **changes}


def groups(n: int = 12, fit: str = "fit-1") -> Message:
    """The last three decide."""
    weights = [0.0] * (n - 3) + [0.2, 0.3, 0.5]
    told = {"names": [f"site {g}" for g in range(n)], "losses": [0.3 + 0.02 * g for g in range(n)]}
    return {
        "event": "groups",
        "fit_id": fit,
        "number": 5,
        "passes": 5,
        "seconds": 1.0,
        **told,
        "weights": weights,
    }


def stale(fit: str = "fit-1") -> Message:
    """What servers counted."""
    told = {"staleness": [0, 1, 2, 3], "pulls": [4000, 1200, 300, 20], "pushes": 5520, "nbytes": 12_345_678}
    return {"event": "stale", "fit_id": fit, "number": 6, "passes": 6, "seconds": 1.0, **told}


def candidates(fit: str = "fit-1") -> Message:
    """What a search found."""
    told = {"means": [0.6, 0.42, 0.4, 0.5], "errors": [0.02] * 4, "best": 2, "metric": "mean loss"}
    return {"event": "candidates", "fit_id": fit, "number": 7, "names": [f"c{i}" for i in range(4)], **told}


def decision(number: int = 0, fit: str = "fit-1", **changes: Any) -> Message:
    """Two chunks moved."""
    told = {"seconds": 1.2, "kind": "slow", "chunks": [3, 4], "target": "tcp://b", "why": "a is slow"}
    return {
        "event": "decision",
        "fit_id": fit,
        "number": 8,
        "decision": number,
        "outcome": "",
        **told,
        **changes,
    }


def control(command: str, value: float | None = None, fit: str = "fit-1") -> Message:
    """A command that was accepted."""
    at = {"event": "control", "fit_id": fit, "number": -1, "time": 1.8e9}
    return {**at, "command": command, "value": value}


def end(status: str = "converged", fit: str = "fit-1", **changes: Any) -> Message:
    """The fit is over."""
    told = {"status": status, "message": "", "passes": 12, "seconds": 6.1}
    return {"event": "end", "fit_id": fit, "number": 99, **told, **changes}


def everything(fit: str = "fit-1") -> list[Message]:
    """A fit that has something for every panel, and goes on."""
    told = [begin(fit), placed(fit=fit)]
    for k in range(1, 10):
        told += [step(k, fit), work(k, slow=5, fit=fit), coefficients(k, fit=fit), score(k, fit)]
    rest = [groups(fit=fit), stale(fit), candidates(fit), decision(fit=fit), control("rate", 2.0, fit)]
    return told + rest
