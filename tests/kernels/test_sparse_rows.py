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
from daskml_dist.kernels import HessianVector, Moments, Question, Sample, Sweep, answer, canonical
from daskml_dist.kernels import rows as sparse_rows
from daskml_dist.losses import Huber, Logistic, Poisson, Softmax
from daskml_dist.types import Chunk
from tests.kernels.examples import (
    CASES,
    SHIFT,
    VECTORS,
    Case,
    chunks,
    class_chunks,
    joint_point,
    point,
    two_targets,
)
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


#: kernels that read X as a table of features
TABULAR = [
    "CurvatureSample",
    "FoldAccuracy",
    "FoldFactors",
    "FoldMoments",
    "Glimpse",
    "HessianVector",
    "Judgement",
    "KinkSweep",
    "LeaveOneOut",
    "LeverageSample",
    "Moments",
    "Sample",
    "Sweep",
    "TSQR",
    "Together",
]
CASES_HERE: dict[str, Case] = {
    f"{name} {k}": case for name in TABULAR for k, case in enumerate(CASES[name])
} | {
    "many targets": Case(lambda: Moments(SHIFT, np.array([0.4, 0.1])), two_targets),
    "products, no intercept": Case(lambda: HessianVector(Poisson(), point(intercept=False), VECTORS[:, :-1])),
    "diagonals": Case(lambda: Sweep(Logistic(), point(3), hessian=True, diagonal=True)),
    "diagonal, no intercept": Case(lambda: Sweep(Logistic(), point(intercept=False), diagonal=True)),
    "joint diagonal": Case(
        lambda: Sweep(Softmax(4), joint_point(), hessian=True, diagonal=True), class_chunks
    ),
    "scale": Case(lambda: Sweep(Huber(1.35), replace(point(), scale=np.array([2.0])), hessian=True)),
}
GATHERING = ("CurvatureSample", "KinkSweep", "LeverageSample", "Sample", "Together")  # rows, some as csr
every_case = pytest.mark.parametrize("case", CASES_HERE.values(), ids=CASES_HERE)


def compare(a: Any, b: Any, name: str = "") -> None:
    if is_dataclass(a):
        for field in fields(a):
            compare(getattr(a, field.name), getattr(b, field.name), field.name)
    elif isinstance(a, tuple):
        for ours, theirs in zip(a, b, strict=True):
            compare(ours, theirs, name)
    elif a is None or b is None:
        assert a is None and b is None, name
    else:
        a, b = (part.toarray() if scipy.sparse.issparse(part) else part for part in (a, b))
        scale = np.abs(b).max() if np.size(b) else 1.0
        assert_allclose(np.abs(a) if name == "factor" else a, np.abs(b) if name == "factor" else b,
                        rtol=1e-11, atol=1e-12 * scale, err_msg=name)  # fmt: skip


@every_case
@pytest.mark.parametrize("share", [0.0, 1.0], ids=["dense products", "sparse products"])
def test_the_answer_is_that_of_dense_rows(case: Case, share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparse_rows, "_DENSE", share)
    monkeypatch.setattr(sparse_rows, "_SPARSE_ROWS", 20)
    dense = holes(case.chunks())
    ours = answer(Question(case.make()), sparse(dense), len(dense))
    theirs = answer(Question(case.make()), dense, len(dense))
    compare(ours, theirs)


@pytest.mark.parametrize("hessian", [False, True])
@pytest.mark.parametrize("name", ["diagonals", "joint diagonal"])
def test_a_diagonal_is_that_of_the_hessian(name: str, hessian: bool) -> None:
    case = CASES_HERE[name]
    ask, held = case.make(), case.chunks()
    found = answer(Question(replace(ask, hessian=hessian)), held, len(held)).diagonal
    whole = answer(Question(ask), held, len(held)).hessian
    assert_allclose(found, np.diagonal(whole, axis1=1, axis2=2), rtol=1e-11)


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


@pytest.mark.thinned(3)
@pytest.mark.parametrize("name", [name for name in CASES_HERE if not name.startswith(GATHERING)])
@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_the_contract_is_kept(check: Callable[[Case], None], name: str) -> None:
    case = CASES_HERE[name]
    if check is check_empty_chunks_do_not_matter and getattr(case.make(), "folds", None) is not None:
        pytest.skip("these folds are those of so many chunks")
    check(Case(case.make, lambda: sparse(holes(case.chunks()))))


@pytest.mark.parametrize("name", [name for name in CASES_HERE if not name.startswith("Glimpse")])
def test_non_finite_entries_are_refused_with_their_place(name: str) -> None:
    for bad, word in ((np.nan, "NaN"), (np.inf, "infinity")):
        held = holes(CASES_HERE[name].chunks())
        held[3].X[7, 2] = bad
        if held[3].weight is not None:
            held[3].weight[7] = 1.0
        text = f"X contains {word}: 1 value.*chunk 3, the first in row 7 of the chunk, column 2"
        kernel = CASES_HERE[name].make()
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
