"""A challenger learns from new rows, and is promoted only where it is better on rows that it has not seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import sklearn.base
from numpy.testing import assert_allclose
from sklearn.metrics import log_loss, mean_poisson_deviance, mean_squared_error

from daskml_dist import edge
from daskml_dist.errors import InvalidData, UnsupportedParameter
from daskml_dist.linear_model import (
    GeneralizedLinearRegressor,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    SGDClassifier,
)
from daskml_dist.model_selection import train_test_split
from daskml_dist.registry import NotRegistered, Registry
from daskml_dist.update import update
from daskml_dist.update.pairs import compared

ROWS = 4_000
SLOPE = np.array([1.0, -0.5, 0.2])


def drawn(seed: int, slope: Any = SLOPE) -> tuple[np.ndarray, np.ndarray]:
    dice = np.random.default_rng(seed)
    X = dice.normal(size=(ROWS, 3))
    return X, np.where(X @ slope + dice.logistic(size=ROWS) > 0, "yes", "no")


def rows(X: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    return {"X": X, "y": y}


@pytest.fixture
def store(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "registry")


def registered(store: Registry, model: Any, seed: int = 0) -> None:
    X, y = drawn(seed)
    columns = [edge.Column("a", personal=True), edge.Column("b"), edge.Column("c", unit="EUR")]
    store.register(model.fit(X, y), "m", data=X, target=y, columns=columns, alias="champion")


def test_what_has_changed_is_learned(store: Registry) -> None:
    registered(store, LogisticRegression(verbose=0))
    X, y = drawn(1, [-1.0, 0.5, 0.2])
    outcome = update("m", X, y, registry=store, by="nightly")
    assert outcome.promoted and outcome.how == "warm_start" and outcome.champion == "m/1"
    assert store.version("m@champion").number == outcome.version.number == 2
    event = store.history("m")[-1]
    assert event.by == "nightly" and event.why == outcome.why and "held-out rows" in event.why
    assert outcome.version.lineage["parent"] == "m/1" and outcome.version.metrics["held-out rows"] == 800
    assert [column.personal for column in outcome.version.load().columns] == [True, False, False]
    # the learned one is the fit of the training part
    train = train_test_split(X, y, test_size=0.2, random_state=0)[0::2]
    fitted = LogisticRegression(verbose=0).fit(*train)
    assert_allclose(store.estimator("m@champion").coef_, fitted.coef_, rtol=1e-5)
    assert store.estimator("m/2").warm_start is False


def test_what_has_not_changed_stays(store: Registry) -> None:
    registered(store, LogisticRegression(verbose=0))
    outcome = update("m", *drawn(2), registry=store)
    assert not outcome.promoted and outcome.why.startswith("not better: log loss")
    assert store.version("m@champion").number == 1 and [v.number for v in store.versions("m")] == [1, 2]
    assert len(store.history("m")) == 1


def test_equals_are_promoted_as_rarely_as_told(store: Registry) -> None:
    """The champion has seen as many rows as the challenger: about 5 % of challengers seem better."""
    registered(store, LogisticRegression(verbose=0))
    champion = store.estimator("m/1")
    seemed = 0
    for seed in range(40):
        challenger = LogisticRegression(verbose=0).fit(*drawn(100 + seed))
        found = compared(champion, challenger, rows(*drawn(500 + seed)), "neg_log_loss", None)
        seemed += found.gain > 1.645 * found.error
    assert seemed <= 12  # 2 are expected, or as many more as the champion's own luck allows


def test_a_gain_that_is_too_small_to_matter(store: Registry) -> None:
    registered(store, LogisticRegression(verbose=0))
    X, y = drawn(1, [-1.0, 0.5, 0.2])
    outcome = update("m", X, y, registry=store, min_gain=10.0)
    assert not outcome.promoted and outcome.compared.gain < 10.0


def test_partial_fit_goes_on(store: Registry) -> None:
    registered(store, SGDClassifier(loss="log_loss", verbose=0, random_state=0))
    X, y = drawn(1, [-1.0, 0.5, 0.2])
    outcome = update("m", X, y, registry=store)
    train = train_test_split(X, y, test_size=0.2, random_state=0)[0::2]
    expected = store.estimator("m/1").partial_fit(*train)
    assert outcome.how == "partial_fit"
    assert store.estimator(outcome.version.spec).coef_.tobytes() == expected.coef_.tobytes()
    assert update("m", X, y, registry=store, how="refit").how == "refit"


def test_chunks_on_both_backends(backend: str, store: Registry) -> None:
    registered(store, LogisticRegression(verbose=0))
    X, y = drawn(1, [-1.0, 0.5, 0.2])
    lazy = da.from_array(X, chunks=(700, 3)), da.from_array(y, chunks=700)
    outcome = update("m", *lazy, registry=store)
    assert outcome.promoted
    test = [part.compute() for part in train_test_split(*lazy, test_size=0.2, random_state=0)[1::2]]
    for spec, loss in (("m/1", outcome.compared.champion), ("m/2", outcome.compared.challenger)):
        assert_allclose(loss, log_loss(test[1], store.load(spec).predict_proba(test[0])), rtol=1e-9)


@pytest.mark.parametrize(
    ("model", "loss"),
    [(Ridge(), mean_squared_error), (PoissonRegressor(verbose=0), mean_poisson_deviance)],
    ids=["ridge", "poisson"],
)
def test_regressions_are_compared_by_their_loss(store: Registry, model: Any, loss: Any) -> None:
    dice = np.random.default_rng(0)
    X = dice.normal(size=(ROWS, 2))
    y, later = (dice.poisson(np.exp(slope * X[:, 0])).astype(float) for slope in (0.2, 0.6))
    store.register(model.fit(X, y), "r", data=X, target=y, alias="champion")
    weight = dice.uniform(0.5, 2.0, size=ROWS)
    outcome = update("r", X, later, sample_weight=weight, registry=store)
    test = train_test_split(X, later, weight, test_size=0.2, random_state=0)[1::2]
    old, new = (loss(test[1], store.load(s).predict(test[0]), sample_weight=test[2]) for s in ("r/1", "r/2"))
    assert outcome.promoted
    assert_allclose([outcome.compared.champion, outcome.compared.challenger], [old, new], rtol=1e-9)


def test_the_error_is_that_of_paired_differences(store: Registry) -> None:
    registered(store, LogisticRegression(verbose=0))
    X, y = drawn(3)
    old, new = store.estimator("m/1"), LogisticRegression(C=1e-3, verbose=0).fit(X, y)
    found = compared(old, new, rows(X, y), "neg_log_loss", None)
    chances = [model.predict_proba(X)[np.arange(ROWS), (y == "yes").astype(int)] for model in (old, new)]
    less = np.log(chances[1]) - np.log(chances[0])
    assert_allclose(found.gain, less.mean(), rtol=1e-9)
    assert_allclose(found.error, less.std() / np.sqrt(ROWS), rtol=1e-9)


def exposed(seed: int, slope: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """X, claims, weights and exposures that differ much, and with the first feature."""
    dice = np.random.default_rng(seed)
    X = dice.normal(size=(ROWS, 2))
    exposure = np.exp(dice.normal(size=ROWS) + X[:, 0])
    y = dice.poisson(exposure * np.exp(0.3 + slope * X[:, 0])).astype(float)
    return X, y, dice.uniform(0.5, 2.0, size=ROWS), exposure


WITH_OFFSET = {
    "log": (PoissonRegressor(alpha=1e-3, verbose=0), np.multiply, mean_poisson_deviance),
    "identity": (
        GeneralizedLinearRegressor(family="normal", link="identity", alpha=1e-3, verbose=0),
        lambda mean, exposure: mean + np.log(exposure),
        mean_squared_error,
    ),
}


@pytest.mark.parametrize("link", WITH_OFFSET)
@pytest.mark.parametrize("lazy", [False, True], ids=["memory", "chunks"])
def test_an_exposure_is_learned_and_compared_with(store: Registry, link: str, lazy: bool) -> None:
    model, joined, loss = WITH_OFFSET[link]
    X, y, weight, exposure = exposed(0, 0.2)
    fitted = model.fit(X, y, sample_weight=weight, offset=np.log(exposure))
    store.register(fitted, "r", data=X, target=y, alias="champion")
    X, y, weight, exposure = exposed(1, -0.4)
    given = [X, y, weight, np.log(exposure)]
    if lazy:
        given = [da.from_array(part, chunks=(700, 2) if part.ndim == 2 else 700) for part in given]
    parts = [np.asarray(p) for p in train_test_split(*given, test_size=0.2, random_state=0)]
    train, test = parts[0::2], parts[1::2]
    outcome = update("r", given[0], given[1], sample_weight=given[2], offset=given[3], registry=store)
    again = sklearn.base.clone(model).fit(train[0], train[1], sample_weight=train[2], offset=train[3])
    assert_allclose(store.estimator("r/2").coef_, again.coef_, rtol=1e-4)
    old, new = (
        loss(test[1], joined(store.load(s).predict(test[0]), np.exp(test[3])), sample_weight=test[2])
        for s in ("r/1", "r/2")
    )
    assert_allclose([outcome.compared.champion, outcome.compared.challenger], [old, new], rtol=1e-9)
    # a lie: without the exposure the losses are others, and so are the coefficients
    wrong = loss(test[1], store.load("r/1").predict(test[0]), sample_weight=test[2])
    assert abs(wrong - old) > 0.05 * old
    unexposed = sklearn.base.clone(model).fit(train[0], train[1], sample_weight=train[2])
    assert np.abs(unexposed.coef_ - again.coef_).max() > 0.1


def test_an_exposure_decides_on_the_promotion(store: Registry) -> None:
    """Rates are what they were, and the exposures are not: nothing is to be learned."""
    X, y, weight, exposure = exposed(0, 0.2)
    lineage = {"encoding": {"exposure": "Years"}}
    model = PoissonRegressor(alpha=0.0, verbose=0).fit(X, y, offset=np.log(exposure))
    store.register(model, "r", data=X, target=y, lineage=lineage, alias="champion")
    X, y, weight, exposure = exposed(1, 0.2)
    y = np.random.default_rng(2).poisson(3.0 * exposure * np.exp(0.3 + 0.2 * X[:, 0])).astype(float)
    assert not update("r", X, y, offset=np.log(3.0 * exposure), registry=store).promoted
    with pytest.raises(InvalidData, match=r"exposure 'Years'.*offset=np.log"):
        update("r", X, y, registry=store)
    assert len(store.versions("r")) == 2


# ---------------------------------------------------------------------------------- what is refused


def test_offsets_that_mean_nothing(store: Registry) -> None:
    registered(store, LogisticRegression(verbose=0))
    X, y = drawn(1)
    with pytest.raises(UnsupportedParameter, match="classification with the link 'logit'"):
        update("m", X, y, offset=np.zeros(ROWS), registry=store)
    store.register(Ridge().fit(X, X[:, 0]), "r", data=X, target=y, alias="champion")
    with pytest.raises(UnsupportedParameter, match="Ridge cannot learn with one"):
        update("r", X, X[:, 0], offset=np.zeros(ROWS), registry=store)
    assert len(store.versions("m")) == len(store.versions("r")) == 1


def test_other_classes_are_another_model(store: Registry) -> None:
    registered(store, LogisticRegression(verbose=0))
    X, y = drawn(1)
    y = np.where(np.arange(ROWS) % 3 == 0, "maybe", y)
    with pytest.raises(InvalidData, match="have maybe, which the model does not know"):
        update("m", X, y, registry=store)
    with pytest.raises(InvalidData, match="lack the classes no"):
        update("m", X[y == "yes"], y[y == "yes"], registry=store)
    assert len(store.versions("m")) == 1


def test_no_such_model_way_or_confidence(store: Registry) -> None:
    with pytest.raises(NotRegistered):
        update("m", *drawn(0), registry=store)
    registered(store, LogisticRegression(verbose=0))
    with pytest.raises(NotRegistered):
        update("m@production", *drawn(0), registry=store)
    with pytest.raises(UnsupportedParameter, match="can learn by warm_start, refit"):
        update("m", *drawn(0), registry=store, how="partial_fit")
    with pytest.raises(UnsupportedParameter, match="confidence=1"):
        update("m", *drawn(0), registry=store, confidence=1.0)


def test_missing_values_and_too_few_rows(store: Registry) -> None:
    registered(store, LogisticRegression(verbose=0))
    X, y = drawn(1)
    X[17, 1] = np.nan
    with pytest.raises(InvalidData):
        update("m", X, y, registry=store)
    X[17, 1] = 0.0
    with pytest.raises((InvalidData, ValueError)):
        update("m", X[:2], y[:2], registry=store)
    assert len(store.versions("m")) == 1
