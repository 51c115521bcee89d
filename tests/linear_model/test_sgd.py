"""Stochastic gradients: how near they come, whatever the partitions, and what is said where they do not."""

from __future__ import annotations

import pickle
from dataclasses import fields, replace
from functools import cache
from typing import Any

import dask.array as da
import numpy as np
import pytest
from scipy.special import expit
from sklearn import linear_model as sk
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score

import daskml_dist
from daskml_dist.errors import InvalidData
from daskml_dist.kernels import MiniBatch, Point, Question, Sweep, View, Walk, answer
from daskml_dist.linear_model import LinearSVC, LogisticRegression, Ridge, SGDClassifier, SGDRegressor
from daskml_dist.losses import Hinge, Logistic, Loss, Squared
from daskml_dist.optimizers import Adam, Momentum, Optimizer
from daskml_dist.types import Chunk
from tests.linear_model.problems import chunked
from tests.optimizers.test_every_optimizer import EXAMPLES, SCHEDULES

P = 8
N = 9_000  # a thousand rows a parameter
ALPHA = 1e-4
BOTH = pytest.mark.parametrize("strategy", ["synchronous", "model_averaging"])
LOSSES: dict[str, Loss] = {"log_loss": Logistic(), "hinge": Hinge(), "squared_error": Squared()}


@cache
def rows(kind: str, n: int = N) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """X, labels (a hundredth of them are 1 where these are rare) and numbers."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((n, P))
    if kind == "correlated":
        X = X @ np.linalg.cholesky(0.9 ** np.abs(np.subtract.outer(np.arange(P), np.arange(P)))).T
    z = X @ rng.standard_normal(P) / 2 - (5.1 if kind == "rare" else 0.0)
    return X, (rng.random(n) < expit(z)).astype(int), z + rng.standard_normal(n)


def objective(loss: Loss, coef: Any, intercept: Any, X: Any, y: Any, weight: Any = None) -> float:
    """F, by its definition."""
    w = np.ravel(coef)
    losses = loss.value(y.astype(float), X @ w + float(np.ravel(intercept)[0]))
    return float(np.average(losses, weights=weight) + 0.5 * ALPHA * w @ w)


@cache
def least(loss: str, kind: str, n: int = N) -> float:
    """The minimum of F, by other solvers, whose own tests compare them with scikit-learn's."""
    X, labels, numbers = rows(kind, n)
    if loss == "hinge":  # its penalised intercept has next to no penalty
        model: Any = LinearSVC(loss="hinge", C=1 / (ALPHA * n), intercept_scaling=1e4, tol=1e-7, verbose=0)
    elif loss == "log_loss":
        model = LogisticRegression(C=1 / (ALPHA * n), tol=1e-12, verbose=0)
    else:
        model = Ridge(alpha=ALPHA * n, verbose=0)
    y = numbers if loss == "squared_error" else labels
    model.fit(X, y)
    return objective(LOSSES[loss], model.coef_, model.intercept_, X, y)


def relative(model: Any, X: Any, y: Any) -> float:
    """The relative excess of a logistic model of the independent features."""
    return objective(Logistic(), model.coef_, model.intercept_, X, y) / least("log_loss", "iid") - 1.0


def fitted(loss: str, kind: str, pieces: int = 3, n: int = N, **settings: Any) -> tuple[Any, float]:
    """A model, and its relative excess over the minimum."""
    X, labels, numbers = rows(kind, n)
    y = numbers if loss == "squared_error" else labels
    estimator = SGDRegressor if loss == "squared_error" else SGDClassifier
    model: Any = estimator(**{"loss": loss, "tol": None, "verbose": 0, **settings})
    model.fit(chunked(X, pieces), chunked(y, pieces))
    return model, objective(LOSSES[loss], model.coef_, model.intercept_, X, y) / least(loss, kind, n) - 1.0


# ------------------------------------------------------------------------------------- how near


@pytest.mark.thinned(3)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", ["iid", "correlated"])
def test_one_epoch_and_three(loss: str, kind: str) -> None:
    once, near = fitted(loss, kind, max_iter=1)
    thrice, nearer = fitted(loss, kind, max_iter=3)
    assert near < (1e-3 if loss == "hinge" else 5e-5) and nearer < (1e-4 if loss == "hinge" else 1e-5)
    assert (once.n_iter_, once.n_passes_, thrice.n_iter_, thrice.n_passes_) == (1, 2, 3, 4)
    for model, excess in ((once, near), (thrice, nearer)):
        assert model.gap_ > 0.5 * excess
        assert model.gap_kind_ == "estimate" or model.gap_ > excess / (1.0 + excess) - 1e-9
        assert len(model.history_) == model.n_passes_ and model.t_ == 1.0 + model.n_iter_ * N


def test_one_percent_of_positives() -> None:
    assert fitted("log_loss", "rare", n=40_000, max_iter=1)[1] < 5e-4
    assert fitted("log_loss", "rare", n=40_000, max_iter=3)[1] < 5e-5


@pytest.mark.thinned(3)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("pieces", [3, 17])
def test_averaged_models(loss: str, pieces: int) -> None:
    excess = fitted(loss, "iid", pieces, strategy="model_averaging", control_variates=False, max_iter=3)[1]
    assert excess < 1e-3
    settings: Any = {"strategy": "model_averaging", "control_variates": True, "max_iter": 3}
    assert fitted(loss, "iid", pieces, **settings)[1] < (1e-4 if loss == "hinge" else 1e-6)


@BOTH
def test_the_same_bits_anywhere(strategy: str, client: Any) -> None:
    X, y, _ = rows("iid", 2_000)
    for pieces in (3, 17):
        model = SGDClassifier("log_loss", strategy=strategy, max_iter=1, tol=None, verbose=0)
        model.set_params(batch_size=500)
        parts = chunked(X, pieces), chunked(y, pieces)
        there = model.fit(*parts)
        here = clone(model).set_params(scheduler="threads").fit(*parts)
        assert there.coef_.tobytes() == here.coef_.tobytes()
        assert there.gap_ == here.gap_
        assert max(row["tasks"] for row in there.history_) <= 3  # whatever the number of chunks


@BOTH
def test_corrections_end_at_the_optimum_of_scikit_learn(strategy: str) -> None:
    X, y, _ = rows("correlated")
    model = fitted("log_loss", "correlated", strategy=strategy, max_iter=1, correction_rounds=2)[0]
    theirs = sk.LogisticRegression(C=1 / (ALPHA * N), solver="newton-cholesky", tol=1e-12).fit(X, y)
    np.testing.assert_allclose(model.coef_, theirs.coef_, rtol=1e-6)
    assert model.gap_ < 1e-10 and model.gap_kind_ == "self-concordance"


@pytest.mark.parametrize("control", ["auto", True])
def test_partitions_that_are_unlike(control: Any) -> None:
    X, y, _ = rows("iid")
    order = np.argsort(y, kind="stable")  # hardly a partition has both labels
    parts = [da.from_array(part[order], chunks=(N // 5, *part.shape[1:])) for part in (X, y)]
    excess = []
    for settings in ({"control_variates": False}, {"control_variates": control}):
        model = SGDClassifier("log_loss", strategy="model_averaging", max_iter=2, tol=None, verbose=0)
        model.set_params(**settings).fit(*parts)
        excess.append(
            objective(Logistic(), model.coef_, model.intercept_, X, y) / least("log_loss", "iid") - 1
        )
    assert excess[0] > 1e-3 and excess[1] < 1e-5
    model = SGDClassifier("log_loss", max_iter=1, tol=None, verbose=0).fit(*parts)
    assert relative(model, X, y) < 1e-3


# ----------------------------------------------------------------------------------- minibatches


def uneven(seed: int = 1) -> list[Chunk]:
    rng = np.random.default_rng(seed)
    sizes = (400, 1, 37, 3, 120)
    return [
        Chunk(i, rng.standard_normal((n, 2)) + i, (rng.random(n) < 0.5) * 1.0) for i, n in enumerate(sizes)
    ]


def errors(lie: float = 1.0) -> np.ndarray:
    """Standard errors from the mean of many minibatches to the gradient; ``lie`` : times the last chunk."""
    point = Point(np.array([[0.3, -0.2]]), np.array([0.1]), np.zeros(2), True)
    chunks = uneven()
    whole: Any = answer(Question(Sweep(Logistic(), point)), chunks, len(chunks))
    found = []
    seen = [*chunks[:-1], Chunk(4, chunks[4].X, chunks[4].y, np.full(120, lie))]
    for seed in range(600):
        walk = Walk(seed, part=seed % 8, parts=8)
        batch: Any = answer(Question(MiniBatch(Logistic(), point, (View(),), walk)), seen, len(seen))
        found.append(8.0 * batch.gradient[0])
    away = np.mean(found, axis=0) - whole.gradient[0]
    return np.asarray(np.abs(away) / (np.std(found, axis=0) / np.sqrt(len(found))))


def test_the_gradient_of_a_minibatch_is_unbiased() -> None:
    assert errors().max() < 5.0
    assert errors(lie=2.0).max() > 5.0, "a chunk that counts too much is noticed"


@pytest.mark.parametrize("n", [1, 2, 7, 64, 1000])
def test_an_epoch_meets_each_row_once(n: int) -> None:
    for held in (0.0, 0.3):
        parts = [Walk(5, 2, part, 12, held=held).rows(3, n) for part in range(12)]
        out = Walk(5, 2, held=held).held_out(3, n)
        assert sorted([*np.concatenate(parts), *out]) == list(range(n))
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
    if n == 1000:
        first, second = (np.concatenate([Walk(5, e, r, 4).rows(3, n) for r in range(4)]) for e in (0, 1))
        assert np.mean(first == second) < 0.02 and abs(np.corrcoef(first, np.arange(n))[0, 1]) < 0.15


# ---------------------------------------------------------------------------- scikit-learn's meaning


def test_scikit_learns_rates_on_single_rows() -> None:
    """A step a row, in the order of the table, is scikit-learn's own descent."""
    X, _, y = rows("iid", 60)
    for rate in ("constant", "invscaling"):
        settings: Any = {"learning_rate": rate, "eta0": 0.02, "shuffle": False, "max_iter": 2, "tol": None}
        theirs = sk.SGDRegressor(**settings).fit(X, y)
        ours = SGDRegressor(batch_size=1, average=False, verbose=0, **settings).fit(X, y)
        np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=2e-4)
        np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=2e-4)
    y = (y > 0).astype(int)
    settings = {"loss": "log_loss", "learning_rate": "optimal", "shuffle": False, "max_iter": 1, "tol": None}
    theirs = sk.SGDClassifier(**settings, alpha=0.01).fit(X, y)
    ours = SGDClassifier(batch_size=1, average=False, verbose=0, **settings, alpha=0.01).fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=2e-2)


@pytest.mark.parametrize("optimizer", [Adam(0.02), Momentum(0.05, 0.8)], ids=lambda rule: rule.name)
def test_optimizers(optimizer: Any) -> None:
    model, excess = fitted("squared_error", "iid", optimizer=optimizer, max_iter=4)
    assert excess < 6e-2 and np.isfinite(model.gap_)


def test_l1_leaves_features_out() -> None:
    X, _, y = rows("iid")
    ours = SGDRegressor(penalty="l1", alpha=0.3, average=False, max_iter=6, tol=None, verbose=0).fit(X, y)
    theirs = sk.Lasso(alpha=0.3).fit(X, y)
    assert 2 <= (ours.coef_ == 0.0).sum() <= (theirs.coef_ == 0.0).sum()
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=0.1)
    ours.set_params(average="auto").fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=0.03)


def test_weights_are_repeated_rows() -> None:
    X, y, _ = rows("iid", 4_000)
    weight = 1 + np.arange(4_000) % 3
    settings: Any = {"max_iter": 3, "tol": None, "verbose": 0}
    weighted = SGDClassifier("log_loss", **settings).fit(X, y, sample_weight=weight)
    exact = LogisticRegression(C=1 / (ALPHA * weight.sum()), verbose=0).fit(X, y, weight)
    values = [objective(Logistic(), m.coef_, m.intercept_, X, y, weight) for m in (weighted, exact)]
    assert 0.0 < values[0] / values[1] - 1.0 < 1e-3
    ignored = SGDClassifier("log_loss", **settings).fit(X, y)
    assert objective(Logistic(), ignored.coef_, ignored.intercept_, X, y, weight) > values[0]


def test_several_classes() -> None:
    X, _, z = rows("iid", 6_000)
    y = np.array(["low", "middle", "high"])[np.digitize(z, [-0.5, 0.5])]
    for strategy in ("synchronous", "model_averaging"):
        model = SGDClassifier("log_loss", strategy=strategy, max_iter=2, tol=None, verbose=0)
        model.fit(chunked(X, 4), chunked(y, 4))
        assert model.coef_.shape == (3, P) and model.n_passes_ == 3
        for k, label in enumerate(model.classes_):
            one = LogisticRegression(C=1 / (ALPHA * 6_000), verbose=0).fit(X, y == label)
            truth = objective(Logistic(), one.coef_, one.intercept_, X, y == label)
            found = objective(Logistic(), model.coef_[k], model.intercept_[k], X, y == label)
            assert found / truth - 1.0 < 2e-3
        chances = np.asarray(model.predict_proba(X))
        np.testing.assert_allclose(chances.sum(axis=1), 1.0)
        assert (model.classes_[chances.argmax(axis=1)] == np.asarray(model.predict(X))).all()


def test_balanced_classes() -> None:
    X, y, _ = rows("rare")
    plain, balanced = (
        SGDClassifier("log_loss", class_weight=w, max_iter=2, tol=None, verbose=0).fit(X, y)
        for w in (None, "balanced")
    )
    assert balanced.predict(X).mean() > 10 * max(plain.predict(X).mean(), 1e-3)


# ------------------------------------------------------------------------------ going on and ending


@pytest.mark.slow
def test_it_ends_by_itself() -> None:
    model = fitted("log_loss", "iid", tol=1e-3, max_iter=100)[0]
    assert 6 <= model.n_iter_ < 15
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        fitted("log_loss", "iid", tol=1e-9, max_iter=2)


@BOTH
def test_early_stopping(strategy: str) -> None:
    X, y, _ = rows("iid")
    settings: Any = {"strategy": strategy, "n_iter_no_change": 2, "verbose": 0, "early_stopping": True}
    model = SGDClassifier("log_loss", **settings).fit(chunked(X, 3), chunked(y, 3))
    assert 2 < model.n_iter_ < 10
    assert accuracy_score(y, model.predict(X)) > 0.6
    other = SGDClassifier("log_loss", **settings, validation_fraction=0.9)
    assert np.abs(other.fit(X, y).coef_ - model.coef_).max() > 1e-3, "fewer rows are trained on"
    with pytest.raises(InvalidData, match="validation_fraction"):
        SGDRegressor(early_stopping=True, validation_fraction=0.001, verbose=0).fit(X[:3], X[:3, 0])


def test_partial_fit_goes_on() -> None:
    X, y, _ = rows("iid")
    model = SGDClassifier("log_loss", verbose=0)
    losses = []
    for start in range(0, N, 1_500):
        part = slice(start, start + 1_500)
        model.partial_fit(X[part], y[part], classes=[0, 1] if start == 0 else None)
        model = pickle.loads(pickle.dumps(model))
        losses.append(
            objective(Logistic(), model.coef_, model.intercept_, X, y) / least("log_loss", "iid") - 1
        )
    assert losses[-1] < 2e-3 and losses[-1] < losses[0]
    assert model.n_iter_ == 6 and model.t_ == N + 1
    with pytest.raises(InvalidData, match="classes= did not name"):
        model.partial_fit(X[:10], np.full(10, 7))
    with pytest.raises(InvalidData, match="classes must be passed"):
        SGDClassifier(verbose=0).partial_fit(X, y)


@pytest.mark.parametrize("loss", [pytest.param("hinge", marks=pytest.mark.slow), "log_loss"])
def test_small_first_batches_do_not_mislead(loss: str) -> None:
    """Each of the ten classes is separable in 300 rows, where their minimum does not bend."""
    X, y = load_digits(return_X_y=True)
    model = SGDClassifier(loss, random_state=0, verbose=0)
    scores = []
    for start in range(0, len(y), 300):
        model.partial_fit(X[start : start + 300], y[start : start + 300], classes=np.arange(10))
        scores.append(model.score(X, y))
    assert min(scores) > 0.8 and scores[-1] > 0.89  # one epoch of scikit-learn's: 0.62 at first, 0.87 at last


def test_a_model_that_goes_on_is_saved(tmp_path: Any) -> None:
    X, _, y = rows("iid", 2_000)
    model = SGDRegressor(verbose=0).partial_fit(X[:1_000], y[:1_000])
    daskml_dist.save(model, tmp_path / "model")
    again = daskml_dist.load(tmp_path / "model")
    for one in (model, again):
        one.partial_fit(X[1_000:], y[1_000:])
    assert again.coef_.tobytes() == model.coef_.tobytes()


def test_every_optimizer_is_saved_with_its_schedule(tmp_path: Any) -> None:
    X, _, y = rows("iid", 200)
    model = SGDRegressor(optimizer=EXAMPLES[0], max_iter=1, tol=None, verbose=0).fit(X, y)
    rules = [replace(rule, learning_rate=s) for rule in EXAMPLES if has_rate(rule) for s in SCHEDULES]
    for rule in [*EXAMPLES, *rules]:
        daskml_dist.save(model.set_params(optimizer=rule), tmp_path / "model", overwrite=True)
        assert daskml_dist.load(tmp_path / "model").optimizer == rule


def has_rate(rule: Optimizer) -> bool:
    """Whether its learning rate is its own."""
    return any(field.name == "learning_rate" for field in fields(rule))


def test_a_first_batch_without_a_class() -> None:
    X, y, _ = rows("iid")
    order = np.argsort(y, kind="stable")
    model = SGDClassifier("log_loss", verbose=0)
    for part in np.array_split(order, 6):
        model.partial_fit(X[part], y[part], classes=[0, 1])
        assert np.isfinite(model.coef_).all()


def test_a_checkpoint_is_gone_on_with(tmp_path: Any) -> None:
    X, y, _ = rows("iid", 2_000)
    model = SGDClassifier("log_loss", tol=None, verbose=0)
    through = clone(model).set_params(max_iter=3).fit(X, y)
    model.set_params(checkpoint=str(tmp_path), max_iter=1).fit(X, y)
    model.set_params(max_iter=3).fit(X, y)
    assert model.coef_.tobytes() == through.coef_.tobytes()
    assert model.n_iter_ == 3 and len(model.history_) < len(through.history_)


def test_warm_start_and_given_coefficients() -> None:
    X, y, _ = rows("iid")
    exact = LogisticRegression(C=1 / (ALPHA * N), verbose=0).fit(X, y)
    settings: Any = {"max_iter": 1, "tol": None, "verbose": 0, "learning_rate": "constant", "eta0": 1e-9}
    model = SGDClassifier("log_loss", **settings)
    model.fit(X, y, coef_init=exact.coef_, intercept_init=exact.intercept_)
    np.testing.assert_allclose(model.coef_, exact.coef_, atol=1e-6)
    np.testing.assert_allclose(model.set_params(warm_start=True).fit(X, y).coef_, exact.coef_, atol=1e-6)
    assert np.abs(model.set_params(warm_start=False).fit(X, y).coef_).max() < 1e-6
    with pytest.raises(InvalidData, match="margin"):
        model.fit(X, y, coef_init=np.zeros((3, P)))
