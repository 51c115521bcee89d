"""Bits that do not depend on company, and columns that become features or are refused by name."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from threadpoolctl import threadpool_limits

from daskml_dist import edge
from daskml_dist.edge import Column
from daskml_dist.registry.functions import function_of
from daskml_dist.storage import Answer

DICE = np.random.default_rng(0)
SECRET = "canary-4711"


def model_of(columns: tuple[Column, ...], k: int = 1) -> edge.Model:
    p = sum(len(column.outputs) for column in columns)
    weights = DICE.normal(size=(k, p))
    return function_of(Answer("regression", "identity", None, k, columns, weights, DICE.normal(size=k)))


@pytest.mark.thinned(2)
@pytest.mark.parametrize("p", [1, 3, 30, 1000, 8192, 8193, 20_001])
@pytest.mark.parametrize("k", [1, 3])
def test_the_bits_of_a_row_depend_on_nothing_else(p: int, k: int) -> None:
    model = model_of(tuple(Column(f"x{i}") for i in range(p)), k)
    X = DICE.normal(size=(37, p))
    together = model.margin(X)
    np.testing.assert_allclose(together, X @ model.coef.T + model.intercept, rtol=1e-9, atol=1e-9)
    for threads in (1, 2):
        with threadpool_limits(threads):
            alone = np.vstack([model.margin(row[None, :]) for row in X])
            backwards = model.margin(np.asfortranarray(X[::-1]))[::-1]
            within = model.margins(np.vstack([X, X])[20:57].copy())
        assert alone.tobytes() == together.tobytes() == backwards.tobytes()
        assert within[17:].tobytes() == together[:20].tobytes()


COLUMNS = (
    Column("age", mean=40.0),
    Column("bmi"),
    Column("sex", "category", levels=("f", "m"), fill="f"),
    Column("site", "category", levels=("north", "south")),
)
ROWS: dict[str, Any] = {"age": [1, 2], "bmi": [3.5, 4], "sex": ["m", "x"], "site": ["south", "north"]}


def test_columns_become_features() -> None:
    model = model_of(COLUMNS)
    assert model.features == ["age", "bmi", "sex=f", "sex=m", "site=north", "site=south"]
    assert model.encode(ROWS).tolist() == [[1.0, 3.5, 0.0, 1.0, 0.0, 1.0], [2.0, 4.0, 0.0, 0.0, 1.0, 0.0]]
    kinds: dict[str, Any] = {
        "age": np.array([None, 7], dtype=object), "bmi": (True, np.float32(2.0)),
        "sex": np.array([None, "m"], dtype=object), "site": np.array(["north", "north"]),
    }  # fmt: skip
    assert model.encode(kinds).tolist() == [[40.0, 1.0, 1.0, 0.0, 1.0, 0.0], [7.0, 2.0, 0.0, 1.0, 1.0, 0.0]]
    assert model.encode({name: [] for name in ROWS}).shape == (0, 6)


NUMBERS, GAPS, TEXT = "takes numbers", "missing or infinite", "takes text"
BAD: list[tuple[str, Any, str]] = [
    *(
        ("bmi", values, NUMBERS)
        for values in ([SECRET, 1], ["1", "2"], [[1], [2, 3]], [[1], [2]], 3.0, {1: 2})
    ),
    *(("bmi", values, NUMBERS) for values in ([10**400, 1], [1j, 2], 3.0, {1: 2})),
    *(("bmi", values, GAPS) for values in ([None, 1], [math.nan, 1], [math.inf, 1])),
    ("age", [math.inf, 1], GAPS),
    *(("bmi", values, "more or less rows") for values in ([1], [1, 2, 3])),
    ("site", ["north"], "more or less rows"),
    *(("site", values, "missing values") for values in ([None, "north"], [math.nan, "north"])),
    *(("site", values, TEXT) for values in ([1, 2], [b"north", "south"])),
    ("sex", [[SECRET], "m"], TEXT),
]


@pytest.mark.parametrize(("name", "values", "said"), BAD, ids=lambda value: str(value)[:20])
def test_what_is_refused_names_the_column_and_no_value(name: str, values: Any, said: str) -> None:
    with pytest.raises(edge.InvalidInput, match=said) as caught:
        model_of(COLUMNS).encode(ROWS | {name: values})
    assert caught.value.column == name and f"column {name!r}" in str(caught.value)
    seen, error = "", caught.value
    while error is not None:  # neither in what it was caused by
        seen, error = seen + str(error), error.__cause__ or error.__context__  # type: ignore[assignment]
    assert SECRET not in seen


def test_columns_that_are_missing_or_unknown_are_named() -> None:
    model = model_of(COLUMNS)
    with pytest.raises(edge.InvalidInput, match="column 'bmi' is missing") as caught:
        model.encode({name: values for name, values in ROWS.items() if name != "bmi"})
    assert caught.value.column == "bmi"
    with pytest.raises(edge.InvalidInput, match="column 'zip' is not known") as caught:
        model.encode(ROWS | {"zip": ["8001", "8002"]})
    assert caught.value.column == "zip"


ANYTHING = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text() | some.binary(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(), inner, max_size=2),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None)
@given(name=some.sampled_from(list(ROWS)), values=ANYTHING)
def test_anything_is_taken_or_refused(name: str, values: Any) -> None:
    try:
        X = model_of(COLUMNS).encode(ROWS | {name: values})
    except edge.InvalidInput as error:
        assert error.column is not None
    else:
        assert X.shape == (2, 6) and np.isfinite(X).all()


@pytest.mark.parametrize(
    "X", [[1.0], [[1.0]], [["a"] * 6], [[None] * 6], "text", [[math.nan] * 6], [[10**400] * 6]]
)
def test_a_matrix_that_is_none_is_refused(X: Any) -> None:
    for call in (model_of(COLUMNS).predict, model_of(COLUMNS).margin):
        with pytest.raises(edge.InvalidInput):
            call(X)


def test_what_a_model_cannot_say_is_said() -> None:
    model = model_of(COLUMNS)
    with pytest.raises(edge.InvalidInput, match="use predict"):
        model.predict_proba(np.zeros((1, 6)))
    with pytest.raises(edge.InvalidModel, match="no means"):
        model.contributions(np.zeros((1, 6)))
