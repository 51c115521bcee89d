"""How large chunks should be, and why."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from daskml_dist.advice._cost import overhead, pass_cost, slope
from daskml_dist.advice._machine import Machine
from daskml_dist.advice._work import Work

_OVERHEAD = 0.05  # of a chunk's time that may be spent on other things than its rows
_A_THREAD = 4  # chunks, so that shards can be balanced
_LARGEST = 128 * 2.0**20
_SHARE = 1 / 8  # of a thread's memory


@final
@dataclass(frozen=True)
class Chunks:
    """Chunks that suit the fit.

    Attributes
    ----------
    rows, features : of a chunk: all features where the model stays whole. count : how many there are then.
    why : in words.
    """

    rows: int
    features: int
    count: int
    why: str

    @property
    def shape(self) -> tuple[int, int]:
        """For ``X.rechunk``."""
        return self.rows, self.features

    def __repr__(self) -> str:
        return self.why


def recommended(work: Work, machine: Machine) -> Chunks:
    """Rows enough to outweigh a chunk's overhead, few enough for memory and for an even share."""
    kind = work.usual
    fixed, by_row = overhead(work, machine, kind), slope(work, machine, kind)
    most = max(int(min(_LARGEST, _SHARE * machine.memory / machine.threads) / work.row_bytes), 1)
    even = max(math.ceil(work.rows / (_A_THREAD * machine.slots)), 1)
    share = max(math.ceil(work.rows / machine.slots), 1)
    worth = math.ceil(fixed * (1 - _OVERHEAD) / (_OVERHEAD * by_row)) if by_row > 0 else even
    rows = min(max(even, min(worth, share)), most, share)
    count = math.ceil(work.rows / rows)
    now = pass_cost(work, machine)
    lost = len(work.chunks) * fixed / (len(work.chunks) * fixed + work.rows * by_row)
    spent = fixed / (fixed + rows * by_row)
    why = (
        f"{count:,} chunks of {rows:,} rows ({rows * work.row_bytes / 2**20:.3g} MiB): {spent:.0%} of a "
        f"pass's work is then overhead of chunks, and each of {machine.slots:,} threads has "
        f"{count / machine.slots:.3g} of them. Now there are {len(work.chunks):,}, overhead takes "
        f"{lost:.0%}, and the slowest thread takes {now.imbalance:.2f} times the mean."
    )
    return Chunks(rows, work.features, count, why)
