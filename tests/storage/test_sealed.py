"""The sealed container: the exact bytes, or a complaint."""

from __future__ import annotations

import hashlib
import pickle
import struct
from typing import Any

import numpy as np
import pytest

from daskml_dist.errors import CheckpointInvalid
from daskml_dist.storage import seal, unseal
from daskml_dist.types import AnyArray
from tests.storage.damage import assert_same, flips, numeric_arrays, text_arrays, truncations

META: dict[str, Any] = {
    "passes": 3,
    "gap": float("inf"),
    "generator": np.random.default_rng(7).bit_generator.state,
    "classes": {0: "no", 1: "yes"},
    "shape": (3, 2),
    "names": ["a", "$b", "ü"],
    "$odd": None,
}


def _resealed(data: bytes, version: int = 1, payload: bytes | None = None) -> bytes:
    """A container with a right digest, made by somebody who knows the layout."""
    payload = data[52:] if payload is None else payload
    front = struct.pack("<8sIQ", data[:8], version, len(payload))
    return front + hashlib.sha256(front + payload).digest() + payload


@pytest.mark.parametrize("name", [*numeric_arrays(), *text_arrays()])
def test_an_array_comes_back_as_it_was(name: str) -> None:
    given = (numeric_arrays() | text_arrays())[name]
    arrays, meta = unseal(seal({name: given}, {}))
    assert list(arrays) == [name] and meta == {}
    assert_same(arrays[name], given)


def test_names_and_metadata_come_back_as_they_were() -> None:
    given: dict[str, AnyArray] = {name: np.ones(1) for name in ("file", "a/b", "../x", "meta", "", "ü")}
    arrays, meta = unseal(seal(given, META))
    assert list(arrays) == list(given)
    assert meta == META and list(meta) == list(META)
    assert type(meta["shape"]) is tuple


def test_a_random_generator_goes_on_where_it_was() -> None:
    first = np.random.default_rng(3)
    first.normal(size=5)
    _, meta = unseal(seal({}, {"state": first.bit_generator.state}))
    second = np.random.default_rng()
    second.bit_generator.state = meta["state"]
    assert np.array_equal(first.normal(size=9), second.normal(size=9))


def test_every_flipped_bit_and_every_truncation_is_noticed() -> None:
    data = seal({"w": np.random.default_rng(0).normal(size=50)}, META)
    for harmed in [*flips(data, 200), *truncations(data, 200)]:
        with pytest.raises(CheckpointInvalid, match=r"Delete it|Check the path"):
            unseal(harmed)
    for byte in range(60):  # each bit of the header
        for bit in range(8):
            with pytest.raises(CheckpointInvalid):
                unseal(data[:byte] + bytes([data[byte] ^ 1 << bit]) + data[byte + 1 :])
    with pytest.raises(CheckpointInvalid, match="too many"):
        unseal(data + b"x")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "empty"),
        (b"PK\x03\x04 a zip archive", "no checkpoint of daskml_dist"),
        (pickle.dumps({"w": 1}), "no checkpoint of daskml_dist"),
        (seal({}, {})[:30], "truncated"),
        (_resealed(seal({}, {}), version=2), "version 2.*Upgrade"),
        (_resealed(seal({}, {}), payload=b"no archive"), "not what this library writes"),
        (_resealed(seal({}, {}), payload=pickle.dumps([1])), "not what this library writes"),
    ],
    ids=["empty", "foreign", "pickle", "short", "newer", "forged", "forged pickle"],
)
def test_each_kind_of_wrong_file_has_its_own_message(data: bytes, text: str) -> None:
    with pytest.raises(CheckpointInvalid, match=text):
        unseal(data)


def test_a_forged_archive_with_pickles_or_compression_is_refused() -> None:
    import io

    for save, array in (
        (np.savez, np.array([{}], dtype=object)),
        (np.savez_compressed, np.zeros(10)),
    ):
        buffer = io.BytesIO()
        index = np.frombuffer(b'{"names": ["w"], "meta": {}}', dtype=np.uint8)
        save(buffer, a0=array, meta=index)
        with pytest.raises(CheckpointInvalid, match="not what this library writes"):
            unseal(_resealed(seal({}, {}), payload=buffer.getvalue()))


@pytest.mark.parametrize(
    "array",
    [
        np.array(["a", None], dtype=object),
        np.zeros(2, dtype=[("a", "f8"), ("b", object)]),
        np.ma.masked_array([1.0, 2.0], mask=[True, False]),
        [1.0, 2.0],
    ],
    ids=["objects", "objects inside", "masked", "list"],
)
def test_arrays_that_need_pickle_or_would_lose_something_are_refused(array: Any) -> None:
    with pytest.raises(TypeError, match="'w'"):
        seal({"w": array}, {})


@pytest.mark.parametrize("value", [object(), {1, 2}, np.zeros(2), b"bytes", lambda: 0, np.longdouble(1)])
def test_metadata_without_a_json_form_is_refused_by_name(value: Any) -> None:
    with pytest.raises(TypeError, match=r"meta\.meta\.state\.x\[1\]"):
        seal({}, {"state": {"x": [0, value]}})


def test_metadata_that_contains_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(TypeError, match="contains itself"):
        seal({}, {"loop": loop})
