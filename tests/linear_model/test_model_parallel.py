"""Data, model and hybrid parallel training: the same optimum and the same bits, however X is chunked."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import dask.array as da
import numpy as np
import pytest
import scipy.sparse as sp
import xarray as xr
from distributed import Client, LocalCluster
from sklearn import linear_model as theirs

from daskml_dist import fit
from daskml_dist.cluster import Blockwise
from daskml_dist.errors import InvalidData, UnsupportedCombination
from daskml_dist.kernels.blockwise import Multiply
from daskml_dist.linear_model import (
    GammaRegressor,
    GeneralizedLinearRegressor,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    TweedieRegressor,
)

N, P = 1200, 12
EXACT: dict[str, Any] = {"solver": "model-parallel", "tol": 1e-14, "max_iter": 2000}
LAYOUTS = {
    "one block": (N, P),
    "horizontal": (100, P),
    "vertical": (N, (5, 1, 6)),
    "grid": (((7, 500, 0, 693)), (4, 4, 4)),
}
rng = np.random.default_rng(0)
SCALES = np.logspace(-1.0, 1.0, P)  # condition about 1e4 with the correlations
X = (rng.standard_normal((N, P)) @ (np.eye(P) + 0.3) + 2.0) * SCALES
MARGIN = (X / SCALES) @ rng.standard_normal(P) * 0.1
WEIGHT = rng.integers(1, 4, N).astype(float)
OFFSET = rng.standard_normal(N) * 0.1
TARGETS = {
    "class": np.where(MARGIN - MARGIN.mean() + rng.standard_normal(N) > 0, "yes", "no"),
    "number": MARGIN + rng.standard_normal(N),
    "count": rng.poisson(np.exp(MARGIN - MARGIN.mean())),
    "positive": rng.gamma(2.0, np.exp(MARGIN - MARGIN.mean())) + 1e-3,
}
FEW = {"logistic", "ridge", "Poisson", "gamma"}
MODELS: dict[str, tuple[Callable[..., Any], str]] = {
    "logistic": (lambda **kw: LogisticRegression(**kw), "class"),
    "logistic, no intercept": (lambda **kw: LogisticRegression(fit_intercept=False, **kw), "class"),
    "logistic, balanced": (lambda **kw: LogisticRegression(class_weight="balanced", **kw), "class"),
    "ridge": (lambda **kw: Ridge(alpha=3.0, **kw), "number"),
    "least squares": (lambda **kw: LinearRegression(**kw), "number"),
    "Poisson": (lambda **kw: PoissonRegressor(alpha=1e-2, **kw), "count"),
    "gamma": (lambda **kw: GammaRegressor(alpha=1e-2, **kw), "positive"),
    "Tweedie": (lambda **kw: TweedieRegressor(power=1.5, alpha=1e-2, **kw), "positive"),
    "generalized": (
        lambda **kw: GeneralizedLinearRegressor(family="poisson", alpha=1e-2, l1_ratio=0.0, **kw),
        "count",
    ),
}


def cut(layout: str) -> Any:
    return da.from_array(X, chunks=LAYOUTS[layout])


def theta(model: Any) -> np.ndarray:
    return np.append(np.ravel(model.coef_) * SCALES, model.intercept_)


@pytest.mark.thinned(2)
@pytest.mark.parametrize(
    "name", [name if name in FEW else pytest.param(name, marks=pytest.mark.slow) for name in MODELS]
)
def test_every_layout_has_the_optimum(name: str) -> None:
    make, target = MODELS[name]
    y = TARGETS[target]
    expected = theta(make(tol=1e-14, max_iter=1000).fit(X, y, sample_weight=WEIGHT))
    for layout in LAYOUTS:
        model = make(**EXACT).fit(cut(layout), y, sample_weight=WEIGHT)
        np.testing.assert_allclose(theta(model), expected, rtol=1e-10, atol=1e-10 * np.abs(expected).max())


def test_scikit_learns_optimum() -> None:
    y = TARGETS["class"]
    ours = LogisticRegression(C=0.5, **EXACT).fit(cut("grid"), y)
    other = theirs.LogisticRegression(C=0.5, solver="newton-cholesky", tol=1e-12, max_iter=500).fit(X, y)
    np.testing.assert_allclose(ours.coef_, other.coef_, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(ours.intercept_, other.intercept_, rtol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_default_tolerance_is_kept(layout: str) -> None:
    y = TARGETS["class"]
    best = LogisticRegression(C=0.5, tol=1e-14).fit(X, y)
    model = LogisticRegression(C=0.5, solver="model-parallel").fit(cut(layout), y)
    signs = np.where(y == "yes", 1.0, -1.0)

    def objective(one: Any) -> float:
        margin = X @ one.coef_[0] + one.intercept_[0]
        return float(np.logaddexp(0.0, -signs * margin).sum() + np.sum(one.coef_**2))

    assert objective(model) <= objective(best) * (1.0 + 1e-6)
    assert model.gap_ <= 1e-6
    assert model.gap_kind_ == "estimate"
    assert model.history_[-1]["passes"] == model.n_passes_


@pytest.mark.parametrize(
    "layout", [*(pytest.param(name, marks=pytest.mark.slow) for name in ("horizontal", "vertical")), "grid"]
)
def test_threads_and_a_cluster_have_the_same_bits(layout: str, request: pytest.FixtureRequest) -> None:
    y = da.from_array(TARGETS["count"], chunks=400)

    def fitted() -> bytes:
        model = PoissonRegressor(alpha=1e-2, solver="model-parallel", tol=1e-3)
        return theta(model.fit(cut(layout), y, sample_weight=WEIGHT, offset=OFFSET)).tobytes()

    here = fitted()
    request.getfixturevalue("client")
    assert fitted() == here


def test_offsets_count() -> None:
    y = TARGETS["count"]
    expected = PoissonRegressor(alpha=1e-2, tol=1e-14).fit(X, y, offset=OFFSET)
    model = PoissonRegressor(alpha=1e-2, **EXACT).fit(cut("grid"), y, offset=OFFSET)
    np.testing.assert_allclose(theta(model), theta(expected), rtol=1e-10, atol=1e-10)


@pytest.mark.slow
def test_sparse_blocks_and_labelled_arrays() -> None:
    y = TARGETS["class"]
    thin = np.where(np.random.default_rng(1).random((N, P)) < 0.7, 0.0, X)
    expected = theta(LogisticRegression(tol=1e-14).fit(thin, y))
    blocks = da.from_array(thin, chunks=(500, 5)).map_blocks(sp.csr_array)
    labelled = xr.DataArray(da.from_array(thin, chunks=(500, 5)), dims=["row", "feature"])
    for given in (blocks, labelled, thin):
        model = LogisticRegression(**EXACT).fit(given, y)
        np.testing.assert_allclose(theta(model), expected, rtol=1e-10, atol=1e-10)


def test_chunks_of_unknown_lengths() -> None:
    known = cut("grid")
    chunks = ((np.nan,) * 4, known.chunks[1])
    unknown = da.Array(known.dask, known.name, chunks, dtype=known.dtype)
    y = da.from_array(TARGETS["number"], chunks=(known.chunks[0],))
    other = da.Array(y.dask, y.name, ((np.nan,) * 4,), dtype=y.dtype)
    given = Ridge(**EXACT).fit(unknown, other)
    assert theta(given).tobytes() == theta(Ridge(**EXACT).fit(known, y)).tobytes()


def test_wide_columns_of_blocks_take_the_diagonal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daskml_dist.kernels.blockwise.MOST_BLOCK_COLUMNS", 3)
    expected = theta(LogisticRegression(tol=1e-14).fit(X, TARGETS["class"]))
    model = LogisticRegression(**EXACT).fit(cut("grid"), TARGETS["class"])
    np.testing.assert_allclose(theta(model), expected, rtol=1e-9, atol=1e-9)


def test_collinear_columns_in_different_blocks() -> None:
    twice = np.hstack([X, X[:, :3]])
    model = LogisticRegression(C=np.inf, solver="model-parallel", max_iter=500)
    model.fit(da.from_array(twice, chunks=(600, 5)), TARGETS["class"])
    plain = LogisticRegression(C=np.inf, tol=1e-12).fit(X, TARGETS["class"])
    ours, other = model.predict_proba(twice), plain.predict_proba(X)
    np.testing.assert_allclose(np.asarray(ours), other, atol=1e-3)


class Watched(Blockwise):
    """Notes, at each product, on how many workers the parts of the coefficients are."""

    seen: list[tuple[set[str], ...]] = []

    def answer(self, question: Any) -> Any:
        found = super().answer(question)
        if isinstance(question, Multiply):
            futures = [self.keeping._kept[str(ref.key)] for ref in self._state.theta]  # type: ignore[attr-defined]
            who = self.supervisor.client.who_has(futures)  # type: ignore[union-attr]
            self.seen.append(tuple(set(who[future.key]) for future in futures))
        return found


async def _steal(steals: bool, dask_scheduler: Any) -> None:
    stealing = dask_scheduler.extensions["stealing"]
    await (stealing.start() if steals else stealing.stop())


def test_no_worker_holds_all_coefficients(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daskml_dist.fit.model_parallel.Blockwise", Watched)
    Watched.seen.clear()
    client.run_on_scheduler(_steal, False)  # else Dask may do the work of a late worker elsewhere
    try:
        LogisticRegression(solver="model-parallel").fit(cut("vertical").persist(), TARGETS["class"])
    finally:
        client.run_on_scheduler(_steal, True)
    assert Watched.seen
    for columns in Watched.seen:
        assert all(len(where) == 1 for where in columns)
        assert len(set.union(*columns)) == 2


@pytest.mark.slow
def test_a_dead_worker_changes_no_bit() -> None:
    y = TARGETS["class"]
    calm = theta(LogisticRegression(solver="model-parallel").fit(cut("vertical"), y)).tobytes()
    products = 0

    class Deadly(Blockwise):
        def answer(self, question: Any) -> Any:
            nonlocal products
            products += isinstance(question, Multiply)
            if products == 5:
                products += 1
                pids = client.run(os.getpid)
                os.kill(next(iter(pids.values())), signal.SIGKILL)
            return super().answer(question)

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr("daskml_dist.fit.model_parallel.Blockwise", Deadly)
        model = LogisticRegression(solver="model-parallel").fit(cut("vertical"), y)
        assert products > 5
    assert theta(model).tobytes() == calm


@pytest.mark.parametrize(
    ("model", "target", "told"),
    [
        (LogisticRegression(solver="model-parallel", l1_ratio=0.5), "class", "the penalty"),
        (LogisticRegression(solver="model-parallel", certify=True), "class", "certify=True"),
        (LogisticRegression(solver="model-parallel", checkpoint="memory://x"), "class", "checkpoint=None"),
    ],
    ids=["l1", "certify", "checkpoint"],
)
def test_what_is_not_supported_is_said(model: Any, target: str, told: str) -> None:
    with pytest.raises(UnsupportedCombination, match=told):
        model.fit(cut("grid"), TARGETS[target])


def test_several_classes_and_targets_are_refused() -> None:
    with pytest.raises(UnsupportedCombination, match="3 classes or targets"):
        LogisticRegression(solver="model-parallel").fit(cut("grid"), np.arange(N) % 3)
    with pytest.raises(UnsupportedCombination, match="2 classes or targets"):
        Ridge(solver="model-parallel").fit(cut("grid"), np.ones((N, 2)))


def test_nan_is_named_with_its_block() -> None:
    broken = X.copy()
    broken[1000, 9] = np.nan
    with pytest.raises(InvalidData, match=r"chunk 3.*block \(3, 2\)"):
        Ridge(solver="model-parallel").fit(da.from_array(broken, chunks=LAYOUTS["grid"]), TARGETS["number"])


def test_too_few_passes_are_warned_of() -> None:
    with pytest.warns(UserWarning, match="did not reach"):
        model = LogisticRegression(solver="model-parallel", max_iter=4).fit(cut("grid"), TARGETS["class"])
    assert model.n_passes_ <= 5
    assert np.isfinite(theta(model)).all()


def test_ctrl_c_goes_on_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(self: Any, question: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(Blockwise, "answer", stop)
    with pytest.raises(fit.Interrupted):
        LogisticRegression(solver="model-parallel").fit(cut("grid"), TARGETS["class"])


def test_a_constant_target_needs_no_step() -> None:
    model = Ridge(solver="model-parallel").fit(cut("grid"), np.full(N, 3.0))
    np.testing.assert_allclose(model.coef_, 0.0, atol=1e-12)
    assert model.intercept_ == pytest.approx(3.0)
