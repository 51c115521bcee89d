"""Sparse containers: nothing is copied, nothing is made dense, and results are dense and in kind."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_array_equal

from daskml_dist.errors import InvalidData
from daskml_dist.inputs import (
    Chosen,
    apply,
    chunk_rows,
    is_sparse,
    kind_of,
    made_lazy,
    read,
    row_counts,
    take,
)

DENSE = np.where(np.arange(21).reshape(7, 3) % 4 == 0, np.arange(21.0).reshape(7, 3), 0.0)
X = scipy.sparse.csr_array(DENSE)
Y = np.arange(7)
ROWS = (2, 1, 0, 4)


def blocks(columns: tuple[int, ...] = (3,)) -> Any:
    return da.from_array(DENSE, chunks=(ROWS, columns)).map_blocks(scipy.sparse.csr_matrix)


def second_column(block: Any) -> Any:
    assert scipy.sparse.issparse(block)
    return block[:, [1]].toarray()[:, 0]


def test_a_matrix_in_memory_is_read_as_it_is() -> None:
    assert kind_of(X) == "scipy sparse"
    table = read(X, Y)
    assert is_sparse(table) and not table.lazy and table.chunks == (7,)
    assert np.shares_memory(table.X.data, X.data)
    assert chunk_rows(X) == (7,)


def test_what_goes_to_a_cluster_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daskml_dist.inputs._lazy._CHUNK_BYTES", 40)
    table = made_lazy(read(X, Y))
    assert is_sparse(table) and len(table.chunks) > 1 and table.y.chunks[0] == table.chunks
    assert_array_equal(np.vstack([block.compute().toarray() for block in table.X.blocks]), DENSE)


@pytest.mark.parametrize("columns", [(3,), (2, 1), (1, 1, 1)])
def test_blocks_stay_sparse(columns: tuple[int, ...], nothing_computes: Any) -> None:
    with nothing_computes:
        table = read(blocks(columns), Y)
    assert is_sparse(table) and table.chunks == ROWS and table.X.numblocks == (4, 1)
    for i, block in enumerate(table.X.blocks):
        rows = block.compute()
        assert scipy.sparse.issparse(rows) and rows.shape == (ROWS[i], 3)
        assert_array_equal(rows.toarray(), DENSE[sum(ROWS[:i]) : sum(ROWS[: i + 1])])


@pytest.mark.parametrize("columns", [(3,), (2, 1)])
def test_results_are_dense(columns: tuple[int, ...], nothing_computes: Any) -> None:
    settings: dict[str, Any] = {"n_features": 3, "outputs": None, "dtype": float}
    assert_array_equal(apply(X, second_column, **settings), DENSE[:, 1])
    with nothing_computes:
        result = apply(blocks(columns), second_column, **settings)
    assert result.chunks == (ROWS,)
    assert_array_equal(result.compute(), DENSE[:, 1])


def test_rows_are_counted_and_taken() -> None:
    lazy = blocks()
    unknown = da.Array(lazy.dask, lazy.name, ((np.nan,) * 4, (3,)), meta=lazy._meta)
    assert row_counts(unknown).compute().tolist() == list(ROWS)
    fold = da.from_array(np.array([0, 1, 0, 1, 1, 0, 0]), chunks=(ROWS,))
    some = Chosen(fold, np.array([True, False]), ROWS, (1, 1, 0, 2), np.array([0, 2, 5, 6]))
    assert_array_equal(take(X, some).toarray(), DENSE[[0, 2, 5, 6]])
    taken = take(lazy, some)
    assert_array_equal(np.vstack([block.compute().toarray() for block in taken.blocks]), DENSE[[0, 2, 5, 6]])


def test_what_is_no_matrix_of_numbers_is_refused() -> None:
    with pytest.raises(InvalidData, match="Expected 2D array, got 1D array"):
        read(scipy.sparse.coo_array(np.ones(3)), Y[:3])
    with pytest.raises(InvalidData, match="Complex data not supported"):
        read(X.astype(complex), Y)
    with pytest.raises(InvalidData, match=r"inconsistent numbers of samples: \[7, 6\]"):
        read(X, Y[:6])
    with pytest.raises(InvalidData, match=r"Found array with 0 feature\(s\)"):
        read(X[:, :0], Y)
