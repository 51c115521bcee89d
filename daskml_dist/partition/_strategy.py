"""The contract of a strategy: which partition each row goes to, chunk by chunk."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final

import numpy as np
from numpy.typing import NDArray

from daskml_dist.errors import InvalidData, UnsupportedParameter
from daskml_dist.splits import Folds, Tally
from daskml_dist.types import AnyArray

Asks = Literal["rows", "labels", "groups", "keys", "features"]
"""What a strategy looks at: nothing but positions, labels or groups (both counted first), keys, or X."""

PartArray = NDArray[np.int32]


class Assignment(ABC):
    """A settled strategy: small, picklable, and the same wherever and whenever a chunk is asked for."""

    @abstractmethod
    def of(self, chunk: int, rows: int, column: Any = None) -> PartArray:
        """(rows,) the partition of each row of a chunk.

        Parameters
        ----------
        chunk : its number.
        rows : how many rows it has.
        column : what the strategy looks at: labels, groups or keys (rows,), or features (rows, p).

        Raises
        ------
        ChunkMismatch
            The chunk has other rows, labels or groups than when they were counted.
        InvalidData
            Values that have no place, as missing keys.
        """


@dataclass(frozen=True)
class Strategy(ABC):
    """A rule that puts rows into partitions; a frozen value whose fields are its parameters.

    Attributes
    ----------
    n_partitions : 1 or more.
    """

    n_partitions: int

    #: what it looks at
    asks: ClassVar[Asks]

    def __post_init__(self) -> None:
        n = self.n_partitions
        if not isinstance(n, int | np.integer) or isinstance(n, bool) or n < 1:
            raise UnsupportedParameter(f"n_partitions={n!r} was given; expected an integer, 1 or more.")

    def settle(self, tally: Tally, features: AnyArray | None = None) -> Assignment:
        """Where the rows of this table go.

        Parameters
        ----------
        tally : the rows of each chunk; by label or group where ``asks`` says so.
        features : (m, p) a sample of the rows, where ``asks`` is "features".

        Raises
        ------
        InvalidData
            Fewer rows, groups or different rows than partitions.
        """
        if self.n_partitions > tally.rows:
            raise InvalidData(
                f"n_partitions={self.n_partitions} is greater than the number of rows: {tally.rows}. A "
                "partition without rows is of no use: ask for fewer."
            )
        return Whole() if self.n_partitions == 1 else self._settle(tally, features)

    @abstractmethod
    def _settle(self, tally: Tally, features: AnyArray | None) -> Assignment:
        """The same for two partitions or more, and at least as many rows."""


@final
@dataclass(frozen=True)
class Whole(Assignment):
    """Everything in one partition."""

    def of(self, chunk: int, rows: int, column: Any = None) -> PartArray:
        return np.zeros(rows, dtype=np.int32)


@final
@dataclass(frozen=True)
class Folded(Assignment):
    """The folds of a settled split are the partitions."""

    folds: Folds

    def of(self, chunk: int, rows: int, column: Any = None) -> PartArray:
        return self.folds.of(chunk, rows, column, column)
