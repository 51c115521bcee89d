"""The model format: what went in comes out, and what is harmed or forged does not."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import pickle
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save

import daskml_dist
from daskml_dist.errors import CheckpointInvalid
from daskml_dist.storage import ModelRecord, _folder, read_model, write_model
from daskml_dist.types import AnyArray
from tests.storage.damage import assert_same, flips, numeric_arrays, text_arrays, truncations

PATH = "daskml_dist.linear_model.LogisticRegression"
PARAMETERS: dict[str, Any] = {
    "C": float("inf"),
    "tol": 1e-6,
    "max_iter": 100,
    "fit_intercept": True,
    "class_weight": {0: 1.0, 1: 2.5},
    "solver": "auto",
    "random_state": None,
    "dtype": np.float64,
    "out": np.dtype("<f4"),
    "Cs": np.logspace(-4, 4, 5),
}
FILES = ["manifest.json", "model.json", "weights.safetensors"]
ATTRIBUTES: dict[str, Any] = {
    "coef_": np.random.default_rng(0).normal(size=(1, 20)),
    "intercept_": np.array([0.5]),
    "classes_": np.array(["no", "yes"], dtype="<U6"),
    "feature_names_in_": np.array(["age", "größe"], dtype=object),
    "gap_": np.float64(3e-8),
    "n_iter_": np.int32(3),
    "gap_kind_": "self-concordance",
    "history_": [{"passes": 1, "gap": float("nan")}, {"passes": 2, "gap": 0.1}],
}


def _write(url: str | Path, marker: float = 0.0, overwrite: bool = False) -> None:
    write_model(url, PATH, PARAMETERS, ATTRIBUTES | {"marker_": marker}, overwrite=overwrite)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model on disk."""
    _write(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture(params=["path", "file://", "memory://"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh place on each kind of file system."""
    if request.param == "memory://":
        return f"memory://tests/{uuid.uuid4().hex}/model"
    return str(tmp_path / "deep" / "model") if request.param == "path" else f"file://{tmp_path}/deep/model"


def _forge(model: Path, change: Callable[[dict[str, Any]], None], what: str = "manifest.json") -> None:
    """Change a file and seal it again, as somebody with bad intentions would."""
    told = json.loads((model / what).read_text())
    change(told)
    if what != "manifest.json":
        (model / what).write_text(json.dumps(told))
        _seal_again(model, what)
        return
    told["sha256"] = "0" * 64
    text = json.dumps(told)
    (model / what).write_text(text.replace("0" * 64, hashlib.sha256(text.encode()).hexdigest(), 1))


def _seal_again(model: Path, name: str) -> None:
    """Put the size and digest of a file into the manifest."""
    data = (model / name).read_bytes()
    facts = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    _forge(model, lambda manifest: manifest["files"].update({name: facts}))


def test_a_model_comes_back_as_it_was(url: str) -> None:
    _write(url)
    record = read_model(url)
    assert isinstance(record, ModelRecord) and record.class_path == PATH
    assert list(record.parameters) == list(PARAMETERS)
    assert_same(record.parameters.pop("Cs"), PARAMETERS["Cs"])
    assert record.parameters == {name: PARAMETERS[name] for name in record.parameters}
    for name in ("coef_", "intercept_", "classes_", "feature_names_in_"):
        assert_same(record.attributes[name], ATTRIBUTES[name])
    assert type(record.attributes["gap_"]) is np.float64 and record.attributes["gap_"] == 3e-8
    assert type(record.attributes["n_iter_"]) is np.int32
    assert np.isnan(record.attributes["history_"][0]["gap"])
    assert record.attributes["history_"][1] == {"passes": 2, "gap": 0.1}
    assert record.facts["versions"]["numpy"] == np.__version__
    assert record.facts["created_at"].endswith("+00:00")


OBJECTS: dict[str, AnyArray] = {
    "objects of text": np.array([["a", "bc"], ["", "ü"]], dtype=object),
    "objects of all kinds": np.array([None, True, 3, 2.5, float("inf"), "x", np.int8(4)], dtype=object),
    "objects that are lists": np.array([[1, 2], None], dtype=object),
    "no objects": np.empty((0, 2), dtype=object),
    "one object": np.array("alone", dtype=object),
    "fortran objects": np.asfortranarray(np.array([["a", "b"], ["c", "d"]], dtype=object)),
}


@pytest.mark.parametrize("name", [*numeric_arrays(), *text_arrays(), *OBJECTS])
def test_an_array_comes_back_as_it_was(tmp_path: Path, name: str) -> None:
    given = (numeric_arrays() | text_arrays() | OBJECTS)[name]
    write_model(tmp_path / "m", PATH, {}, {"a_": given, "b.c": given, "b": {"c": [given]}})
    found = read_model(tmp_path / "m").attributes
    for array in (found["a_"], found["b.c"], found["b"]["c"][0]):
        assert_same(array, given)


VALUES: list[Any] = [
    None, True, 0, -(2**70), 1.5, -0.0, 5e-324, 1.7976931348623157e308, "", "\ud800", "line\nbreak",
    2 + 3j, np.str_,
    [], [[]], (), (1, (2, [3])), {}, {"$tuple": [1]}, {"a": {"$": 1}}, {None: 1, (1, 2): "x", 2.5: [True]},
    np.bool_(True), np.uint8(255), np.float16(0.1), np.float32(0.1), np.float64(-np.inf), np.str_("x"),
    np.complex64(1 - 2j), np.datetime64("2024-02-29", "D"), np.timedelta64(5, "ns"), np.dtype(object),
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=lambda value: f"{type(value).__name__} {value!r}"[:40])
def test_a_value_comes_back_as_it_was(tmp_path: Path, value: Any) -> None:
    write_model(tmp_path / "m", PATH, {"value": value}, {"value_": [value]})
    record = read_model(tmp_path / "m")
    for found in (record.parameters["value"], record.attributes["value_"][0]):
        assert type(found) is type(value)
        assert found == value
        assert repr(found) == repr(value)


def test_anybody_can_read_the_arrays_and_the_manifest(model: Path) -> None:
    assert sorted(path.name for path in model.iterdir()) == FILES
    tensors = load_file(model / "weights.safetensors")
    assert np.array_equal(tensors["attributes.coef_"], ATTRIBUTES["coef_"])
    told = json.loads((model / "model.json").read_text(), parse_constant=pytest.fail)
    assert told["class"] == PATH and told["parameters"]["solver"] == "auto"
    manifest = json.loads((model / "manifest.json").read_text(), parse_constant=pytest.fail)
    for name in ("model.json", "weights.safetensors"):
        assert manifest["files"][name]["bytes"] == (model / name).stat().st_size


@pytest.mark.parametrize("name", FILES)
def test_every_flipped_bit_and_every_truncation_is_noticed(model: Path, name: str) -> None:
    path = model / name
    data = path.read_bytes()
    for harmed in [*flips(data, 200), *truncations(data, 200), data + b"\n"]:
        path.write_bytes(harmed)
        with pytest.raises(CheckpointInvalid, match=r"Save the model again|Check the path"):
            read_model(model)
    path.write_bytes(data)
    assert read_model(model).class_path == PATH


def test_what_is_missing_is_said(model: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no model at"):
        read_model(model / "nothing")
    (model / "weights.safetensors").unlink()
    with pytest.raises(CheckpointInvalid, match="weights.safetensors is missing"):
        read_model(model)
    (model / "manifest.json").write_text('{"name": "left-pad"}')
    with pytest.raises(CheckpointInvalid, match="not the manifest of a model"):
        read_model(model)
    (model / "manifest.json").write_text("")
    with pytest.raises(CheckpointInvalid, match="no JSON"):
        read_model(model)
    (model / "manifest.json").unlink()
    with pytest.raises(CheckpointInvalid, match=r"manifest.json is missing"):
        read_model(model)


def test_a_newer_format_says_to_upgrade(model: Path) -> None:
    _forge(model, lambda manifest: manifest.update(format_version=3))
    with pytest.raises(CheckpointInvalid, match="format version 2.*Upgrade"):
        read_model(model)


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/passwd", "model.json/../../secret", "manifest.json", "arrays.pkl", ""]
)
def test_a_file_name_cannot_lead_out_of_the_directory(model: Path, name: str) -> None:
    secret = model.parent / "secret"
    secret.write_bytes((model / "weights.safetensors").read_bytes())
    _forge(model, lambda manifest: manifest["files"].update({name: manifest["files"]["weights.safetensors"]}))
    with pytest.raises(CheckpointInvalid, match="which no model has"):
        read_model(model)


class _Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, int]]:
        return os.mkdir, (str(self.mark), 0o700)


def test_a_pickle_in_place_of_the_arrays_is_not_opened(model: Path) -> None:
    mark = model.parent / "executed"
    (model / "weights.safetensors").write_bytes(pickle.dumps(_Trap(mark)))
    _seal_again(model, "weights.safetensors")
    with pytest.raises(CheckpointInvalid, match="not what this library writes"):
        read_model(model)
    assert not mark.exists()


def _array(facts: dict[str, Any]) -> dict[str, Any]:
    return {"attributes": {"coef_": {"$array": {"dtype": "<f8", "order": "C"} | facts}}}


@pytest.mark.parametrize(
    "change",
    [
        {"class": 3},
        {"parameters": [1]},
        {"attributes": None},
        {"surplus": 1},
        {"parameters": {"C": {"$pickle": "gASVAAAA"}}},
        {"parameters": {"C": {"$tuple": [], "$dict": []}}},
        {"parameters": {"C": {"$float": "1e5"}}},
        {"parameters": {"C": {"$scalar": ["O", "x"]}}},
        {"parameters": {"C": {"$dict": [[[], 1]]}}},
        {"parameters": {"C": {"$dtype": "nonsense"}}},
        _array({"tensor": "nothing"}),
        _array({"tensor": "attributes.coef_", "dtype": "<f4"}),
        _array({"tensor": "attributes.coef_", "dtype": "V8"}),
        _array({"tensor": "attributes.coef_", "order": "K"}),
        _array({"dtype": "|O", "shape": [10**9], "values": []}),
        _array({"dtype": "<U3", "shape": [-1, -1], "values": ["a"]}),
        _array({"dtype": "<U999999999", "shape": [1], "values": ["a"]}),
    ],
    ids=lambda change: json.dumps(change)[:60],
)
def test_a_forged_model_is_refused(model: Path, change: dict[str, Any]) -> None:
    _forge(model, lambda told: told.update(change), "model.json")
    with pytest.raises(CheckpointInvalid):
        read_model(model)


@pytest.mark.parametrize("name", ["__dict__", "__class__", "predict", "coef_ ", "foo"])
def test_what_the_class_does_not_keep_is_not_loaded(model: Path, name: str) -> None:
    part = "parameters" if name == "foo" else "attributes"
    _forge(model, lambda told: told.update({part: {name: 1}}), "model.json")
    with pytest.raises(CheckpointInvalid, match="has no parameters .*keeps no attributes"):
        daskml_dist.load(str(model))


@pytest.mark.parametrize(
    "files",
    [
        {},
        [],
        {"model.json": None},
        {"weights.safetensors": {"bytes": 1, "sha256": "0" * 64}},
        {"model.json": {"bytes": 1}, "weights.safetensors": {"bytes": 1, "sha256": ""}},
        {name: {"bytes": -1, "sha256": ""} for name in ("model.json", "weights.safetensors")},
        {name: {"bytes": 1 << 60, "sha256": ""} for name in ("model.json", "weights.safetensors")},
    ],
    ids=str,
)
def test_a_forged_manifest_is_refused(model: Path, files: Any) -> None:
    _forge(model, lambda manifest: manifest.update(files=files))
    with pytest.raises(CheckpointInvalid):
        read_model(model)


def test_deep_nesting_is_refused(model: Path) -> None:
    (model / "manifest.json").write_text("[" * 100_000)
    with pytest.raises(CheckpointInvalid, match="no JSON"):
        read_model(model)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (lambda: 0, "function"),
        (np.random.RandomState(0), "RandomState"),
        ({1, 2}, "set"),
        (b"x", "bytes"),
        (np.ma.masked_array([1.0], mask=[True]), "MaskedArray"),
        (np.array([object()]), "object"),
        (np.zeros(2, dtype="S3"), "dtype |S3"),
        (np.zeros(2, dtype=np.longdouble), "longdouble|float128"),
    ],
    ids=["function", "generator", "set", "bytes", "masked", "objects", "byte strings", "long double"],
)
def test_what_cannot_be_stored_is_named_and_nothing_is_written(tmp_path: Path, value: Any, name: str) -> None:
    with pytest.raises(TypeError, match=r"attributes\.extra_") as caught:
        write_model(tmp_path / "m", PATH, {}, {"extra_": value})
    assert any(option in str(caught.value) for option in name.split("|") if option)
    assert list(tmp_path.iterdir()) == []


def test_a_model_is_replaced_only_when_asked_for(url: str) -> None:
    _write(url, marker=1.0)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        _write(url, marker=2.0)
    assert read_model(url).attributes["marker_"] == 1.0
    for marker in (3.0, 4.0):
        _write(url, marker=marker, overwrite=True)
        assert read_model(url).attributes["marker_"] == marker
    folder = _folder.Folder(url)
    assert len(folder.names()) == 3 and "manifest.json" in folder.names()


def test_what_is_no_model_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_text("cat")
    (tmp_path / "file").write_text("text")
    for name in ("photos", "file"):
        with pytest.raises(FileExistsError, match="no model directory"):
            _write(tmp_path / name, overwrite=True)
    (tmp_path / "empty").mkdir()
    _write(tmp_path / "empty")
    assert read_model(tmp_path / "empty").class_path == PATH


def test_a_damaged_model_can_be_replaced(model: Path) -> None:
    (model / "manifest.json").write_text("damaged")
    _write(model, marker=5.0, overwrite=True)
    assert read_model(model).attributes["marker_"] == 5.0


@pytest.mark.parametrize("fatal", range(1, 9))
@pytest.mark.parametrize("exists", [False, True])
def test_a_write_that_fails_anywhere_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fatal: int, exists: bool
) -> None:
    target = tmp_path / "model"
    if exists:
        _write(target, marker=1.0)
    calls = 0
    real = os.fsync

    def fail(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls == fatal:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        try:
            _write(target, marker=2.0, overwrite=True)
        except OSError as error:
            assert error.errno == errno.ENOSPC
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith(".tmp")]
    if target.exists():
        assert read_model(target).attributes["marker_"] in (1.0, 2.0)
    else:
        assert not exists


def test_a_reader_that_meets_a_replacement_sees_the_new_model(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = _folder.Folder.read_bounded
    reads: list[str] = []

    def slow(self: _folder.Folder, name: str, most: int) -> bytes:
        data = real(self, name, most)
        reads.append(name)
        if len(reads) == 1:  # between the old manifest and its arrays
            with monkeypatch.context() as patch:
                patch.setattr(_folder.Folder, "read_bounded", real)
                _write(model, marker=9.0, overwrite=True)
        return data

    monkeypatch.setattr(_folder.Folder, "read_bounded", slow)
    assert read_model(model).attributes["marker_"] == 9.0


def test_foreign_tensors_do_not_matter(model: Path) -> None:
    data = save({"attributes.coef_": np.zeros((1, 20)), "more": np.zeros(1)})
    (model / "weights.safetensors").write_bytes(data)
    _seal_again(model, "weights.safetensors")
    coef = {"$array": {"dtype": "<f8", "order": "C", "tensor": "attributes.coef_"}}
    _forge(model, lambda told: told.update(parameters={}, attributes={"coef_": coef}), "model.json")
    assert read_model(model).attributes["coef_"].shape == (1, 20)


def test_a_registered_version_is_never_replaced(model: Path) -> None:
    _forge(model, lambda manifest: manifest.update(name="claims", version=3))
    with pytest.raises(FileExistsError, match="version 3 of claims"):
        _write(model, overwrite=True)
