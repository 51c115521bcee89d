"""Questions of several classes and of several problems at once, against SciPy and scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import csr_array
from scipy.special import expit, log_expit, logsumexp, softmax
from sklearn.metrics import brier_score_loss, confusion_matrix, log_loss

from daskml_dist.kernels import (
    CurvatureSample,
    FoldSurvey,
    HessianVector,
    Judgement,
    MiniBatch,
    Question,
    Sweep,
    Together,
    View,
    Walk,
)
from daskml_dist.kernels.view import rows_of
from daskml_dist.losses import Logistic, Softmax, Squared
from daskml_dist.types import Chunk
from tests.kernels.examples import chunks, class_chunks, joint_point, point, three_folds
from tests.kernels.test_references import Dense, ask, close, over_data, over_intercepts


def columns(data: list[Chunk]) -> list[np.ndarray]:
    """X, y, weight and offset of all chunks."""
    return [np.concatenate([getattr(c, part) for c in data]) for part in ("X", "y", "weight", "offset")]


def eighth(f: Callable[[float], Any], h: float = 1e-3) -> Any:
    """The derivative of f at 0, of order 8."""
    pairs = [(4 / 5, 1), (-1 / 5, 2), (4 / 105, 3), (-1 / 280, 4)]
    return sum(c * (f(k * h) - f(-k * h)) for c, k in pairs) / h


@over_data
@over_intercepts
def test_judgement(data: list[Chunk], intercept: bool) -> None:
    at, dense = point(intercept=intercept), Dense(data)
    told = ask(Judgement(at), data)
    y, z = dense.y.astype(int), dense.margins(at).astype(float)
    chance = expit(z)
    expected = [[dense.s[(y == i) & ((z > 0) == j)].sum() for j in (0, 1)] for i in (0, 1)]
    close(told.confusion, np.array(expected))
    own = np.maximum(np.where(y == 1, log_expit(z), log_expit(-z)), np.log(np.finfo(float).eps))
    close(told.log_loss, -(dense.s * own).sum())
    close(told.squares, 2.0 * (dense.s * (chance - y) ** 2).sum())


def test_judgement_of_several_classes() -> None:
    data, at = class_chunks(), point(4)
    X, y, s, offset = columns(data)
    chances = softmax(X @ at.w.T + at.raw_intercept + offset[:, None], axis=1)
    told = ask(Judgement(at), data)
    close(told.confusion, confusion_matrix(y, chances.argmax(axis=1), sample_weight=s, labels=range(4)))
    close(told.log_loss, log_loss(y, chances, sample_weight=s, normalize=False))
    close(told.squares, brier_score_loss(y, chances, sample_weight=s, scale_by_half=False) * s.sum())


def test_sums_of_a_joint_loss() -> None:
    """Value by scipy, gradient and Hessian by differences of order 8, products with the Hessian itself."""
    data, at, loss = class_chunks(), joint_point(), Softmax(4)
    X, y, s, offset = columns(data)

    def swept(theta: np.ndarray) -> Any:
        return ask(Sweep(loss, at.at(theta[None])), data)

    theta = at.theta[0]
    told = ask(Sweep(loss, at, np.ones((1, theta.size)), (0.25,), hessian=True), data)
    z = X @ at.w.T + at.raw_intercept + offset[:, None]
    close(told.value, (s * (logsumexp(z, axis=1) - z[np.arange(len(y)), y.astype(int)])).sum(keepdims=True))
    close(told.trials[0], swept(theta + 0.25).value)
    units = np.eye(theta.size)
    value = [eighth(lambda t, u=u: swept(theta + t * u).value[0]) for u in units]
    assert_allclose(told.gradient[0], value, rtol=1e-7, atol=1e-6)
    rows = np.array([eighth(lambda t, u=u: swept(theta + t * u).gradient[0]) for u in units])
    assert_allclose(told.hessian[0], rows, rtol=1e-6, atol=1e-5)
    vectors = np.random.default_rng(0).standard_normal((3, theta.size))
    assert_allclose(
        ask(HessianVector(loss, at, vectors), data), vectors @ told.hessian[0], rtol=1e-10, atol=1e-9
    )


@pytest.mark.parametrize("split", [0, 1, 2])
def test_questions_together_are_those_of_each_view(split: int) -> None:
    data, folds = chunks(), three_folds()
    fold = [folds.of(c.id, len(c.y)) for c in data]
    seen = [rows_of(c, np.flatnonzero(folds.trains[split][f])) for c, f in zip(data, fold, strict=True)]
    held = [rows_of(c, np.flatnonzero(folds.tests[split][f])) for c, f in zip(data, fold, strict=True)]
    sweeps = [Sweep(Logistic(), point(seed=seed)) for seed in range(5)]
    view = View(split, "trained on", (0.5, 2.0))
    questions = [Question(kernel) for kernel in (*sweeps, Judgement(point()))]
    asked = Together(tuple(questions), (*[view] * 5, View(split, "tested")), folds)
    *told, verdict = ask(asked, data)
    weighed = [replace(c, weight=c.weight * np.where(c.y == 1, 2.0, 0.5)) for c in seen]
    for sweep, found in zip(sweeps, told, strict=True):
        expected = ask(sweep, weighed)
        for part in ("value", "gradient", "weight_sum"):
            assert_allclose(getattr(found, part), getattr(expected, part), rtol=1e-11)
    close(verdict.confusion, ask(Judgement(point()), held).confusion)


@pytest.mark.parametrize("few", [2, 6])
def test_each_class_against_the_rest(few: int) -> None:
    data = class_chunks()
    sweeps = [Sweep(Logistic(), point(seed=seed)) for seed in range(few)]
    views = [View(class_weight=(1.0, 2.0, 0.5, 3.0), one=k % 4) for k in range(few)]
    told = ask(Together(tuple(Question(sweep) for sweep in sweeps), tuple(views)), data)
    for k, (sweep, found) in enumerate(zip(sweeps, told, strict=True)):
        factors = [np.choose(c.y.astype(int), [1.0, 2.0, 0.5, 3.0]) for c in data]
        coded = [
            replace(c, y=(c.y == k % 4) * 1.0, weight=c.weight * factor)
            for c, factor in zip(data, factors, strict=True)
        ]
        expected = ask(sweep, coded)
        for part in ("value", "gradient", "weight_sum"):
            assert_allclose(getattr(found, part), getattr(expected, part), rtol=1e-11)


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("loss", [Squared(), Logistic()], ids=lambda loss: loss.name)
@pytest.mark.parametrize("intercept", [True, False])
def test_columns_of_the_target(sparse: bool, loss: Any, intercept: bool) -> None:
    """Products with Hessians that are made together, and sweeps, are those of each column by itself."""
    rng = np.random.default_rng(3)
    data = [replace(c, y=(rng.random((len(c.X), 5)) < 0.5) * 1.0) for c in chunks()]
    if sparse:
        data = [replace(c, X=csr_array(c.X)) for c in data]
    at = [point(seed=seed, intercept=intercept) for seed in range(5)]
    size = at[0].theta.shape[1]
    asked = [HessianVector(loss, p, rng.standard_normal((1, size))) for p in at]
    asked += [HessianVector(loss, at[0], rng.standard_normal((2, size)))]
    asked += [Sweep(loss, p, diagonal=True) for p in at]
    views = [View(target=k % 5) for k in (*range(5), 0, *range(5))]
    told = ask(Together(tuple(Question(kernel) for kernel in asked), tuple(views)), data)
    for kernel, view, found in zip(asked, views, told, strict=True):
        expected = ask(kernel, [replace(c, y=c.y[:, view.target]) for c in data])
        if isinstance(kernel, HessianVector):
            assert_allclose(found, expected, rtol=1e-11, atol=1e-11)
        else:
            assert_allclose(found.gradient, expected.gradient, rtol=1e-11, atol=1e-11)
            assert_allclose(found.diagonal, expected.diagonal, rtol=1e-11)


def test_fold_survey() -> None:
    data, folds = chunks(), three_folds()
    rows, weight = ask(FoldSurvey(folds, 2), data)
    fold = np.concatenate([folds.of(c.id, len(c.y)) for c in data])
    y, s = (np.concatenate([getattr(c, part) for c in data]) for part in ("y", "weight"))
    for f in range(3):
        for label in (0, 1):
            here = (fold == f) & (y == label)
            assert rows[f, label] == here.sum()
            assert weight[f, label] == pytest.approx(s[here].sum(), rel=1e-12)


def test_a_curvature_sample_is_of_doubtful_rows_and_unbiased() -> None:
    data, at = class_chunks(), joint_point()
    X, _, s, offset = columns(data)
    chances = softmax(X @ at.w.T + at.raw_intercept + offset[:, None], axis=1)
    doubt = 1.0 - np.square(chances).sum(axis=1)
    samples = [ask(CurvatureSample(Softmax(4), at, 0.4, seed), data) for seed in range(400)]
    total = [sample.weight.sum() for sample in samples]
    assert np.mean(total) == pytest.approx(s.sum(), abs=4.0 * np.std(total) / 20.0)
    assert np.mean([len(sample.y) for sample in samples]) < 0.4 * len(X)
    sure = doubt < 0.1 * doubt.mean()
    kept = [np.isin(sample.X[:, 0], X[sure, 0]).sum() for sample in samples]
    assert np.mean(kept) < 0.1 * sure.sum()


@pytest.mark.parametrize("joint", [False, True])
def test_the_minibatches_of_an_epoch_are_all_rows_of_each_group(joint: bool) -> None:
    """One point for all groups; each row is in one part of an epoch."""
    data = [replace(c, groups=np.arange(c.y.shape[0]) % 3) for c in (class_chunks() if joint else chunks())]
    loss, at = (Softmax(4), joint_point()) if joint else (Logistic(), point())
    views = tuple(View(group=group) for group in range(3))
    walks = [Walk(3, epoch=1, part=part, parts=5) for part in range(5)]
    batches = [ask(MiniBatch(loss, at, views, walk), data) for walk in walks]
    whole = ask(Together((Question(Sweep(loss, at)),) * 3, views), data)
    for group in range(3):
        for name in ("weight_sum", "value", "gradient"):
            parts = sum(np.ravel(getattr(batch, name)[group]) for batch in batches)
            assert_allclose(parts, np.ravel(getattr(whole[group], name)), rtol=1e-10, atol=1e-12)
