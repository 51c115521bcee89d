"""The report of partitions: what is counted, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dask.array as da
import numpy as np
import pytest
import scipy.sparse as sp

from daskml_dist import balance
from daskml_dist.errors import InvalidData
from tests.model_selection.containers import IN_MEMORY, LAZY, Data, N, made

CONTAINERS = {**LAZY, **IN_MEMORY}


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
def test_every_container_is_counted(container: Callable[[Data], Data]) -> None:
    data, plain = container(made()), made()
    found = balance(data.X, data.y)
    assert found.rows.sum() == N
    assert found.bytes.tolist() == (found.rows * 3 * 8).tolist()
    assert found.classes is not None and found.counts is not None
    labels, members = np.unique(plain.y, return_counts=True)
    assert found.classes.tolist() == labels.tolist()
    assert found.counts.sum(axis=0).tolist() == members.tolist()
    assert found.counts.sum(axis=1).tolist() == found.rows.tolist()
    start = 0
    for rows, counts in zip(found.rows.tolist(), found.counts, strict=True):
        part = plain.y[start : start + rows]
        assert counts.tolist() == [(part == label).sum() for label in labels]
        start += rows


def test_the_table_and_the_notes(backend: str) -> None:
    X = da.ones((10, 2), chunks=((6, 0, 4), 2))
    y = da.from_array(np.array([0] * 6 + [0, 1, 1, 1]), chunks=((6, 0, 4),))
    found = balance(X, y)
    assert found.table.columns.tolist() == ["rows", "bytes", "class 0", "class 1"]
    assert found.table["rows"].tolist() == [6, 0, 4]
    assert found.imbalance == pytest.approx(1.8)
    assert found.notes == ["Partition 1 has no rows.", "Partition 0 has no row of class 1."]
    assert "1.80 times the mean" in repr(found)
    assert "Partition 1 has no rows." in repr(found)


def test_bytes_of_sparse_blocks_are_those_they_have() -> None:
    X = sp.random_array((50, 20), density=0.1, format="csr", rng=0)
    [size] = balance(X).bytes.tolist()
    assert size == X.data.nbytes + X.indices.nbytes + X.indptr.nbytes


def test_other_lengths_are_refused() -> None:
    with pytest.raises(InvalidData, match="inconsistent numbers"):
        balance(np.ones((5, 2)), np.ones(4))


def test_no_labels_no_classes() -> None:
    found: Any = balance(np.ones((5, 2)))
    assert found.classes is None
    assert found.notes == []
