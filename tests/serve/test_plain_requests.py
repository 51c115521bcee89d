"""What is read quickly is what the general reader finds, and nothing is read that it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daskml_dist.security import Limits
from daskml_dist.serve import inference
from daskml_dist.serve.plain_requests import PlainRequests
from daskml_dist.serve.refusals import Refused
from daskml_dist.serve.served import Served
from tests.serve import model_directories

LIMITS = Limits(rows=5)
NUMBER = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**60), 2**60)
ODD = st.sampled_from([None, True, "f", "1", [1.0], {}, 10**400, 2.5])
TEXT = st.sampled_from(["f", "m", "other", "a:b", "true", ""])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    """Age (missing becomes 40), sex (one of two levels), weight (never missing)."""
    rng = np.random.default_rng(0)
    directory = tmp_path_factory.mktemp("models") / "people"
    model_directories.write(directory, model_directories.PEOPLE, rng.normal(size=(1, 4)), rng.normal(size=1))
    return Served(directory)


def tensor(name: str, value: Any, **changes: Any) -> dict[str, Any]:
    datatype = "BYTES" if name == "sex" else "FP64"
    return {"name": name, "shape": [1], "datatype": datatype, "data": [value]} | changes


def quick(served: Served, body: bytes) -> tuple[Any, Any] | None:
    reader = PlainRequests(served.model.columns, len(served.features), LIMITS)
    return reader.read(json.loads(body), body)


def general(served: Served, body: bytes) -> tuple[Any, Any]:
    asked = inference.read(body, None, LIMITS)
    return asked.id, inference.features(served, asked)


def compare(served: Served, document: dict[str, Any]) -> bool:
    """Whether it was read quickly; then it is what the general reader finds."""
    body = json.dumps(document, ensure_ascii=False).encode()
    found = quick(served, body)
    if found is None:
        return False
    expected = general(served, body)
    assert found[0] == expected[0]
    assert found[1].dtype == expected[1].dtype and found[1].tobytes() == expected[1].tobytes()
    return True


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(age=NUMBER | st.none(), sex=TEXT, weight=NUMBER, order=st.permutations(range(3)), named=st.booleans())
def test_rows_of_columns(served: Served, age: Any, sex: str, weight: Any, order: Any, named: bool) -> None:
    tensors = [tensor("age", age), tensor("sex", sex), tensor("weight", weight)]
    document: dict[str, Any] = {"id": "i"} if named else {}
    read = compare(served, document | {"inputs": [tensors[i] for i in order]})
    assert read == (":" not in sex)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_changed(served: Served, data: st.DataObject) -> None:
    """Any value, name, shape or datatype instead of a right one."""
    values = {"age": 1.0, "sex": "f", "weight": 2.0}
    tensors = [tensor(name, value) for name, value in values.items()]
    changed = data.draw(st.sampled_from(tensors))
    key = data.draw(st.sampled_from(["name", "shape", "datatype", "data", "parameters"]))
    odd = {
        "name": st.sampled_from(["age", "sex", "weight", "x", "height", 3]),
        "shape": st.lists(st.sampled_from([1, 0, -1, 2, 1.0, True]), max_size=3),
        "datatype": st.sampled_from(["FP64", "BYTES", "FP32", "INT64", "BOOL", None]),
        "data": st.lists(ODD | NUMBER | TEXT, max_size=2) | ODD,
        "parameters": st.sampled_from([{}, None, {"binary_data_size": 8}]),
    }
    changed[key] = data.draw(odd[key])
    compare(served, {"inputs": tensors[: data.draw(st.integers(0, 3))]})
    compare(served, {"inputs": tensors})
    compare(served, {"inputs": [*tensors, changed]})


@pytest.mark.parametrize(
    "changes",
    [
        {"data": "f"},
        {"data": {"f": 1}},
        {"data": [["f"]]},
        {"shape": [True]},
        {"shape": [1.0]},
        {"shape": "1"},
        {"shape": [1, 1]},
        {"datatype": "FP64"},
        {"parameters": {}},
    ],
)
def test_an_odd_column_is_left_to_the_general_reader(served: Served, changes: dict[str, Any]) -> None:
    tensors = [tensor("age", 1.0), tensor("sex", "f", **changes), tensor("weight", 2.0)]
    assert not compare(served, {"inputs": tensors})


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.integers(0, 7), width=st.integers(3, 5), data=st.data())
def test_encoded_features(served: Served, rows: int, width: int, data: st.DataObject) -> None:
    flat = data.draw(st.lists(NUMBER, min_size=rows * width, max_size=rows * width))
    encoded = {"name": "x", "shape": [rows, width], "datatype": "FP64", "data": flat}
    assert compare(served, {"inputs": [encoded]}) == (0 < rows <= LIMITS.rows and width == 4)
    flat[:1] = [data.draw(ODD)]
    compare(served, {"inputs": [encoded]})


def test_a_name_twice_is_left_to_the_general_reader(served: Served) -> None:
    body = b'{"id":"a","id":"b","inputs":[{"name":"x","shape":[1,4],"datatype":"FP64","data":[1,2,3,4]}]}'
    assert quick(served, body) is None
    with pytest.raises(Refused, match="twice"):
        general(served, body)


def test_a_column_that_is_called_like_the_encoded_features(tmp_path: Path) -> None:
    column = {"name": "x", "kind": "number", "mean": None, "levels": [], "fill": None}
    served = Served(model_directories.write(tmp_path / "m", [column], np.ones((1, 1)), np.zeros(1)))
    assert compare(served, {"inputs": [tensor("x", 2.0)]})
    assert not compare(served, {"inputs": [tensor("x", 2.0, shape=[1, 1])]})


def test_another_value_is_seen(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison itself: the levels exchanged."""
    from daskml_dist.serve import plain_requests

    right = plain_requests._places

    def lie(columns: Any) -> Any:
        return {
            name: place._replace(levels=place.levels and dict(zip(place.levels, (2, 1), strict=True)))
            for name, place in right(columns).items()
        }

    monkeypatch.setattr(plain_requests, "_places", lie)
    with pytest.raises(AssertionError):
        compare(served, {"inputs": [tensor("age", 1.0), tensor("sex", "f"), tensor("weight", 2.0)]})
