"""Counts as they come in, judged a window at a time; an alarm needs two windows in a row."""

from __future__ import annotations

from dataclasses import replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from daskml_dist.drift.bins import Counts, Reference
from daskml_dist.drift.judging import Judgement, check_counts, excess, judge
from daskml_dist.errors import InvalidData

_SUSPICIOUS = 0.1  # a column: what one window in ten shows by chance; each half must show that much


@final
class Window:
    """Collects counts until a window is full, and judges it together with the one before.

    A column is in alarm if the last two windows together are further from the training than chance allows
    (`judge` at `level`, so that no more than `level` of the pairs raise a false alarm over all columns), and
    each of the two alone is suspicious: one burst of strange rows is no drift.

    Parameters
    ----------
    reference : of the training.
    rows : of a window, at the least.
    level : the probability of one false alarm or more, a pair of windows, over all columns.

    Attributes
    ----------
    judgements : of the last two full windows together, `drifted` where in alarm; of the first alone while
        there is one, without alarm; empty before.
    """

    def __init__(self, reference: Reference, *, rows: int = 1000, level: float = 0.001) -> None:
        if rows < 1:
            raise InvalidData(f"rows={rows}; a window needs one row or more, and 1000 to say much")
        self._reference, self._rows, self._level = reference, rows, level
        self._open = np.zeros_like(reference.counts)
        self._before: Counts | None = None
        self.judgements: list[Judgement] = []

    @property
    def alarms(self) -> list[str]:
        """The columns in alarm."""
        return [judgement.column for judgement in self.judgements if judgement.drifted]

    def add(self, counts: Counts) -> bool:
        """Add counts of one replica or the sum of several.

        Returns
        -------
        bool
            Whether a window was filled, so that `judgements` are new.

        Raises
        ------
        InvalidData
            For counts of another reference.
        """
        check_counts(self._reference, counts)
        self._open = self._open + counts
        if self._open[0].sum() < self._rows:
            return False
        last, self._open = self._open, np.zeros_like(self._open)
        before, self._before = self._before, last
        if before is None:
            first = judge(self._reference, last, level=self._level)
            self.judgements = [replace(judgement, drifted=False) for judgement in first]
        else:
            self.judgements = self._pair(before, last)
        return True

    def _pair(self, before: Counts, last: Counts) -> list[Judgement]:
        together = judge(self._reference, before + last, level=self._level)
        both = self._suspicious(before) & self._suspicious(last)
        return [
            replace(judgement, drifted=judgement.drifted and suspicious)
            for judgement, suspicious in zip(together, both.tolist(), strict=True)
        ]

    def _suspicious(self, counts: Counts) -> NDArray[np.bool_]:
        psi, chance = excess(self._reference, counts, _SUSPICIOUS)
        return psi > chance
