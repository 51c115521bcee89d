"""Rows as they come, a few at a time, counted in the bins of a reference."""

from __future__ import annotations

from typing import final

import numpy as np

from daskml_dist.drift.bins import Counts, Reference, answers_of, count
from daskml_dist.errors import InvalidData
from daskml_dist.types import AnyArray

_ROWS = 256  # counted at once: what a call of NumPy costs is shared, and the block stays in the cache


@final
class Counter:
    """Counts rows in the cells of a reference; what several counters `take` adds up by ``+``.

    Small requests wait in a buffer and are counted 256 rows at a time. One thread at a time may use it.

    Parameters
    ----------
    reference : whose columns X and the scores have.

    Examples
    --------
    >>> import numpy as np
    >>> from daskml_dist.drift import reference
    >>> counter = Counter(reference(np.arange(100.0)[:, None], ["age"], bins=2))
    >>> counter.add(np.array([[-1.0], [3.0], [70.0], [71.0], [200.0], [np.nan]]))
    >>> counter.take()  # below, two bins, above, missing
    array([[1, 1, 2, 1, 1]])
    """

    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        self._features = reference.features
        self._scores = reference.scores
        self._waiting: list[AnyArray] = []
        self._waiting_scores: list[AnyArray] = []
        self._rows = 0
        self._counts = np.zeros_like(reference.counts)

    def add(self, X: AnyArray, scores: AnyArray | None = None) -> None:
        """Count rows.

        Parameters
        ----------
        X : (n, p) features, NaN where missing. Held, not copied, until 256 rows are together: do not write
            into it afterwards.
        scores : (n,) or (n, k) answers of the model; just where the reference has them.

        Raises
        ------
        InvalidData
            For other columns than those of the reference; nothing is counted then.
        """
        shape = X.shape
        if len(shape) != 2 or shape[1] != self._features:
            raise InvalidData(f"rows of {self._features} features were expected, and X has the shape {shape}")
        if self._scores or scores is not None:
            self._waiting_scores.append(answers_of(scores, shape[0], self._scores))
        self._waiting.append(X)
        self._rows += shape[0]
        if self._rows >= _ROWS:
            self._count()

    def take(self) -> Counts:
        """The counts since the last call, (columns, bins + 3); the counter begins anew."""
        self._count()
        taken, self._counts = self._counts, np.zeros_like(self._counts)
        return taken

    def _count(self) -> None:
        if not self._rows:
            return
        data = np.concatenate(self._waiting).astype(np.float64, copy=False)
        if self._scores:
            data = np.concatenate([data, np.concatenate(self._waiting_scores)], axis=1)
        self._waiting, self._waiting_scores, self._rows = [], [], 0
        self._counts += count(self._reference.thresholds, data)
