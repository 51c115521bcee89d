"""Which chunks were counted, in a few bytes whatever their number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True)
class Counted:
    """How many chunks were counted, and the sums of their ids and of the squares of these.

    Three power sums determine which ids are missing or twice, up to two of each: a set of ids that
    grows with the chunks need not travel.
    """

    chunks: int = 0
    ids: int = 0
    squares: int = 0

    @classmethod
    def one(cls, chunk_id: int) -> Counted:
        """One chunk."""
        return cls(1, chunk_id, chunk_id**2)

    @classmethod
    def all(cls, n_chunks: int) -> Counted:
        """Each of the chunks 0 to n_chunks - 1, once."""
        n = n_chunks
        return cls(n, n * (n - 1) // 2, n * (n - 1) * (2 * n - 1) // 6)

    def __add__(self, other: Counted) -> Counted:
        return Counted(self.chunks + other.chunks, self.ids + other.ids, self.squares + other.squares)

    def check(self, n_chunks: int) -> None:
        """Raise unless each of n_chunks was counted once; a single culprit is named."""
        expected = Counted.all(n_chunks)
        if self == expected:
            return
        if self.chunks == n_chunks - 1:
            what = f"chunk {expected.ids - self.ids} of {n_chunks} was not counted"
        elif self.chunks == n_chunks + 1:
            what = f"chunk {self.ids - expected.ids} of {n_chunks} was counted twice"
        else:
            what = f"{self.chunks} chunks were counted, and not each of {n_chunks} once"
        raise AssertionError(what)
