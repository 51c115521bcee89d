"""Questions about sparse chunks: the answers of dense ones, to rounding, under the same contract."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal

from daskml_dist.errors import NonFiniteData
from daskml_dist.kernels import (
    TSQR,
    Accuracy,
    Glimpse,
    HessianVector,
    LeverageSample,
    Moments,
    Question,
    Sample,
    Sweep,
    answer,
    canonical,
)
from daskml_dist.kernels import rows as sparse_rows
from daskml_dist.losses import Huber, Logistic, Poisson, Squared
from daskml_dist.types import Chunk
from tests.kernels.examples import DIRECTION, FEATURES, SHIFT, VECTORS, Case, chunks, metric_factor, point
from tests.kernels.test_every_kernel import (
    check_any_grouping_gives_the_same_bits,
    check_each_chunk_counts_once,
    check_empty_chunks_do_not_matter,
    check_it_travels,
    check_mismatched_rows_are_refused,
)


def holes(given: list[Chunk]) -> list[Chunk]:
    """Two thirds of the entries are zero, and so are a row and a column."""
    rng = np.random.default_rng(1)
    made = []
    for chunk in given:
        X = np.where(rng.random(chunk.X.shape) < 0.3, chunk.X, 0.0)
        X[:1] = 0.0
        X[:, 1] = 0.0
        made.append(replace(chunk, X=X))
    return made


def sparse(given: list[Chunk]) -> list[Chunk]:
    return [replace(chunk, X=scipy.sparse.csr_array(chunk.X)) for chunk in given]


QUESTIONS: dict[str, Callable[[], Any]] = {
    "accuracy": lambda: Accuracy(point()),
    "glimpse": lambda: Glimpse(16),
    "products": lambda: HessianVector(Logistic(), point(), VECTORS),
    "products, no intercept": lambda: HessianVector(Poisson(), point(intercept=False), VECTORS[:, :-1]),
    "leverage": lambda: LeverageSample(Sweep(Logistic(), point()), metric_factor(FEATURES + 1), 0.5, 4),
    "moments": lambda: Moments(SHIFT, np.array([0.4])),
    "factor": lambda: TSQR(SHIFT, np.array([0.4])),
    "sample": lambda: Sample(Logistic(), 0.9, 0.3, 1),
    "sweep": lambda: Sweep(Logistic(), point()),
    "compiled sweep": lambda: Sweep(Logistic(), point(), compiled=True),
    "hessian": lambda: Sweep(Logistic(), point(intercept=False), hessian=True),
    "diagonal": lambda: Sweep(Logistic(), point(), diagonal=True),
    "diagonals": lambda: Sweep(Logistic(), point(3), diagonal=True),
    "all": lambda: Sweep(
        Poisson(),
        point(),
        direction=DIRECTION / 50,
        steps=(-0.75, 1.0),
        hessian=True,
        factor=metric_factor(FEATURES + 1),
        diagonal=True,
    ),
    "many": lambda: Sweep(Squared(), point(3), hessian=True),
    "scale": lambda: Sweep(Huber(1.35), replace(point(), scale=np.array([2.0])), hessian=True),
}
every_question = pytest.mark.parametrize("make", QUESTIONS.values(), ids=QUESTIONS)


def compare(a: Any, b: Any, name: str = "") -> None:
    if is_dataclass(a):
        for field in fields(a):
            compare(getattr(a, field.name), getattr(b, field.name), field.name)
    elif a is None or b is None:
        assert a is None and b is None, name
    else:
        a, b = (part.toarray() if scipy.sparse.issparse(part) else part for part in (a, b))
        scale = np.abs(b).max() if np.size(b) else 1.0
        assert_allclose(np.abs(a) if name == "factor" else a, np.abs(b) if name == "factor" else b,
                        rtol=1e-11, atol=1e-12 * scale, err_msg=name)  # fmt: skip


@every_question
@pytest.mark.parametrize("share", [0.0, 1.0], ids=["dense products", "sparse products"])
def test_the_answer_is_that_of_dense_rows(
    make: Callable[[], Any], share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sparse_rows, "_DENSE", share)
    monkeypatch.setattr(sparse_rows, "_SPARSE_ROWS", 20)
    dense = holes(chunks())
    ours = answer(Question(make()), sparse(dense), len(dense))
    theirs = answer(Question(make()), dense, len(dense))
    compare(ours, theirs)


CHECKS = {
    check.__name__: check
    for check in (
        check_any_grouping_gives_the_same_bits,
        check_each_chunk_counts_once,
        check_empty_chunks_do_not_matter,
        check_it_travels,
        check_mismatched_rows_are_refused,
    )
}
BITWISE = [name for name in QUESTIONS if name not in ("sample", "leverage")]  # these answer with csr arrays


@pytest.mark.parametrize("name", BITWISE)
@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_the_contract_is_kept(check: Callable[[Case], None], name: str) -> None:
    check(Case(QUESTIONS[name], lambda: sparse(holes(chunks()))))


@pytest.mark.parametrize("name", [name for name in QUESTIONS if name != "glimpse"])
def test_non_finite_entries_are_refused_with_their_place(name: str) -> None:
    for bad, word in ((np.nan, "NaN"), (np.inf, "infinity")):
        held = holes(chunks())
        held[3].X[7, 2] = bad
        held[3].weight[7] = 1.0
        text = f"X contains {word}: 1 value.*chunk 3, the first in row 7 of the chunk, column 2"
        kernel = QUESTIONS[name]()
        kernel = replace(kernel, event_rate=1.0, other_rate=1.0) if isinstance(kernel, Sample) else kernel
        with pytest.raises(NonFiniteData, match=text):
            answer(Question(kernel), sparse(held), len(held))


@pytest.mark.parametrize("kind", ["f4", "i8", "i1", "u1", "?", "g"], ids=lambda kind: f"of type {kind}")
def test_every_dtype_gives_the_numbers_it_stands_for(kind: str) -> None:
    held = [replace(c, X=np.abs(np.round(c.X)).astype(np.int8).astype(kind)) for c in holes(chunks())]
    rows = [replace(c, X=canonical(scipy.sparse.coo_array(c.X))) for c in held]
    as_floats = sparse([replace(c, X=c.X.astype(np.float64)) for c in held])
    kernel = Sweep(Logistic(), point(), hessian=True, diagonal=True)
    compare(*(answer(Question(kernel), given, len(given)) for given in (rows, as_floats)))


def test_rows_are_made_canonical_and_the_givens_left_alone() -> None:
    indptr, indices = np.array([0, 4, 4, 5], dtype=np.int64), np.array([2, 0, 2, 1, 1], dtype=np.int64)
    given = scipy.sparse.csr_array((np.array([1.0, 2.0, 3.0, 0.0, 5.0]), indices, indptr), shape=(3, 3))
    before = given.indices.copy()
    made = canonical(given)
    assert_array_equal(made.toarray(), [[2, 0, 4], [0, 0, 0], [0, 5, 0]])
    assert made.has_canonical_format
    assert_array_equal(given.indices, before)
    assert np.shares_memory(canonical(made).data, made.data)
    matrix = scipy.sparse.csr_matrix(made)
    assert type(canonical(matrix)) is scipy.sparse.csr_array
    assert np.shares_memory(canonical(matrix).data, matrix.data)
    dense = np.ones((2, 2), dtype=np.float32)
    assert canonical(dense) is dense
