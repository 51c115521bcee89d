"""To and from scikit-learn, to ONNX and to MLflow."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import sklearn.linear_model as theirs
import sklearn.svm as their_svm
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from daskml_dist import edge, linear_model
from daskml_dist.errors import UnsupportedCombination, UnsupportedParameter
from daskml_dist.registry import Registry, log_to_mlflow, onnx_export, to_sklearn
from daskml_dist.registry.functions import function_of
from daskml_dist.storage import answer_of
from daskml_dist.types import AnyArray

DICE = np.random.default_rng(0)
X = DICE.normal(size=(300, 5)) * [1.0, 10.0, 0.1, 3.0, 1.0] + [0.0, 100.0, 0.0, -5.0, 1.0]
Z = (X - X.mean(axis=0)) / X.std(axis=0) @ [0.5, -0.5, 0.7, 0.2, 0.0]
COUNTS = DICE.poisson(np.exp(0.5 * Z)).astype(float)
TWO = np.where(Z + DICE.logistic(size=300) > 0.0, "yes", "no")
THREE = np.digitize(Z + DICE.logistic(size=300), [-1.0, 1.0])
SHARES = (TWO == "yes").astype(float)


def fitted(model: Any, y: AnyArray) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X, y)


def assert_alike(one: Any, other: Any, tolerance: float = 1e-9) -> None:
    """Both predict the same."""
    a, b = np.asarray(one.predict(X)), np.asarray(other.predict(X))
    if a.dtype.kind == "f":
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
    else:
        assert np.array_equal(a, b) and a.dtype == b.dtype
    if isinstance(other, edge.Model) and "probability" in other.outputs:
        np.testing.assert_allclose(one.predict_proba(X), other.predict_proba(X), atol=tolerance)


SCALERS = [
    StandardScaler(), StandardScaler(with_mean=False), StandardScaler(with_std=False), MinMaxScaler((-1, 3)),
    MaxAbsScaler(), RobustScaler(), RobustScaler(with_centering=False), "passthrough",
]  # fmt: skip


@pytest.mark.parametrize("scaler", SCALERS, ids=str)
def test_pipelines_of_scalers_are_folded(store: Registry, scaler: Any) -> None:
    pipeline = fitted(make_pipeline(scaler, theirs.LogisticRegression(max_iter=5000)), THREE)
    store.register(pipeline, "claims", data=X, target=THREE)
    assert_alike(pipeline, store.load("claims"))


def test_two_scalers_a_search_and_names(store: Registry) -> None:
    frame = pd.DataFrame(X, columns=list("abcde"))
    pipeline = make_pipeline(StandardScaler(), MinMaxScaler(), theirs.PoissonRegressor())
    search = GridSearchCV(pipeline, {"poissonregressor__alpha": [0.1, 1.0]}, cv=2).fit(frame, COUNTS)
    version = store.register(search, "claims", data=frame)
    found = store.load("claims")
    np.testing.assert_allclose(found.predict(X), search.predict(frame), rtol=1e-9)
    assert found.features == list("abcde") and version.lineage["estimator"].endswith("GridSearchCV")


def test_what_is_no_scaler_is_refused(store: Registry) -> None:
    for step in (PCA(2), MinMaxScaler(clip=True)):
        with pytest.raises(UnsupportedParameter, match="more than scale"):
            store.register(fitted(make_pipeline(step, theirs.Ridge()), COUNTS), "claims")
    with pytest.raises(Exception, match="not fitted"):
        store.register(theirs.Ridge(), "claims")


OURS = [
    (linear_model.Ridge(verbose=0), COUNTS),
    (linear_model.Ridge(verbose=0), np.column_stack([COUNTS, Z])),
    (linear_model.PoissonRegressor(verbose=0), COUNTS),
    (linear_model.LogisticRegression(verbose=0), TWO),
    (linear_model.LogisticRegression(verbose=0), THREE),
    (linear_model.LogisticRegression(verbose=0), TWO == "yes"),
    (linear_model.LinearSVC(verbose=0), TWO),
    (linear_model.LinearSVC(verbose=0), THREE),
    (theirs.SGDClassifier(loss="log_loss", random_state=0, eta0=1e-4, learning_rate="constant"), THREE),
    (theirs.SGDClassifier(loss="modified_huber", random_state=0), THREE),
    (theirs.SGDClassifier(loss="modified_huber", random_state=0), TWO),
    (their_svm.LinearSVC(), THREE),
]
ONLY_ONNX = [
    (linear_model.GeneralizedLinearRegressor(family="binomial", link=link, verbose=0), SHARES)
    for link in ("logit", "cloglog", "probit")
]


def name_of(case: tuple[Any, AnyArray]) -> str:
    return f"{type(case[0]).__name__} {case[1].dtype} {case[1].ndim}"


@pytest.mark.parametrize("case", OURS, ids=name_of)
def test_a_version_becomes_scikit_learns(store: Registry, case: tuple[Any, AnyArray]) -> None:
    model = fitted(*case)
    version = store.register(model, "claims", data=X, target=case[1] if case[1].ndim == 1 else None)
    found = version.to_sklearn()
    assert type(found).__module__.startswith("sklearn.")
    assert_alike(found, version.load(), 1e-12)
    again = store.register(found, "again")  # and back
    assert_alike(found, again.load(), 1e-12)


def test_scikit_learn_has_no_such_link() -> None:
    answer = answer_of(fitted(*ONLY_ONNX[1]))
    assert answer is not None
    with pytest.raises(UnsupportedCombination, match="cloglog"):
        to_sklearn(function_of(answer))


@pytest.mark.parametrize("case", OURS + ONLY_ONNX, ids=name_of)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_onnx_runtime_gives_the_same(store: Registry, tmp_path: Path, case: Any, dtype: str) -> None:
    store.register(fitted(*case), "claims", data=X)
    model = store.load("claims")
    if (model.link, dtype) == ("probit", "float64"):
        with pytest.raises(UnsupportedCombination, match="float32 only"):
            store.export_onnx("claims", tmp_path / "m.onnx")
        return
    store.export_onnx("claims", tmp_path / "m.onnx", dtype=dtype)
    onnx.checker.check_model(onnx.load(tmp_path / "m.onnx"), full_check=True)
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    given = dict(zip(names, session.run(None, {"X": X.astype(dtype)}), strict=True))
    tolerance = 1e-12 if dtype == "float64" else 1e-4
    predicted = model.predict(X)
    assert given["prediction"].shape == predicted.shape and names == list(model.outputs)
    if model.task == "regression":
        np.testing.assert_allclose(given["prediction"], predicted, rtol=tolerance, atol=tolerance)
    else:
        assert np.mean(given["prediction"] == predicted) == 1.0
    if "probability" in given:
        np.testing.assert_allclose(given["probability"], model.predict_proba(X), atol=tolerance)


def test_a_file_that_answers_otherwise_is_not_written(
    store: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.register(fitted(*OURS[3]), "claims", data=X)
    model = store.load("claims")
    model.coef = model.coef * (1.0 + 1e-9)
    lie = onnx_export.onnx_bytes(model, np.dtype(np.float64))
    monkeypatch.setattr(onnx_export, "onnx_bytes", lambda *given: lie)
    with pytest.raises(UnsupportedCombination, match="other answers"):
        store.export_onnx("claims", tmp_path / "m.onnx")
    with pytest.raises(UnsupportedParameter, match="expected 'float64'"):
        store.export_onnx("claims", tmp_path / "m.onnx", dtype="float16")
    assert not list(tmp_path.glob("*.onnx"))


class Client:
    """Records what MLflow's client is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *given: self.told.append((name, *given))

    def create_run(self, experiment_id: str) -> Any:
        run = type("Run", (), {"info": type("Info", (), {"run_id": "r1"})()})()
        self.told.append(("create_run", experiment_id))
        return run


def test_mlflow_is_told(store: Registry) -> None:
    metrics = {"accuracy": 0.9, "accuracy of": {"a": 0.8, "b": float("nan")}}
    version = store.register(fitted(*OURS[3]), "claims", data=X, target=TWO, metrics=metrics, by="ann")
    client = Client()
    assert log_to_mlflow(version, client=client, experiment_id="7") == "r1"
    assert client.told[0] == ("create_run", "7") and client.told[-1] == ("set_terminated", "r1")
    assert ("log_param", "r1", "C", "1.0") in client.told
    assert ("log_metric", "r1", "accuracy of/a", 0.8) in client.told
    assert not [told for told in client.told if "accuracy of/b" in told]
    assert ("set_tag", "r1", "daskml_dist.version", "claims/1") in client.told
    assert ("log_artifacts", "r1", version.url, "model") in client.told
    client = Client()
    assert log_to_mlflow(version, client=client, run_id="mine") == "mine"
    assert {told[0] for told in client.told}.isdisjoint({"create_run", "set_terminated"})


@pytest.mark.parametrize(
    ("missing", "extra"), [("onnx", "onnx"), ("onnxruntime", "onnx"), ("mlflow", "mlflow")]
)
def test_what_is_not_installed_is_named(
    store: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str, extra: str
) -> None:
    version = store.register(fitted(*OURS[3]), "claims")
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=rf'pip install "daskml_dist\[{extra}\]"'):
        log_to_mlflow(version) if extra == "mlflow" else store.export_onnx("claims", tmp_path / "m.onnx")
