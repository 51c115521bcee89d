"""Hostile model directories are refused before memory is asked for, and nothing in them is ever executed."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import os
import pickle
import random
import shutil
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from daskml_dist import edge
from daskml_dist.linear_model import LogisticRegression
from daskml_dist.registry import Registry
from tests.storage.damage import flips, truncations

DICE = np.random.default_rng(0)
X = DICE.normal(size=(100, 3))
FILES = ["manifest.json", "model.json", "weights.safetensors", "reference.safetensors"]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = Registry(tmp_path_factory.mktemp("registry"))
    model = LogisticRegression(verbose=0).fit(X, DICE.choice(["a", "b", "c"], size=100))
    return Path(store.register(model, "claims", data=X).url)


@pytest.fixture
def place(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "model"))


def seal(place: Path, change: Callable[[dict[str, Any]], None] = lambda manifest: None) -> None:
    """Forge the manifest: sizes and digests are those of the files that are there."""
    told = json.loads((place / "manifest.json").read_text())
    for name in told["files"]:
        data = (place / name).read_bytes()
        told["files"][name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    change(told)
    told["sha256"] = "0" * 64
    text = json.dumps(told)
    (place / "manifest.json").write_text(text.replace("0" * 64, hashlib.sha256(text.encode()).hexdigest(), 1))


def refused(place: Path, most: int = 16 << 20) -> str:
    """The complaint about a directory; reading it asked for little memory."""
    tracemalloc.start()
    try:
        with pytest.raises(edge.InvalidModel) as caught:
            edge.load(place, most=most)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()
    return str(caught.value)


@pytest.mark.parametrize("name", FILES)
def test_every_flipped_bit_and_truncation_is_noticed(place: Path, name: str) -> None:
    data = (place / name).read_bytes()
    for harmed in [*flips(data, 60), *truncations(data, 30), data + b"\n"]:
        (place / name).write_bytes(harmed)
        with pytest.raises(edge.InvalidModel):
            edge.load(place)
    (place / name).write_bytes(data)
    edge.load(place)


def tensors(header: dict[str, Any], body: bytes = b"", size: int | None = None) -> bytes:
    """A file of safetensors with any header."""
    raw = json.dumps(header).encode()
    return struct.pack("<Q", len(raw) if size is None else size) + raw + body


F64 = {"dtype": "F64", "shape": [3, 3], "data_offsets": [0, 72]}
BOMBS: dict[str, bytes] = {
    "bomb": tensors({"a": {"dtype": "F64", "shape": [1 << 40], "data_offsets": [0, 1 << 43]}}),
    "huge header": tensors({}, size=1 << 62),
    "hole": tensors({"a": F64 | {"data_offsets": [800, 872]}}, b"\0" * 872),
    "overlap": tensors({"a": F64, "b": F64}, b"\0" * 72),
    "shape without end": tensors({"a": {"dtype": "F64", "shape": [1 << 62, 0], "data_offsets": [0, 0]}}),
    "unknown dtype": tensors({"a": F64 | {"dtype": "V8"}}, b"\0" * 72),
    "no header": b"\0" * 7,
    "pickle": pickle.dumps({"coef": [1.0]}),
    "zip": b"PK\x03\x04" + b"\0" * 100,
}


@pytest.mark.parametrize(
    ("name", "file"),
    [(name, "weights.safetensors") for name in BOMBS]
    + [
        (name, "reference.safetensors") for name in BOMBS if name != "shape without end"
    ],  # which nobody asks for
)
def test_bombs_are_refused(place: Path, name: str, file: str) -> None:
    (place / file).write_bytes(BOMBS[name])
    seal(place)
    refused(place)


def change_model(place: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    told = json.loads((place / "model.json").read_text())
    change(told)
    (place / "model.json").write_text(json.dumps(told))
    seal(place)


def answer(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda told: told["answer"].update(changes)


EMPTY = {
    "kind": "number",
    "mean": None,
    "levels": [],
    "fill": None,
    "personal": False,
    "unit": None,
    "label": None,
}
COLUMNS: list[dict[str, Any]] = [{"name": f"x{i}", **EMPTY} for i in range(3)]
FORGED: dict[str, Callable[[dict[str, Any]], Any]] = {
    "surplus key": lambda told: told.update(code="import os"),
    "missing key": lambda told: told.pop("class"),
    "answer is a list": lambda told: told.update(answer=[1]),
    "surplus in the answer": answer(module="os"),
    "unknown link": answer(link="__import__"),
    "link of another task": answer(link="log"),
    "unknown task": answer(task="clustering"),
    "task is a list": answer(task=[]),
    "classes without end": answer(classes=["a"] * 5),
    "no classes": answer(classes=None),
    "wide labels": answer(label_dtype="<U999999999"),
    "labels that are code": answer(label_dtype="os.system"),
    "labels that are too long": answer(classes=["a"] * 30_000, label_dtype="<U9999"),
    "nested labels": answer(classes=[["a", "b"], ["b", "c"], ["c", "d"]], label_dtype="|O"),
    "raw labels": answer(label_dtype="|V1000000000"),
    "labels of another kind": answer(label_dtype="<i4"),
    "doubled columns": answer(columns=[COLUMNS[0]] * 3, features=["x0"] * 3),
    "columns of other features": answer(features=["x0", "x1", "y"]),
    "column with more": answer(columns=[*COLUMNS[:2], COLUMNS[2] | {"default": 1}]),
    "column of another kind": answer(columns=[*COLUMNS[:2], COLUMNS[2] | {"kind": "callable"}]),
    "mean that is text": answer(columns=[*COLUMNS[:2], COLUMNS[2] | {"mean": "0"}]),
    "levels that are numbers": answer(columns=[*COLUMNS[:2], COLUMNS[2] | {"levels": [1]}]),
    "another tensor": answer(coef={"tensor": "nothing", "dtype": "float64", "scale": None}),
    "another dtype": answer(coef={"tensor": "attributes.coef_", "dtype": "int8", "scale": None}),
    "tensor is a list": answer(coef={"tensor": [], "dtype": "float64", "scale": None}),
    "intercept of another size": answer(
        intercept={"tensor": "attributes.coef_", "dtype": "float64", "scale": None}
    ),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_model_is_refused(place: Path, name: str) -> None:
    change_model(place, FORGED[name])
    refused(place)


TEXTS: dict[str, bytes] = {
    "deep": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "lists without end": b"[" + b"[]," * 1_000_001 + b"[]]",
    "doubled key": b'{"format": 1, "format": 2}',
    "not a number": b'{"a": NaN}',
    "infinite": b'{"a": Infinity}',
    "huge integer": b"1" * 10_000,
    "huge float": b'{"a": 1e999}',
    "surrogate": b'{"a": "\xed\xa0\x80"}',
    "utf-16": '{"a": 1}'.encode("utf-16"),
    "empty": b"",
    "null": b"null",
}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("file", ["manifest.json", "model.json"])
def test_hostile_json_is_refused(place: Path, name: str, file: str) -> None:
    (place / file).write_bytes(TEXTS[name])
    if file == "model.json":
        seal(place)
    refused(place)


@pytest.mark.parametrize(
    "name",
    [
        "../model.json",
        "/etc/passwd",
        "model.json/../x",
        "weights.pkl",
        "",
        "model.json\0",
        "a/model.json",
        ".",
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(place: Path, name: str) -> None:
    facts = {"bytes": 3, "sha256": hashlib.sha256(b"{}\n").hexdigest()}
    seal(place, lambda manifest: manifest["files"].update({name: facts}))
    assert "which no model has" in refused(place)


@pytest.mark.parametrize(
    "changes", [{"name": "a\r\nb"}, {"name": ["a"]}, {"name": "../a"}, {"version": "1\n"}]
)
def test_a_name_that_would_leave_a_header_is_refused(place: Path, changes: dict[str, Any]) -> None:
    seal(place, lambda manifest: manifest.update(changes))
    assert "not the manifest" in refused(place)


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON document."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from paths(item, (*path, key))


ODD = [None, True, 0, -1, 1 << 70, 1e308, "", "a", "\ud800", [], {}, [[]], {"a": 1}, ["x"] * 9, "U99999999"]


@pytest.mark.parametrize("name", ["model.json", "manifest.json"])
def test_any_value_in_any_place_is_taken_or_refused(place: Path, name: str) -> None:
    original, dice = json.loads((place / name).read_text()), random.Random(0)
    everywhere = [path for path in paths(original) if path and path[:2] != ("attributes", "history_")]
    for _ in range(400):
        *way, last = dice.choice(everywhere)
        told = copy.deepcopy(original)
        inner = told
        for key in way:
            inner = inner[key]
        inner[last] = dice.choice(ODD)
        text = json.dumps(told)
        (place / name).write_text(text)
        if name == "model.json":
            seal(place)
        else:
            blank = text.replace(str(told.get("sha256")), "0" * 64, 1).encode()
            digest = hashlib.sha256(blank).hexdigest()
            (place / name).write_bytes(blank.replace(b"0" * 64, digest.encode(), 1))
        try:
            model = edge.load(place, most=16 << 20)
        except edge.InvalidModel:
            continue
        model.predict(X)


SIZES = [1 << 62, -1, 1.5, True, "10", None, [10]]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", FILES[1:])
def test_sizes_that_are_none_are_refused(place: Path, name: str, size: Any) -> None:
    seal(place, lambda manifest: manifest["files"][name].update(bytes=size))
    refused(place)


@pytest.mark.parametrize("name", FILES)
def test_links_pipes_and_holes_are_refused(place: Path, name: str) -> None:
    data = (place / name).read_bytes()
    (place / name).unlink()
    (place / "elsewhere").write_bytes(data)
    (place / name).symlink_to("elsewhere")
    assert "symbolic link" in refused(place)
    (place / name).unlink()
    (place / name).symlink_to("/dev/zero")
    assert "symbolic link" in refused(place)
    (place / name).unlink()
    os.mkfifo(place / name)  # whoever opens one without care waits for ever
    assert "no file" in refused(place)
    (place / name).unlink()
    with open(place / name, "wb") as file:
        file.truncate(1 << 40)  # a file of holes takes no room on disk
    assert "more bytes" in refused(place)


def test_more_weights_than_asked_for_are_refused(place: Path) -> None:
    (place / "weights.safetensors").write_bytes(save({"a": np.zeros(1 << 17)}))
    seal(place)
    assert "more than is read" in refused(place, most=1 << 19)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(place: Path, value: float) -> None:
    (place / "weights.safetensors").write_bytes(
        save({"attributes.coef_": np.full((3, 3), value), "attributes.intercept_": np.zeros(3)})
    )
    seal(place)
    assert "not finite" in refused(place)


def test_golden_rows_that_differ_are_refused(place: Path) -> None:
    (place / "weights.safetensors").write_bytes(
        save({"attributes.coef_": np.full((3, 3), 1.0), "attributes.intercept_": np.zeros(3)})
    )
    seal(place)
    assert "golden rows" in refused(place)


WATCHED = """
import sys
from {module} import load
seen = []
def watch(event, arguments):
    bad = event.startswith(("exec", "compile", "import", "os.system", "os.exec", "os.spawn", "os.fork",
                            "os.remove", "os.rename", "os.mkdir", "shutil",
                            "subprocess", "socket", "ctypes", "pickle", "marshal"))
    if bad or (event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")):
        seen.append((event, str(arguments)[:200]))
load({path!r})  # what is imported at the first use
sys.addaudithook(watch)
model = load({path!r})
model.predict_proba([[0.0, 1.0, 2.0]])
print(seen)
"""


def test_loading_executes_nothing(place: Path) -> None:
    script = WATCHED.format(module="daskml_dist.edge", path=str(place))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]", done.stdout
    # the watchman is awake: it sees a lie
    lie = script.replace("model = load", "exec('1'); open('/dev/null', 'w'); model = load")
    done = subprocess.run([sys.executable, "-c", lie], capture_output=True, text=True, check=True)
    assert "exec" in done.stdout and "open" in done.stdout


def test_the_file_works_alone(place: Path, tmp_path: Path) -> None:
    (tmp_path / "device").mkdir()
    shutil.copy(edge.__file__, tmp_path / "device" / "model_runtime.py")
    script = (
        "import sys, model_runtime; "
        f"model = model_runtime.load({str(place)!r}); print(model.predict([[0.0, 1.0, 2.0]]), model.name); "
        "print(sorted({name.partition('.')[0] for name in sys.modules} & "
        "{'daskml_dist', 'sklearn', 'scipy', 'dask', 'pandas', 'xarray', 'fsspec', 'numpy', 'safetensors'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path / "device",
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
    )  # fmt: skip
    said, modules = done.stdout.strip().splitlines()
    assert said == f"{edge.load(place).predict([[0.0, 1.0, 2.0]])} claims"
    assert modules == "['numpy', 'safetensors']"


def test_signatures_do_not_help_a_damaged_file(place: Path) -> None:
    (place / "signature.json").write_text(json.dumps({"signature": base64.b64encode(b"x" * 64).decode()}))
    edge.load(place)  # whoever asks for signatures asks the registry
