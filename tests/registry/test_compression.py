"""Smaller weights: how much smaller, and that the guard lets nothing over its limits through."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from sklearn.metrics import log_loss, mean_poisson_deviance

from daskml_dist import edge
from daskml_dist.edge import Column
from daskml_dist.errors import InvalidData, UnsupportedParameter
from daskml_dist.linear_model import LogisticRegression, PoissonRegressor, Ridge
from daskml_dist.registry import Compressed, CompressionRefused, Registry, compress, prune
from daskml_dist.registry.compression import stored_as
from daskml_dist.registry.functions import function_of
from daskml_dist.registry.measuring import change_of
from daskml_dist.storage import Answer, answer_of
from daskml_dist.types import AnyArray

DICE = np.random.default_rng(0)


def softmax_of(weights: AnyArray, link: str = "softmax") -> Answer:
    """A classifier with these weights."""
    k, p = weights.shape
    columns = tuple(Column(f"x{i}") for i in range(p))
    return Answer("classification", link, np.arange(max(k, 2)), k, columns, weights, np.zeros(k))


def weights_file(store: Registry, name: str) -> int:
    return (Path(store.local(name)) / "weights.safetensors").stat().st_size


def test_files_are_as_small_as_promised(store: Registry) -> None:
    whole = softmax_of(DICE.normal(size=(10, 1000)) / 30.0)
    X = DICE.normal(size=(500, 1000))
    store.register(whole, "float64")
    for dtype, times in {"float32": 1.98, "float16": 3.9, "int8": 7.0}.items():
        smaller = compress(whole, dtype, data=X, max_label_change=0.05)
        store.register(smaller, dtype, data=X)
        assert weights_file(store, "float64") >= times * weights_file(store, dtype), dtype
        np.testing.assert_array_equal(store.load(dtype).coef, smaller.answer.weights())
    assert np.abs(store.load("int8").coef - whole.coef).max() <= np.abs(whole.coef).max() / 254.0 * 1.0001


@settings(max_examples=60, deadline=None)
@given(
    seed=some.integers(0, 10**6),
    dtype=some.sampled_from(["float32", "float16", "int8"]),
    link=some.sampled_from(["logit", "softmax", "one_vs_rest", "modified_huber", "decision"]),
    spread=some.sampled_from([1e-9, 1e-3, 1.0, 30.0, 1e4, 1e6, 1e39]),
    label=some.floats(0.0, 0.2),
    probability=some.floats(0.0, 0.2),
    loss=some.floats(0.0, 0.1),
)
def test_the_guard_lets_nothing_through(
    seed: int, dtype: str, link: str, spread: float, label: float, probability: float, loss: float
) -> None:
    dice = np.random.default_rng(seed)
    k = 1 if link == "logit" else 3
    weights = dice.normal(size=(k, 70)) * spread ** dice.uniform(size=70)
    whole = softmax_of(weights, link)
    X, y = dice.normal(size=(64, 70)), dice.integers(0, max(k, 2), size=64)
    limits = {"max_label_change": label, "max_probability_change": probability, "max_loss_increase": loss}
    try:
        smaller = compress(whole, dtype, data=X, target=y, **limits)
    except CompressionRefused:
        return
    before, after = function_of(whole), function_of(smaller.answer)  # told once more, by hand
    assert np.mean(before.predict(X) != after.predict(X)) <= label
    if link == "decision":
        wrong = [np.mean(model.predict(X) != y) for model in (before, after)]
        assert wrong[1] <= wrong[0] * (1.0 + loss) + 1e-12
        return
    chances = [model.predict_proba(X) for model in (before, after)]
    assert np.abs(chances[0] - chances[1]).max() <= probability
    losses = [-np.log(np.maximum(c[np.arange(64), y], np.finfo(float).tiny)).mean() for c in chances]
    assert losses[1] <= losses[0] * (1.0 + loss) + 1e-12


def test_what_is_too_much_is_refused_with_a_report(X: AnyArray, y: AnyArray) -> None:
    whole = softmax_of(DICE.normal(size=(3, 50)) * 10.0)
    data = DICE.normal(size=(400, 50))
    with pytest.raises(CompressionRefused, match=r"int8 changes too much on 400 rows: .*limit 0\b") as caught:
        compress(whole, "int8", data=data, max_label_change=0.0, max_probability_change=0.0)
    report = caught.value.report
    assert report["change"]["probability"] > 0.0 and report["after"]["bytes of weights"] > 0
    assert "bytes of weights" in str(caught.value) and "change of probability" in str(caught.value)
    with pytest.raises(CompressionRefused, match="cannot hold"):
        compress(softmax_of(np.full((3, 50), 1e6)), "float16", data=data)
    with pytest.raises(UnsupportedParameter, match="expected one of 'float32'"):
        compress(whole, "int4", data=data)
    with pytest.raises(InvalidData, match="has 4 features"):
        compress(whole, data=X)
    with pytest.raises(InvalidData, match="does not know"):
        compress(whole, data=data, target=np.full(400, 7))


def test_losses_are_scikit_learns(X: AnyArray, y: AnyArray, model: Any) -> None:
    worse = LogisticRegression(C=0.01, verbose=0).fit(X, y)
    found = change_of(function_of(answer_of(model)), function_of(answer_of(worse)), X, y)  # type: ignore[arg-type]
    assert found.loss_before == pytest.approx(log_loss(y, model.predict_proba(X)), rel=1e-12)
    assert found.loss_after == pytest.approx(log_loss(y, worse.predict_proba(X)), rel=1e-12)
    assert found.labels == np.mean(model.predict(X) != worse.predict(X))
    counts = DICE.poisson(np.exp(0.3 * X[:, 0]))
    first = PoissonRegressor(verbose=0).fit(X, counts)
    found = change_of(*2 * [function_of(answer_of(first))], X, counts)  # type: ignore[arg-type]
    assert found.loss_before == pytest.approx(mean_poisson_deviance(counts, first.predict(X)) / 2, rel=1e-12)
    assert found.loss == 0.0 and found.mean == 0.0


def test_regressions_are_measured_in_standard_deviations(X: AnyArray) -> None:
    model = Ridge(verbose=0).fit(X, 5.0 * X[:, 0] + 1000.0)
    smaller = compress(model, "int8", data=X, target=5.0 * X[:, 0] + 1000.0, max_loss_increase=10.0)
    again = function_of(smaller.answer).predict(X)
    moved = np.abs(again - model.predict(X)).max() / model.predict(X).std()
    assert smaller.report["change"]["mean"] == pytest.approx(moved, rel=1e-9)
    with pytest.raises(CompressionRefused, match="mean"):
        compress(model, "int8", data=X, max_mean_change=moved / 2)


def test_lazy_data_measure_the_same(X: AnyArray, y: AnyArray, model: Any) -> None:
    lazy = da.from_array(X, chunks=(60, 4)), da.from_array(y, chunks=60)
    limits = {"max_label_change": 1.0, "max_probability_change": 1.0}
    one, other = (
        compress(model, "int8", data=data, target=target, **limits) for data, target in ((X, y), lazy)
    )
    assert one.report["change"] == pytest.approx(other.report["change"], rel=1e-9)


def test_a_compressed_version_knows_its_parent(store: Registry, X: AnyArray, y: AnyArray, model: Any) -> None:
    parent = store.register(model, "claims", data=X, target=y)
    smaller = compress(parent, "float16", data=X, target=y)
    assert isinstance(smaller, Compressed) and "bytes of weights" in str(smaller)
    version = store.register(smaller, "claims", data=X, target=y, metrics={"accuracy": 0.9})
    assert version.lineage["parent"] == "claims/1" and version.number == 2
    assert version.lineage["compression"]["change"] == smaller.report["change"]
    assert np.array_equal(store.load("claims").predict(X), model.predict(X))
    with pytest.raises(Exception, match="without its estimator"):
        store.estimator("claims")


def test_what_was_float32_is_not_said_to_have_been_larger(store: Registry, X: AnyArray, y: AnyArray) -> None:
    version = store.register(LogisticRegression(verbose=0).fit(X.astype(np.float32), y), "claims", data=X)
    report = compress(version, "float16", data=X, target=y).report
    assert report["before"]["bytes of weights"] - report["after"]["bytes of weights"] == 2 * 4


@pytest.mark.parametrize("dtype", edge.DTYPES[1:])
@pytest.mark.parametrize("p", [1, 63, 64, 65, 200])
def test_every_width_comes_back(store: Registry, dtype: str, p: int) -> None:
    weights = DICE.normal(size=(3, p)) * 10.0 ** DICE.integers(-3, 3, size=p)
    weights[0] = 0.0
    smaller = stored_as(softmax_of(weights), dtype)
    store.register(smaller, "claims")
    found = store.load("claims").coef
    np.testing.assert_array_equal(found, smaller.weights())
    assert not found[0].any()


def test_pruning_fits_again() -> None:
    X = DICE.normal(size=(600, 20)) * np.logspace(-2, 2, 20)
    truth = np.zeros(20)
    truth[[2, 7, 19]] = [300.0, -3.0, 0.02]
    y = X @ truth + 0.01 * DICE.normal(size=600)
    model = Ridge(alpha=1e-6, verbose=0).fit(X, y)
    found = prune(model, X, y, 3, max_loss_increase=0.1)
    assert found.kept.tolist() == [2, 7, 19]
    np.testing.assert_allclose(found.model.coef_, Ridge(alpha=1e-6, verbose=0).fit(X[:, [2, 7, 19]], y).coef_)
    assert model.coef_.shape == (20,) and "us a row" in str(found)
    assert prune(model, X, y, 0.15, max_loss_increase=0.1).kept.tolist() == [2, 7, 19]
    with pytest.raises(CompressionRefused, match="loss"):
        prune(model, X, y, 2)
    with pytest.raises(UnsupportedParameter, match="from 1 to 20"):
        prune(model, X, y, 0)


def test_a_pruned_model_is_registered_like_any_other(store: Registry) -> None:
    import pandas as pd

    frame = pd.DataFrame(DICE.normal(size=(300, 6)), columns=list("abcdef"))
    y = frame["b"] + 0.1 * frame["e"] > 0
    model = LogisticRegression(verbose=0).fit(frame, y)
    found = prune(model, frame, y, 2, max_label_change=0.1, max_loss_increase=0.05)
    store.register(found.model, "claims", data=frame[["b", "e"]], target=y)
    assert store.load("claims").features == ["b", "e"]


@pytest.mark.parametrize("lazy", [False, True])
def test_no_rows_to_measure_on(lazy: bool) -> None:
    none = np.zeros((0, 5))
    data = da.from_array(none, chunks=(1, 5)) if lazy else none
    with pytest.raises(InvalidData, match="data= has 0 samples; give features .* at least one row"):
        compress(softmax_of(DICE.normal(size=(3, 5))), "int8", data=data)
