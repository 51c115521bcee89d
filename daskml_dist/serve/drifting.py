"""The rows of a replica counted in the bins of its model's reference, many at a time."""

from __future__ import annotations

from typing import final

import numpy as np

from daskml_dist.drift import Counter, Reference
from daskml_dist.types import AnyArray, FloatArray

_TOGETHER = 256  # rows that are counted at once: what a call of NumPy costs is shared


@final
class Drift:
    """What came since the start.

    Parameters
    ----------
    reference : None where the model has none; then nothing is counted.
    """

    def __init__(self, reference: Reference | None) -> None:
        self._counter = None if reference is None else Counter(reference)
        self._scored = reference is not None and reference.scores > 0
        self._total: AnyArray | None = None
        self._rows: list[FloatArray] = []
        self._scores: list[AnyArray] = []
        self._waiting = 0

    def add(self, X: FloatArray, scores: AnyArray | None) -> None:
        """Count (n, p) features, and their scores where the reference has them."""
        if self._counter is None:
            return
        if self._scored:
            if scores is None:
                return
            self._scores.append(scores)
        self._rows.append(X)
        self._waiting += len(X)
        if self._waiting >= _TOGETHER:
            self._count()

    def counts(self) -> list[list[int]] | None:
        """Rows in each cell, (columns, cells); None without a reference."""
        if self._counter is None:
            return None
        self._count()
        taken = self._counter.take()
        self._total = taken if self._total is None else self._total + taken
        counted: list[list[int]] = self._total.tolist()
        return counted

    def _count(self) -> None:
        if self._rows and self._counter is not None:
            self._counter.add(
                np.concatenate(self._rows), np.concatenate(self._scores) if self._scored else None
            )
        self._rows, self._scores, self._waiting = [], [], 0
