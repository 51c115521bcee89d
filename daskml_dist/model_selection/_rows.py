"""Rows of chunked data: one side of a split, of which nothing is computed until it is needed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import dask.array as da
import numpy as np

from daskml_dist import inputs
from daskml_dist.cluster import connect
from daskml_dist.inputs import Chosen
from daskml_dist.types import AnyArray


@final
@dataclass(frozen=True, eq=False)
class Rows:
    """Rows to train on or to test on, of data that are split in chunks.

    ``take`` gives these rows of anything that has the rows that were split. ``numpy.asarray`` gives
    their positions, which is what scikit-learn's splitters yield: they are computed, and gathered in
    this process, when somebody asks.

    Attributes
    ----------
    fold : (n,) dask array of integers, the fold of each row.
    wanted : (F,) bool, the folds whose rows these are.
    sizes : (chunks, F) rows of each chunk in each fold.
    """

    fold: Any
    wanted: AnyArray
    sizes: AnyArray

    def take(self, values: Any) -> Any:
        """These rows of ``values``, in the same kind of container and in the same order.

        Parameters
        ----------
        values : (n, ...) numpy, pandas, dask array, dataframe or series, or xarray, of any dtype.

        Returns
        -------
        What is lazy stays lazy, with known chunk lengths. Chunks without any of the rows are left out,
        and chunks with all of them are not touched. Index, divisions, names, dims and coords are kept.

        Raises
        ------
        InvalidData
            ``values`` has more or fewer rows than were split.
        ChunkMismatch
            It has chunks of unknown lengths that are not those that were split: at once where that is
            known, else when the chunk is computed.
        """
        index = self.index if inputs.index_needed(values) else None
        rows = tuple(self.sizes.sum(axis=1).tolist())
        return inputs.take(values, Chosen(self.fold, self.wanted, rows, self.taken, index))

    @property
    def taken(self) -> tuple[int, ...]:
        """How many rows of each chunk these are."""
        return tuple(self.sizes[:, self.wanted].sum(axis=1).tolist())

    @cached_property
    def index(self) -> AnyArray:
        """(m,) their positions in ascending order, 8 bytes a row in this process; computed once."""
        mask = da.map_blocks(_is_wanted, self.fold, wanted=self.wanted, meta=np.empty(0, dtype=np.bool_))
        hands = connect()
        try:
            return np.flatnonzero(hands.evaluate(mask))
        finally:
            hands.close()

    def __len__(self) -> int:
        return sum(self.taken)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> AnyArray:
        return np.array(self.index, dtype=dtype, copy=copy)


def _is_wanted(fold: AnyArray, wanted: AnyArray) -> AnyArray:
    """Whether the fold of each row of a chunk is wanted."""
    return np.asarray(wanted[fold])
