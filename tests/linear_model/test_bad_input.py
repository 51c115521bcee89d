"""What cannot be used is refused in words: what it was, where it is, what to do."""

from __future__ import annotations

import re
from typing import Any

import dask.array as da
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from daskml_dist.errors import InvalidData, NonFiniteData, UnsupportedCombination, UnsupportedParameter
from daskml_dist.linear_model import (
    HuberRegressor,
    LinearRegression,
    LinearSVC,
    LinearSVR,
    LogisticRegression,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
)
from tests.linear_model.problems import difference

pytestmark = pytest.mark.few_clusters

N = 300
RNG = np.random.default_rng(0)
X = RNG.standard_normal((N, 3))
LABELS = (X[:, 0] + RNG.standard_normal(N) > 0).astype(int)
ESTIMATORS = [LinearRegression, Ridge, LogisticRegression, PoissonRegressor]
OTHERS = [HuberRegressor, LinearSVC, LinearSVR, QuantileRegressor]
every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS)


def _cut(array: Any) -> da.Array:
    return da.from_array(array, chunks=(100, *array.shape[1:]))


def _with(array: Any, row: int, value: Any, column: int | None = None) -> Any:
    changed = np.array(array, dtype=float)
    changed[row if column is None else (row, column)] = value
    return changed


@pytest.mark.thinned(3)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    ("estimator", "part"),
    [(estimator, part) for estimator in ESTIMATORS + OTHERS for part in ("X", "y", "sample_weight")]
    + [(LogisticRegression, "offset"), (PoissonRegressor, "offset")],
)
def test_values_that_are_not_finite_are_found(estimator: Any, part: str, value: float, backend: str) -> None:
    given = {"X": X, "y": LABELS, "sample_weight": np.ones(N)}
    if estimator in (LogisticRegression, PoissonRegressor):
        given["offset"] = np.zeros(N)
    given[part] = _with(given[part], 207, value, 1 if part == "X" else None)
    what = "NaN" if np.isnan(value) else "infinity"
    place = "chunk 2, the first in row 7 of the chunk" + (", column 1" if part == "X" else "")
    with pytest.raises(NonFiniteData, match=f"Input {part} contains {what}: 1 value.*{place}"):
        estimator(verbose=0).fit(**{name: _cut(array) for name, array in given.items()})
    with pytest.raises(NonFiniteData, match=f"Input {part} contains {what}"):
        estimator(verbose=0).fit(**given)


CHUNKED_REFUSALS = {
    "one class": (LogisticRegression, {"y": np.zeros(N)}, "contains only one class: 0"),
    "fractions": (LogisticRegression, {"y": X[:, 0]}, r"Unknown label type: continuous.*chunk \d"),
    "no numbers": (Ridge, {"y": np.where(LABELS, "a", "b")}, r"y is not numeric in chunk \d"),
    "negative counts": (PoissonRegressor, {"y": _with(LABELS, 150, -1)}, r"chunk [01]\): .*never negative"),
    "no counts": (
        PoissonRegressor,
        {"y": np.zeros(N)},
        "mean of y is 0, .* no finite intercept.*fit_intercept",
    ),
    "negative weight": (
        Ridge,
        {"sample_weight": _with(np.ones(N), 250, -2)},
        "Negative values in data passed to `sample_weight`: 1 in chunk [02], the smallest -2",
    ),
    "weights of words": (Ridge, {"sample_weight": np.full(N, "a")}, "sample_weight is of dtype <U1"),
    "no weight": (Ridge, {"sample_weight": np.zeros(N)}, "weights add up to zero|at least one non-zero"),
    "tiny weights": (Ridge, {"sample_weight": np.full(N, 1e-300)}, "add up to 3e-298.*Multiply them"),
    "weights that overflow": (Ridge, {"sample_weight": np.full(N, 1e307)}, "add up to inf"),
    "a class without weight": (
        LogisticRegression,
        {"sample_weight": np.where(LABELS, 1.0, 0.0)},
        "All rows of class 0 have weight zero",
    ),
    "weights of two columns": (Ridge, {"sample_weight": np.ones((N, 2))}, "must be 1D array or scalar"),
    "too few targets": (Ridge, {"y": LABELS[:-1]}, r"inconsistent numbers of samples: \[300, 299\]"),
    "no target": (Ridge, {"y": None}, "requires y to be passed"),
    "two targets": (LogisticRegression, {"y": np.column_stack([LABELS, LABELS])}, "y should be a 1d array"),
    "features in a row": (Ridge, {"X": X[:, 0]}, "Expected 2D array, got 1D array"),
    "no rows": (Ridge, {"X": X[:0], "y": LABELS[:0]}, r"0 sample\(s\)"),
    "complex": (Ridge, {"X": X + 1j}, "Complex data not supported"),
    "words": (Ridge, {"X": np.full((N, 3), "a")}, "numbers are expected|Convert your data to numeric"),
}


@pytest.mark.thinned(2)
@pytest.mark.parametrize("chunks", [False, True], ids=["in memory", "chunked"])
@pytest.mark.parametrize("name", CHUNKED_REFUSALS)
def test_data_are_refused_in_words(name: str, chunks: bool, client: Any) -> None:
    estimator, change, text = CHUNKED_REFUSALS[name]
    given: dict[str, Any] = {"X": X, "y": LABELS, **change}
    if chunks:
        given = {key: None if value is None else _cut(value) for key, value in given.items()}
    with pytest.raises((InvalidData, ValueError), match=text):
        estimator(verbose=0).fit(**given)


PARAMETERS: list[tuple[Any, dict[str, Any], str]] = [
    (LogisticRegression, {"dual": True}, "dual=True.* is not supported"),
    (LogisticRegression, {"intercept_scaling": 2}, "intercept_scaling=2.* is not supported"),
    (LogisticRegression, {"n_jobs": 2}, "n_jobs=2.* is not supported"),
    (LinearRegression, {"copy_X": False}, "copy_X=False.* is not supported"),
    (Ridge, {"solver": "svd"}, "solver='svd' was given; expected one of 'auto', 'least-squares'"),
    (Ridge, {"alpha": -1.0}, "alpha must be a finite number >= 0"),
    (Ridge, {"alpha": np.inf}, "alpha must be a finite number >= 0"),
    (Ridge, {"alpha": "1"}, "alpha must be a finite number >= 0|one for each column"),
    (PoissonRegressor, {"alpha": np.nan}, "alpha must be a finite number >= 0"),
    (LogisticRegression, {"C": 0.0}, "C must be a number > 0"),
    (LogisticRegression, {"C": -1.0}, "C must be a number > 0"),
    (LogisticRegression, {"C": None}, "C must be a number > 0"),
    (PoissonRegressor, {"tol": -1e-3}, "tol must be a finite number >= 0"),
    (PoissonRegressor, {"max_iter": 0}, "max_iter must be a finite number >= 1"),
    (PoissonRegressor, {"max_iter": 2.5}, r"max_iter=2.5\): expected an integer"),
    (PoissonRegressor, {"fit_intercept": "yes"}, r"fit_intercept='yes'\): expected True or False"),
    (PoissonRegressor, {"fit_intercept": None}, r"fit_intercept=None\): expected True or False"),
    (PoissonRegressor, {"warm_start": 1.0}, r"warm_start=1.0\): expected True or False"),
    (PoissonRegressor, {"checkpoint": 3}, r"checkpoint=3\): expected a directory"),
    (PoissonRegressor, {"random_state": "x"}, "random_state='x' was given"),
    (PoissonRegressor, {"scheduler": "local"}, "scheduler='local' was given; expected None, 'threads'"),
]


@pytest.mark.parametrize(("estimator", "parameters", "text"), PARAMETERS, ids=str)
def test_parameters_are_refused_in_words(estimator: Any, parameters: dict[str, Any], text: str) -> None:
    with pytest.raises(UnsupportedParameter, match=text):
        estimator(**{"verbose": 0, **parameters}).fit(X, LABELS)


@pytest.mark.parametrize(
    ("weights", "text"),
    [
        ("even", "class_weight must be a dict .* or None; got: 'even'"),
        ({0: 1.0, 7: 2.0}, r"does not fit the classes of y: The classes, \[7|The classes"),
        ({0: -1.0}, "expected finite factors >= 0"),
        ({0: np.nan}, "expected finite factors >= 0"),
        ({0: 0.0}, "All rows of class 0 have weight zero"),
    ],
)
def test_class_weights_are_refused_in_words(weights: Any, text: str) -> None:
    with pytest.raises(InvalidData, match=text):
        LogisticRegression(class_weight=weights, verbose=0).fit(X, LABELS)


def test_combinations_are_refused_in_words() -> None:
    with pytest.raises(UnsupportedCombination, match="needs a quadratic loss.*Use solver='auto'"):
        LogisticRegression(solver="least-squares", verbose=0).fit(X, LABELS)
    for alpha, y in (([1.0, 2.0, 3.0], X[:, :2]), ([1.0, 2.0], LABELS)):
        with pytest.raises(InvalidData, match="Number of targets and number of penalties do not correspond"):
            Ridge(alpha=alpha, verbose=0).fit(X, y)


@pytest.mark.parametrize("estimator", ESTIMATORS + OTHERS)
def test_an_unfitted_model_says_so(estimator: Any) -> None:
    for given in (X, _cut(X)):
        with pytest.raises(NotFittedError, match=f"This {estimator.__name__} instance is not fitted yet"):
            estimator().predict(given)
        with pytest.raises(NotFittedError, match="not fitted yet"):
            estimator().score(given, given[:, 0])
    with pytest.raises(NotFittedError):
        estimator().visualize("x.svg")


LAYOUTS = {
    "Fortran order": np.asfortranarray,
    "read-only": lambda array: _frozen(array),
    "strided": lambda array: np.repeat(np.repeat(array, 2, axis=0), 2, axis=-1)[::2, ..., ::2],
    "backwards": lambda array: array[::-1].copy()[::-1],
    "big endian": lambda array: array.astype(array.dtype.newbyteorder(">")),
    "object": lambda array: array.astype(object),
    "float128": lambda array: array.astype(np.longdouble),
    "list": lambda array: array.tolist(),
}
DTYPES = [np.float16, np.float32, np.int8, np.int64, np.uint16, bool]


def _frozen(array: np.ndarray) -> np.ndarray:
    copy = array.copy()
    copy.flags.writeable = False
    return copy


@pytest.mark.thinned(3)
@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("estimator", [*ESTIMATORS, LinearSVC, LinearSVR])
def test_layouts_change_nothing(estimator: Any, name: str) -> None:
    expected = estimator(verbose=0, tol=1e-12).fit(X, LABELS)
    given = LAYOUTS[name](X)
    for features in [given] if name in ("object", "list") else [given, _cut(given)]:
        model = estimator(verbose=0, tol=1e-12).fit(features, LABELS)
        assert difference(model, expected) < 1e-9


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
@every_estimator
def test_dtypes_are_summed_in_float64(estimator: Any, dtype: Any) -> None:
    given = np.abs(10 * X).astype(dtype)
    expected = estimator(verbose=0, tol=1e-12).fit(given.astype(float), LABELS)
    for features in (given, _cut(given)):
        model = estimator(verbose=0, tol=1e-12).fit(features, LABELS)
        assert difference(model, expected) < (1e-6 if dtype == np.float32 else 1e-9)
        assert model.coef_.dtype == (np.float32 if dtype == np.float32 else np.float64)


WEIGHTS = {
    "a chunk of zeros": np.where(np.arange(N) // 100 == 1, 0.0, 1.0),
    "tiny": np.full(N, 1e-200),
    "huge": np.full(N, 1e200),
    "from 1e-8 to 1e8": 10.0 ** RNG.integers(-8, 9, N),
    "float32": RNG.random(N).astype(np.float32),
    "integers": RNG.integers(0, 3, N),
}


@pytest.mark.parametrize("name", WEIGHTS)
@every_estimator
def test_weights_of_any_size(estimator: Any, name: str, backend: str) -> None:
    weight = WEIGHTS[name].astype(float)
    free = {Ridge: {"alpha": 0.0}, LogisticRegression: {"C": np.inf}, PoissonRegressor: {"alpha": 0.0}}
    options = {"verbose": 0, **free.get(estimator, {})}
    if estimator is not LinearRegression:
        options["tol"] = 1e-13
    kept = weight > 0
    expected = estimator(**options).fit(X[kept], LABELS[kept], weight[kept] / weight.mean())
    model = estimator(**options).fit(_cut(X), _cut(LABELS), _cut(WEIGHTS[name]))
    assert difference(model, expected) < 1e-8


@pytest.mark.parametrize("estimator", ESTIMATORS + OTHERS)
def test_a_width_that_was_not_learned_is_refused(estimator: Any) -> None:
    model = estimator(verbose=0).fit(X, LABELS)
    text = re.escape(f"X has 2 features, but {estimator.__name__} is expecting 3 features as input")
    for given in (X[:, :2], _cut(X)[:, :2]):
        with pytest.raises(ValueError, match=text):
            model.predict(given)
