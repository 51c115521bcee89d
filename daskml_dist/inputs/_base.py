"""The contract of a container: recognise it, read it, restore it.

A container is a kind of object that holds rows. Reading it computes nothing: what is in memory
becomes a NumPy array, what is lazy becomes a dask array of the same chunks. Restoring puts one
result a row back into the same kind of object, with its index, names, dims and coords.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from daskml_dist.types import AnyArray

Kind = Literal["numpy", "scipy sparse", "pandas", "dask array", "dask dataframe", "xarray"]

BlockFunction = Callable[[AnyArray], AnyArray]
"""Maps a C-contiguous block (m, p), or a sparse one, m > 0, to (m,) or (m, k)."""


@dataclass(frozen=True)
class Chosen:
    """Rows that are to be taken from one container or several, chunk by chunk.

    Attributes
    ----------
    fold : (n,) dask array of integers, one a row.
    wanted : (F,) the folds whose rows are taken.
    rows : rows of each chunk.
    taken : how many of them are taken.
    index : (m,) positions of the rows that are taken, in ascending order; None where nobody needs them.
    """

    fold: Any
    wanted: AnyArray
    rows: tuple[int, ...]
    taken: tuple[int, ...]
    index: AnyArray | None = None


@dataclass(frozen=True)
class RowMap:
    """A function of the rows of X, and what its result looks like.

    Attributes
    ----------
    function : maps (m, p) to (m,) or (m, k); pure NumPy and picklable.
    n_features : p, what the function expects.
    outputs : labels of the k columns of a 2-D result, or None for a 1-D one.
    dtype : of the result.
    name : of the result, where the container has one.
    output_dim : the name of the second dim of a 2-D result, where the container has dims.
    feature_names : names the columns in errors; None counts them.
    """

    function: BlockFunction
    n_features: int
    outputs: tuple[Any, ...] | None
    dtype: np.dtype[Any]
    name: str | None
    output_dim: str
    feature_names: AnyArray | None

    def empty(self) -> AnyArray:
        """The result for no rows."""
        shape = (0,) if self.outputs is None else (0, len(self.outputs))
        return np.empty(shape, dtype=self.dtype)


class Container(ABC):
    """One kind of object that holds rows; stateless."""

    kind: ClassVar[Kind]

    @abstractmethod
    def recognises(self, values: object) -> bool:
        """Say whether ``values`` is of this kind; cheap."""

    @abstractmethod
    def features(self, X: Any) -> tuple[int, AnyArray | None]:
        """The number of columns, and their names where all of them are strings."""

    @abstractmethod
    def matrix(self, X: Any, *, estimator: object, min_rows: int) -> Any:
        """X as (n, p) numbers: a NumPy array, a csr_array, or a dask array of them with one column chunk.

        Raises
        ------
        ValueError
            Not 2-D, no columns, fewer rows than ``min_rows`` (where they are known), or columns
            that are no real numbers.
        TypeError
            Blocks of another kind.
        """

    @abstractmethod
    def column(self, values: Any, name: str) -> Any:
        """A target, weight or offset as an array of one or two dimensions; its dtype is not judged."""

    @abstractmethod
    def needs_index(self, values: Any) -> bool:
        """Say whether ``take`` needs the positions of the rows in memory."""

    @abstractmethod
    def take(self, values: Any, chosen: Chosen) -> Any:
        """Some rows in their order, of any dtype and number of dims, in the kind of the container.

        Raises
        ------
        ChunkMismatch
            Its rows cannot be brought together with those that were chosen.
        InvalidData
            It has another number of rows.
        """

    @abstractmethod
    def one_chunk_each(self, parts: list[Any]) -> Any:
        """Parts of this kind, one after the other, as a lazy container with one chunk for each."""

    @abstractmethod
    def apply(self, X: Any, row_map: RowMap) -> Any:
        """The function applied to each block of rows, in the kind of X, lazily where X is lazy."""
