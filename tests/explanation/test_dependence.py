"""Dependence: scikit-learn's brute force on the same rows and the same grid, to the last digits."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
import pytest
from distributed import Client
from sklearn.ensemble import RandomForestClassifier
from sklearn.inspection import partial_dependence as theirs
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from daskml_dist import linear_model
from daskml_dist.errors import InvalidData
from daskml_dist.explanation import partial_dependence
from tests.explanation.models import SEED, as_edge, rows

X, Z = rows(600)
LABELS = np.where(Z > 0, "yes", "no")
THREE = np.digitize(Z, [-1.0, 1.0])
WEIGHTS = np.random.default_rng(SEED).random(len(X))

MODELS: dict[str, Any] = {
    "ridge": (Ridge(), Z),
    "two targets": (Ridge(), np.stack([Z, -Z], axis=1)),
    "two classes": (make_pipeline(StandardScaler(), LogisticRegression()), LABELS),
    "three classes": (LogisticRegression(max_iter=5000), THREE),
    "margins": (LinearSVC(), LABELS),
    "forest": (RandomForestClassifier(5, random_state=0, max_depth=4), LABELS),
    "ours": (linear_model.Ridge(), Z),
    "our classes": (linear_model.LogisticRegression(), THREE),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("features", "weighted"), [([1], False), ([0, 3], True)])
def test_averages_are_scikit_learns(name: str, features: list[int], weighted: bool) -> None:
    model, y = MODELS[name]
    model.fit(X, y)
    weight = WEIGHTS if weighted else None
    expected = theirs(
        model, X, features, method="brute", kind="average", grid_resolution=5, sample_weight=weight
    )
    found = partial_dependence(
        model, da.from_array(X, chunks=(128, 4)), features, grid_resolution=5, sample_weight=weight
    )
    for axis, other in zip(found.grid_values, expected.grid_values, strict=True):
        np.testing.assert_allclose(axis, other, rtol=1e-14)
    np.testing.assert_allclose(found.average, expected.average, rtol=1e-12, atol=1e-12)


def test_curves_of_rows_are_scikit_learns() -> None:
    model = LogisticRegression(max_iter=5000).fit(X, THREE)
    expected = theirs(model, X, [0], method="brute", kind="individual", grid_resolution=5).individual
    chunked = da.from_array(X, chunks=(128, 4))
    every = partial_dependence(model, chunked, [0], grid_resolution=5, individual=10_000).individual
    assert every is not None
    np.testing.assert_allclose(every, expected, rtol=1e-12, atol=1e-12)
    some = partial_dependence(
        model, chunked, [0], grid_resolution=5, individual=40, random_state=2
    ).individual
    assert some is not None
    assert some.shape == (3, 40, 5)
    rows_found = [np.flatnonzero(np.isclose(expected[0], curve).all(axis=1))[0] for curve in some[0]]
    assert rows_found == sorted(set(rows_found))  # different rows, in the order of the table
    assert max(rows_found) > 300 > min(rows_found)  # of all blocks


def test_a_registered_model_answers_as_its_estimator() -> None:
    for model, y in [(Ridge(), Z), (LogisticRegression(max_iter=5000), LABELS), (LinearSVC(), LABELS)]:
        model.fit(X, y)
        one = partial_dependence(model, X, [0], grid=[[-1.0, 0.0, 2.0]])
        other = partial_dependence(as_edge(model, X), X, [0], grid=[[-1.0, 0.0, 2.0]])
        np.testing.assert_allclose(one.average, other.average, rtol=1e-12)


def test_few_values_are_their_own_grid_and_names_are_known() -> None:
    frame = pd.DataFrame(X.round(), columns=list("abcd"))
    model = Ridge().fit(frame, Z)
    found = partial_dependence(model, frame, ["c"])
    assert found.features == ("c",)
    np.testing.assert_array_equal(found.grid_values[0], np.unique(frame["c"]))
    expected = theirs(model, frame, ["c"], method="brute")
    np.testing.assert_allclose(found.average, expected.average, rtol=1e-12)


def test_a_grid_of_many_rows_is_that_of_a_sample() -> None:
    many = np.random.default_rng(SEED).normal(size=(40_000, 4))
    model = Ridge().fit(X, Z)
    found = partial_dependence(model, da.from_array(many, chunks=(5000, 4)), [2], grid_resolution=5)
    np.testing.assert_allclose(found.grid_values[0], np.linspace(-1.645, 1.645, 5), atol=0.08)


@pytest.mark.parametrize("name", ["ridge", "our classes"])
def test_the_bits_do_not_depend_on_the_backend(client: Client, name: str) -> None:
    model, y = MODELS[name]
    model.fit(X, y)
    chunked = da.from_array(X, chunks=(100, 4))
    here = partial_dependence(model, chunked, [1], grid_resolution=5, individual=30, scheduler="threads")
    there = partial_dependence(model, chunked, [1], grid_resolution=5, individual=30, scheduler=client)
    for one, other in [
        (here.average, there.average),
        (here.individual, there.individual),
        (here.grid_values[0], there.grid_values[0]),
    ]:
        assert one is not None and other is not None
        assert one.tobytes() == other.tobytes()


def test_what_does_not_fit_is_refused() -> None:
    model = Ridge().fit(X, Z)
    for features, more, message in [
        ([0, 1, 2], {}, "one feature or two"),
        ("x0", {}, "one feature or two"),
        (["x9"], {}, "no feature 'x9'"),
        ([0], {"grid": [[1.0], [2.0]]}, "values for 2 features"),
        ([0], {"grid": [[]]}, "finite values"),
        ([0], {"grid": [[np.nan]]}, "finite values"),
        ([0], {"grid_resolution": 1}, "no grid"),
        ([0], {"percentiles": (0.9, 0.1)}, "no grid"),
        ([0], {"sample_weight": da.zeros(len(X))}, "weights are 0"),
        ([0], {"sample_weight": da.full(len(X), -1.0)}, "negative"),
    ]:
        with pytest.raises(InvalidData, match=message):
            partial_dependence(model, X, features, **more)
    with pytest.raises(TypeError, match="no model"):
        partial_dependence("model", X, [0])
    mostly = X.copy()
    mostly[:590, 0] = 0.0
    with pytest.raises(InvalidData, match="too close"):
        partial_dependence(model, mostly, [0], grid_resolution=3)
