"""The table of docs/containers.md: every estimator is fitted to every container, and the table says so."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import xarray as xr
from numpy.testing import assert_allclose
from sklearn.base import clone

from daskml_dist import linear_model
from tests.conftest import ROOT

N, P = 60, 3
RNG = np.random.default_rng(0)
X = np.where(RNG.random((N, P)) < 0.6, RNG.standard_normal((N, P)).round(2), 0.0)
REALS = X @ [1.0, -2.0, 0.5] + 0.3 * RNG.standard_normal(N)
CLASSIFIERS = (
    "LinearSVC",
    "LogisticRegression",
    "LogisticRegressionCV",
    "MinimaxClassifier",
    "RidgeClassifier",
    "RidgeClassifierCV",
    "SGDClassifier",
)
TARGETS = dict.fromkeys(CLASSIFIERS, (REALS > 0).astype(int)) | dict.fromkeys(
    ("PoissonRegressor", "GammaRegressor", "TweedieRegressor"), np.exp(REALS / 4)
)
SIMPLE: dict[str, Any] = {
    "LogisticRegressionCV": {"Cs": [0.1, 1.0], "cv": 2},  # few candidates
    "MinimaxClassifier": {"risk": "mean"},  # partitions are groups, which a container in memory has one of
    "MinimaxRegressor": {"risk": "mean"},
}
NAMES = ["a", "b", "c"]
FRAME = pd.DataFrame(X, columns=NAMES)
LAZY = da.from_array(X, chunks=(20, P))
DOCS = ROOT / "docs" / "containers.md"


def _unknown(array: Any) -> Any:
    chunks = ((np.nan,) * array.numblocks[0], *array.chunks[1:])
    return da.Array(array.dask, array.name, chunks, meta=array._meta)


def _variables(array: Any) -> xr.Dataset:
    return xr.Dataset({name: ("row", array[:, j]) for j, name in enumerate(NAMES)})


#: the container, and how its rows are cut (None: in memory)
CONTAINERS: dict[str, tuple[Callable[[], Any], type]] = {
    "NumPy array": (lambda: X, np.ndarray),
    "list": (X.tolist, np.ndarray),
    "pandas DataFrame": (lambda: FRAME, pd.Series),
    "scipy.sparse array or matrix": (lambda: scipy.sparse.csr_matrix(X), np.ndarray),
    "dask array": (lambda: LAZY, da.Array),
    "dask array of unknown chunk lengths": (lambda: _unknown(LAZY), da.Array),
    "dask array of scipy.sparse blocks": (lambda: LAZY.map_blocks(scipy.sparse.csr_matrix), da.Array),
    "dask DataFrame": (lambda: dd.from_pandas(FRAME, npartitions=3), dd.Series),
    "xarray DataArray": (lambda: xr.DataArray(X, dims=["row", "feature"]), xr.DataArray),
    "xarray DataArray over dask": (lambda: xr.DataArray(LAZY, dims=["row", "feature"]), xr.DataArray),
    "xarray Dataset": (lambda: _variables(X), xr.DataArray),
    "xarray Dataset over dask": (lambda: _variables(LAZY), xr.DataArray),
}
ESTIMATORS = sorted(set(linear_model.__all__))


def unfitted(estimator: str) -> Any:
    """With a tight tolerance, where it has one."""
    model = getattr(linear_model, estimator)(verbose=0, **SIMPLE.get(estimator, {}))
    return model.set_params(tol=1e-12) if "tol" in model.get_params() else model


@cache
def fitted_to_array(estimator: str) -> Any:
    """What all containers are compared with."""
    return unfitted(estimator).fit(X, TARGETS.get(estimator, REALS))


def cell(estimator: str, container: str) -> str:
    """Fit and predict; "yes" where both are those of a NumPy array, in kind and lazy where X is."""
    make, kind = CONTAINERS[container]
    given, y = make(), TARGETS.get(estimator, REALS)
    model, reference = clone(unfitted(estimator)), fitted_to_array(estimator)
    try:
        model.fit(given, y)
    except TypeError as refusal:
        assert "dense data is required" in str(refusal)
        return "refused"
    assert_allclose(model.coef_, reference.coef_, rtol=1e-6, atol=1e-9)
    predicted = model.predict(given)
    assert isinstance(predicted, kind)
    assert dask.is_dask_collection(predicted) == dask.is_dask_collection(given)
    assert_allclose(np.asarray(dask.compute(predicted, scheduler="threads")[0]), reference.predict(X))
    return "yes"


def table() -> str:
    """The table in Markdown."""
    lines = [["", *CONTAINERS], ["---"] * (1 + len(CONTAINERS))]
    lines += [[f"`{name}`", *(cell(name, container) for container in CONTAINERS)] for name in ESTIMATORS]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


@pytest.mark.slow
def test_the_table_of_the_docs_is_what_happens() -> None:
    made = table()
    assert made in DOCS.read_text(), f"docs/containers.md must hold this table:\n\n{made}\n"
