"""Versions, aliases and their history; what is registered is what answers."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
import pytest

from daskml_dist import drift, edge
from daskml_dist.errors import InvalidData, UnsupportedParameter
from daskml_dist.linear_model import LogisticRegression, Ridge
from daskml_dist.registry import NotRegistered, Registry, compress, create_key, parse
from daskml_dist.registry.names import BadName
from daskml_dist.types import AnyArray


def test_what_is_registered_answers(store: Registry, model: Any, X: AnyArray, y: AnyArray) -> None:
    version = store.register(model, "claims", data=X, target=y, metrics={"accuracy": 0.9}, alias="champion")
    assert (version.spec, version.number, version.metrics) == ("claims/1", 1, {"accuracy": 0.9})
    for spec in ("claims", "claims/1", "claims@champion"):
        found = store.load(spec)
        assert (found.name, found.version) == ("claims", 1)
        assert np.array_equal(found.predict(X), model.predict(X))
    np.testing.assert_allclose(found.means, X.mean(axis=0), rtol=1e-12)
    assert 3 <= len(found.reference["golden.X"]) <= 16
    assert store.models() == ["claims"] and store.aliases("claims") == {"champion": 1}
    np.testing.assert_array_equal(store.estimator("claims").coef_, model.coef_)
    seen = drift.Reference.from_arrays(found.reference)
    assert seen is not None
    assert seen.names == ("x0", "x1", "x2", "x3", "(score)") and seen.scores == 1


def test_contributions_add_up(store: Registry, model: Any, X: AnyArray) -> None:
    store.register(model, "claims", data=X)
    found = store.load("claims")
    means = found.margin(X.mean(axis=0)[None, :])
    np.testing.assert_allclose(found.contributions(X).sum(axis=2), found.margin(X) - means, atol=1e-12)
    store.register(model, "bare")
    with pytest.raises(edge.InvalidModel, match="no means"):
        store.load("bare").contributions(X)


def test_aliases_have_a_history(store: Registry, model: Any) -> None:
    for _ in range(3):
        store.register(model, "claims")
    with pytest.raises(NotRegistered, match="no claims@champion at"):
        store.version("claims@champion")
    store.promote("claims", 1, by="ann", why="first")
    store.promote("claims", 3)
    store.promote("claims", 3)
    store.promote("claims", 2, alias="challenger")
    assert store.aliases("claims") == {"champion": 3, "challenger": 2}
    assert store.rollback("claims", why="worse").version == 1
    with pytest.raises(NotRegistered, match="no version to roll back to"):
        store.rollback("claims")
    store.promote("claims", 2)
    assert store.rollback("claims").version == 1
    events = store.history("claims", "champion")
    assert [(e.number, e.action, e.version) for e in events] == [
        (1, "promote", 1), (2, "promote", 3), (3, "promote", 3),
        (4, "rollback", 1), (5, "promote", 2), (6, "rollback", 1),
    ]  # fmt: skip
    assert (events[0].by, events[0].why, events[3].why) == ("ann", "first", "worse")


def test_what_is_not_there_is_said(store: Registry, model: Any) -> None:
    with pytest.raises(NotRegistered, match="there are none"):
        store.version("claims")
    store.register(model, "claims")
    with pytest.raises(NotRegistered, match="no version 2; there are 1"):
        store.load("claims/2")
    with pytest.raises(NotRegistered, match="there are claims"):
        store.versions("clams")
    with pytest.raises(NotRegistered, match="no claims@champion at"):
        store.rollback("claims")
    with pytest.raises(NotRegistered, match="no version 9"):
        store.promote("claims", 9)


@pytest.mark.parametrize("name", ["", "..", "../x", "A", "a b", "a/b", "-a", "x" * 65, "a\n", "a\x00"])
def test_names_that_lead_elsewhere_are_refused(store: Registry, model: Any, name: str) -> None:
    with pytest.raises(BadName):
        store.register(model, name)
    with pytest.raises(BadName):
        store.promote("claims", 1, alias=name)
    with pytest.raises((BadName, NotRegistered)):
        store.version(name)
    for spec in (f"claims/{name}", "claims/0", "claims/1/2", "claims/-1", "claims/1e3"):
        with pytest.raises(BadName):
            parse(spec)


@pytest.mark.parametrize("url", ["memory", "file"])
def test_urls(tmp_path: Path, model: Any, X: AnyArray, url: str) -> None:
    place = f"memory://tests/{uuid.uuid4().hex}" if url == "memory" else f"file://{tmp_path}/registry"
    store = Registry(place, cache=tmp_path / "cache")
    for number in (1, 2):
        assert store.register(model, "claims", data=X, alias="champion").number == number
    assert [version.number for version in store.versions("claims")] == [1, 2]
    assert np.array_equal(store.load("claims@champion").predict(X), model.predict(X))
    assert store.local("claims/2") == store.local("claims/2") and Path(store.local("claims/2")).is_dir()
    assert store.rollback("claims").version == 1
    if url == "memory":
        (Path(store.local("claims/1")) / "manifest.json").write_text("{}")
        with pytest.raises(edge.InvalidModel, match="remove it"):
            store.load("claims/1")


def test_an_incomplete_version_on_an_object_store_is_none(tmp_path: Path, model: Any) -> None:
    import fsspec

    place = f"memory://tests/{uuid.uuid4().hex}"
    store = Registry(place, cache=tmp_path)
    store.register(model, "claims")
    with fsspec.open(f"{place}/claims/versions/2/weights.safetensors", "wb") as file:
        file.write(b"half")
    assert [version.number for version in store.versions("claims")] == [1]
    assert store.version("claims").number == 1
    assert store.register(model, "claims").number == 3


def test_lazy_data_give_the_same(store: Registry, model: Any, X: AnyArray, y: AnyArray) -> None:
    lazy = da.from_array(X, chunks=(70, 4)), da.from_array(y, chunks=70)
    frame = pd.DataFrame(X, columns=list("abcd"))
    store.register(model, "whole", data=X, target=y)
    store.register(model, "lazy", data=lazy[0], target=lazy[1])
    store.register(model, "again", data=lazy[0], target=lazy[1])
    store.register(model, "other", data=lazy[0] + 1e-9, target=lazy[1])
    store.register(LogisticRegression(verbose=0).fit(frame, y), "frame", data=frame, target=y)
    kept = {
        name: store.version(name).lineage["data"] for name in ("whole", "lazy", "again", "other", "frame")
    }
    assert {facts["rows"] for facts in kept.values()} == {200}
    assert kept["lazy"] == kept["again"] and kept["lazy"]["fingerprint"] != kept["other"]["fingerprint"]
    assert kept["lazy"]["target"] == kept["whole"]["target"] == kept["frame"]["target"]
    np.testing.assert_allclose(store.load("lazy").means, store.load("whole").means, rtol=1e-12, atol=1e-15)
    assert store.load("frame").features == list("abcd")


def test_columns_in_another_order_are_refused(store: Registry, X: AnyArray, y: AnyArray) -> None:
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = LogisticRegression(verbose=0).fit(frame, y)
    with pytest.raises(InvalidData, match="'b' is not in its place"):
        store.register(model, "claims", data=frame[["b", "a", "c", "d"]])


@pytest.mark.slow
def test_a_cluster_describes_the_data(
    store: Registry, model: Any, X: AnyArray, y: AnyArray, client: Any
) -> None:
    lazy = da.from_array(X, chunks=(70, 4)), da.from_array(y, chunks=70)
    version = store.register(model, "cluster", data=lazy[0], target=lazy[1])
    with client.as_current():
        assert version.lineage["data"]["rows"] == 200
    smaller = compress(version, data=lazy[0], target=lazy[1])
    assert smaller.report["rows"] == 200


def test_the_card_is_for_people(store: Registry, X: AnyArray) -> None:
    frame = pd.DataFrame(X, columns=["age", "name", "bmi", "a|b"])
    model = Ridge(alpha=2.0, verbose=0).fit(frame, X[:, 0])
    metrics = {"r2": 0.75, "r2 of": {"site a": 0.7, "site b": float("nan")}}
    version = store.register(
        model,
        "claims",
        data=frame,
        target=X[:, 0],
        metrics=metrics,
        personal=["name"],
        notes="Trial.",
        by="ann",
    )
    text = (Path(version.url) / "card.md").read_text()
    card = json.loads((Path(version.url) / "card.json").read_text())
    for said in (
        "# claims, version 1", "Trial.", "by ann", "- personal columns: name", "- rows: 200", "| r2 | 0.75 |",
        "| r2 of site a | 0.7 |", "| alpha | 2 |", "| name | number |  | yes |", "| a\\|b |",
    ):  # fmt: skip
        assert said in text, text
    assert (
        card["personal"] == ["name"]
        and card["data"]["rows"] == 200
        and card["metrics"]["r2 of"]["site b"] is None
    )
    found = store.load("claims")
    assert [column.name for column in found.columns if column.personal] == ["name"]
    golden = found.reference["golden.X"]
    assert not set(golden[:, 1]) & set(X[:, 1]) and set(golden[:, 0]) <= set(X[:, 0])


def test_categories_become_features(store: Registry) -> None:
    columns = [
        edge.Column("age", mean=40.0, unit="years"),
        edge.Column("sex", "category", levels=("f", "m"), fill="m", personal=True),
    ]
    X = np.array([[30.0, 1.0, 0.0], [50.0, 0.0, 1.0], [40.0, 0.0, 1.0], [20.0, 1.0, 0.0]])
    model = Ridge(verbose=0).fit(X, [1.0, 2.0, 3.0, 4.0])
    store.register(model, "claims", columns=columns)
    found = store.load("claims")
    assert found.columns == tuple(columns) and found.features == ["age", "sex=f", "sex=m"]
    encoded = found.encode({"age": [30, None, float("nan")], "sex": ["f", None, "x"]})
    assert encoded.tolist() == [[30.0, 1.0, 0.0], [40.0, 0.0, 1.0], [40.0, 0.0, 0.0]]
    with pytest.raises(InvalidData, match="make 1 features, and the model was fitted to 3"):
        store.register(model, "claims", columns=columns[:1])
    with pytest.raises(InvalidData, match="personal= names \\['zip'\\]"):
        store.register(model, "claims", columns=columns, personal=["zip"])


def test_what_cannot_be_registered_is_said(store: Registry, model: Any, X: AnyArray) -> None:
    from sklearn.ensemble import RandomForestClassifier

    with pytest.raises(UnsupportedParameter, match="expected a linear model"):
        store.register(RandomForestClassifier(2).fit(X, X[:, 0] > 0), "forest")
    with pytest.raises(InvalidData, match="has 3 features, and the model has 4"):
        store.register(model, "claims", data=X[:, :3])
    with pytest.raises(InvalidData, match="'x1' that are missing or infinite"):
        store.register(model, "claims", data=np.where(np.arange(4) == 1, np.nan, X))
    with pytest.raises(ValueError, match="0 sample"):
        store.register(model, "claims", data=X[:0])
    with pytest.raises(UnsupportedParameter, match="kept as JSON"):
        store.register(model, "claims", lineage={"model": model})
    with pytest.raises(UnsupportedParameter, match="'by', which the registry fills in"):
        store.register(model, "claims", lineage={"by": "me"})
    with pytest.raises(UnsupportedParameter, match="without data="):
        store.register(model, "claims", target=X[:, 0])
    assert store.models() == []


def test_versions_are_compared(store: Registry, model: Any, X: AnyArray, y: AnyArray) -> None:
    other = LogisticRegression(C=0.01, verbose=0).fit(X, y)
    store.register(model, "claims", data=X, target=y, metrics={"accuracy": 0.9})
    store.register(other, "claims", data=X, target=y, metrics={"accuracy": 0.8}, parent="claims/1")
    found = store.compare("claims/1", "claims/2")
    rows = {what: (a, b) for what, a, b in found.rows}
    assert (
        rows["accuracy"] == (0.9, 0.8) and rows["C"] == (1.0, 0.01) and rows["parent"] == (None, "claims/1")
    )
    assert found.same_data is True and "accuracy" in str(found) and "same data" in str(found)
    assert rows["largest change of a weight"][1] == np.abs(model.coef_ - other.coef_).max()


def test_signatures(tmp_path: Path, store: Registry, model: Any, X: AnyArray) -> None:
    mine, theirs = tmp_path / "mine.pem", tmp_path / "theirs.pem"
    identity = create_key(mine)
    create_key(theirs)
    assert mine.stat().st_mode & 0o077 == 0
    store.register(model, "claims", data=X)
    store.register(model, "claims", data=X, sign=mine)
    store.register(model, "claims", data=X, sign=theirs)
    strict = Registry(store.url, trusted=[f"{mine}.pub"])
    assert strict.version("claims/2").signed_by == identity
    assert np.array_equal(strict.load("claims/2").predict(X), model.predict(X))
    for spec, said in {"claims/1": "not signed", "claims/3": "not signed by a key"}.items():
        with pytest.raises(edge.InvalidModel, match=said):
            strict.load(spec)
        with pytest.raises(edge.InvalidModel, match=said):
            strict.promote("claims", int(spec[-1]))
    # a signature of another version is none of this one
    shutil.copy(
        Path(store.local("claims/2")) / "signature.json", Path(store.local("claims/1")) / "signature.json"
    )
    with pytest.raises(edge.InvalidModel, match="not signed by a key"):
        strict.load("claims/1")
    with pytest.raises(UnsupportedParameter, match="PEM"):
        Registry(store.url, trusted=[mine])


def test_another_version_in_its_place_is_noticed(store: Registry, model: Any) -> None:
    for _ in range(2):
        store.register(model, "claims")
    place = Path(store.url) / "claims" / "versions"
    shutil.rmtree(place / "2")
    shutil.copytree(place / "1", place / "2")
    with pytest.raises(edge.InvalidModel, match="another version"):
        store.load("claims/2")


def test_an_event_that_was_changed_is_noticed(store: Registry, model: Any) -> None:
    for _ in range(2):
        store.register(model, "claims", alias="champion")
    place = Path(store.url) / "claims" / "aliases" / "champion"
    event = place / "2" / "event.json"
    kept = event.read_text()
    event.write_text(kept.replace('"version": 2', '"version": 1'))
    with pytest.raises(edge.InvalidModel, match="SHA-256"):
        store.version("claims@champion")
    event.write_text(kept)
    shutil.rmtree(place / "1")
    store.promote("claims", 1)
    (place / "3").rename(place / "1")
    with pytest.raises(edge.InvalidModel):
        store.history("claims")


def test_golden_rows_are_compared(
    store: Registry, model: Any, X: AnyArray, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.register(model, "claims", data=X)
    real = np.vecdot
    monkeypatch.setattr(np, "vecdot", lambda a, b: real(a, b) * (1.0 + 1e-8))
    with pytest.raises(edge.InvalidModel, match="golden rows"):
        store.load("claims")


@pytest.mark.parametrize("fatal", range(1, 12))
def test_a_full_disk_leaves_nothing_half_there(
    store: Registry, model: Any, X: AnyArray, monkeypatch: pytest.MonkeyPatch, fatal: int
) -> None:
    store.register(model, "claims", data=X, alias="champion")
    calls, real = 0, os.fsync

    def full(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls >= fatal:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(os, "fsync", full)
        store.register(model, "claims", data=X, alias="champion")
    assert not list(Path(store.url).rglob(".*"))
    assert store.load("claims@champion").version in (1, 2)
    for version in store.versions("claims"):
        edge.load(version.url)


def test_looking_up_imports_neither_scikit_learn_nor_dask(store: Registry, model: Any, X: AnyArray) -> None:
    store.register(model, "claims", data=X, alias="champion")
    asked = (
        "import sys; from daskml_dist import registry; "
        f"print(registry.Registry({store.url!r}).load('claims@champion').version, "
        "{'dask', 'distributed', 'sklearn', 'pandas', 'xarray', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1 set()"
