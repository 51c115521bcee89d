"""The nouns that every room shares: arrays in, no behaviour beyond reading them.

Notation (docs/notation.md): n rows, p features, K problems solved at once, t targets;
w coefficients, b intercept, z = X @ w + b + offset the margin, s the sample weight.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
AnyArray = NDArray[Any]

GapKind = Literal["closed-form", "self-concordance", "strong-convexity", "duality", "estimate"]
"""How the gap is known. Everything but "estimate" is a proof."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One run of rows, as a kernel sees it.

    Attributes
    ----------
    id : position of the chunk in the table; seeds its random numbers and names it in errors.
    X : (n, p) features of any real dtype, or None where a kernel asks for the target only.
    y : (n,) or (n, t) target, or None.
    weight : (n,) sample weights, or None for all ones.
    offset : (n,) what is added to the margin, or None for zeros.
    groups : (n,) which group each row belongs to, or None.
    """

    id: int
    X: AnyArray | None
    y: AnyArray | None = None
    weight: AnyArray | None = None
    offset: AnyArray | None = None
    groups: AnyArray | None = None

    @property
    def columns(self) -> Mapping[str, AnyArray]:
        """The parts that are there, by the names that a user gave them."""
        parts = {
            "X": self.X,
            "y": self.y,
            "sample_weight": self.weight,
            "offset": self.offset,
            "groups": self.groups,
        }
        return {name: part for name, part in parts.items() if part is not None}


@dataclass(frozen=True)
class Table:
    """X, y, weight, offset and groups, aligned by rows and validated as far as is possible unread.

    Either all of them are NumPy arrays (``lazy`` is False), or all of them are dask arrays with
    the same row chunks and a single column chunk (``lazy`` is True).

    Attributes
    ----------
    X : (n, p); None where only the other columns are asked about.
    y : (n,) or (n, t), or None.
    weight, offset, groups : (n,), or None.
    chunks : rows of each chunk in order, or None where some lengths are unknown until computed.
    n_features : p.
    feature_names : names of the columns where the container had string names, else None.
    """

    X: Any
    y: Any
    weight: Any
    offset: Any
    chunks: tuple[int, ...] | None
    n_features: int
    feature_names: AnyArray | None
    lazy: bool
    groups: Any = None

    @property
    def columns(self) -> Mapping[str, Any]:
        """The parts that are there, by name."""
        parts = {
            "X": self.X,
            "y": self.y,
            "weight": self.weight,
            "offset": self.offset,
            "groups": self.groups,
        }
        return {name: part for name, part in parts.items() if part is not None}


@dataclass(frozen=True, slots=True)
class Cost:
    """What one question cost: scheduler tasks, bytes of partials that were combined, seconds."""

    tasks: int
    partial_bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Layout:
    """Who answers for what when a fit begins.

    Attributes
    ----------
    rows, nbytes : of each shard; bytes are 0 where they are not known.
    owners : the worker of each shard.
    chunks : how many the data have.
    threads : of all workers.
    streamed : whether the data are loaded anew for each question.
    """

    rows: tuple[int, ...]
    nbytes: tuple[int, ...]
    owners: tuple[str, ...]
    chunks: int
    threads: int
    streamed: bool


@dataclass(frozen=True, slots=True)
class Step:
    """One row of the history: what is known after a pass over the data.

    ``gap`` is relative: (F - minimum) / max(F, F_null / 1000), the unit of ``tol``.
    """

    passes: int
    question: str
    objective: float
    gap: float
    gap_kind: GapKind
    gradient_norm: float
    step_size: float
    rows: int
    seconds: float
    tasks: int
    partial_bytes: int


@dataclass(frozen=True, slots=True)
class Decision:
    """A change of who answers for which chunks, and why.

    Attributes
    ----------
    number : counts the decisions of a fit from 0.
    seconds : since the data were given to the cluster.
    sweeps : questions about X that had been answered before; the sample stages count.
    kind : "slow" (from a slow worker), "idle" (to one that had nothing to do), "left" (its worker is
        gone), "placed" (before the first question) or "backup" (a copy of work that is late).
    chunks : what moved, or was copied.
    source, target : the workers.
    why : the reason in words.
    expected_gain : seconds a pass; of a backup, seconds of this one.
    measured_gain : the same as it turned out in the next pass; None where it is not known (yet).
    outcome : how it turned out in words; empty where it is not known (yet).
    """

    number: int
    seconds: float
    sweeps: int
    kind: str
    chunks: tuple[int, ...]
    source: str
    target: str
    why: str
    expected_gain: float
    measured_gain: float | None = None
    outcome: str = ""
