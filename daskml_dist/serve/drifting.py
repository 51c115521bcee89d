"""The rows of a replica: counted, and in the bins of its model's reference, many at a time."""

from __future__ import annotations

from collections.abc import Callable
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
    reference : None where the model has none; then rows are counted, and in no bins.
    watched : the scores that drift is counted on, from margins.
    """

    def __init__(
        self, reference: Reference | None, watched: Callable[[FloatArray], FloatArray | None]
    ) -> None:
        self._counter = None if reference is None else Counter(reference)
        self._scored = reference is not None and reference.scores > 0
        self._watched = watched
        self._total: AnyArray | None = None
        self._waiting: list[tuple[FloatArray, FloatArray]] = []
        self._ones: list[FloatArray] = []  # single rows, and their only margins
        self._margins: list[float] = []
        self._number = 0
        self.rows, self._score_sum = 0, 0.0

    def add(self, X: FloatArray, margin: FloatArray) -> None:
        """Count (n, p) features and their (n, k) margins; both are kept until 256 rows are together."""
        self._waiting.append((X, margin))
        n = len(X)
        self.rows += n
        self._number += n
        if self._number >= _TOGETHER:
            self._count()

    def add_one(self, x: FloatArray, margin: float) -> None:
        """Count (1, p) features and their only margin."""
        self._ones.append(x)
        self._margins.append(margin)
        self.rows += 1
        self._number += 1
        if self._number >= _TOGETHER:
            self._count()

    def score_sum(self) -> float:
        """Sum of the last score over all rows."""
        self._count()
        return self._score_sum

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
        if self._ones:
            ones = np.concatenate(self._ones), np.array(self._margins)[:, None]
            self._waiting.append(ones)
            self._ones, self._margins = [], []
        if not self._waiting:
            return
        rows, margins = (np.concatenate(parts) for parts in zip(*self._waiting, strict=True))
        self._waiting, self._number = [], 0
        scores = self._watched(margins)
        if scores is not None:
            self._score_sum += float(scores.reshape(len(scores), -1)[:, -1].sum())
        if self._counter is not None:
            self._counter.add(rows, scores if self._scored else None)
