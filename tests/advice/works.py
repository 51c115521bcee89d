"""Works and machines for the tests of the advice."""

from __future__ import annotations

from typing import Any

from daskml_dist.advice import Machine, Work


def work(chunks: tuple[int, ...] = (1000,) * 64, features: int = 10, **changed: Any) -> Work:
    """A fit of three gradient passes over equal chunks."""
    facts: dict[str, Any] = {
        "estimator": "LogisticRegression",
        "solver": "progressive-newton",
        "chunks": chunks,
        "features": features,
        "elements": float(features),
        "row_bytes": 8.0 * (features + 1),
        "parameters": features + 1,
        "gradients": 3,
        "batch": float(sum(chunks)),
    }
    return Work(**facts | changed)


def machine(**changed: Any) -> Machine:
    """A cluster with round numbers, where nothing costs anything that is not named."""
    nothing = dict.fromkeys(("element", "row", "product", "chunk", "number", "task", "latency", "hop"), 0.0)
    return Machine(**{**nothing, "bandwidth": 1e30, "memory": 1e12, **changed})
