"""One sealed container: bytes that are either exactly what was written or refused.

    magic (8) | format version (4) | payload length (8) | SHA-256 (32) | payload

Integers are little-endian. The digest covers everything but itself. The payload is an npz without pickles
whose member "meta" is JSON. This layout of the first 52 bytes never changes, so that an older library can
tell a newer file from a damaged one. The seal finds damage; it is no signature.
"""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from daskml_dist.errors import CheckpointInvalid
from daskml_dist.storage._values import decode, dumps, encode, loads
from daskml_dist.types import AnyArray

MAGIC = b"\x93DMLseal"
VERSION = 1
_FRONT = struct.Struct("<8sIQ")
_HEADER = _FRONT.size + hashlib.sha256().digest_size
_ANOTHER = "Delete it and go on from an older one, or fit again."


class OtherVersion(CheckpointInvalid):
    """The file is intact, and another version of this library wrote it."""


def seal(arrays: Mapping[str, AnyArray], meta: Mapping[str, Any]) -> bytes:
    """Pack arrays and metadata into one sealed container.

    Parameters
    ----------
    arrays : by name; of any shape, memory order and dtype that contains no Python objects.
    meta : JSON values; also infinities, tuples, NumPy scalars and dicts with other keys than strings.

    Returns
    -------
    bytes
        What `unseal` reads; every truncation and every flipped bit will be noticed.

    Raises
    ------
    TypeError
        For object arrays, masked arrays and metadata that has no JSON form; the message names the value.
    """
    for name, array in arrays.items():
        _check_array(name, array)
    index = encode({"names": list(arrays), "meta": dict(meta)}, "meta")
    members = {f"a{i}": array for i, array in enumerate(arrays.values())}
    members["meta"] = np.frombuffer(dumps(index), dtype=np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **members)
    payload = buffer.getbuffer()
    front = _FRONT.pack(MAGIC, VERSION, len(payload))
    return b"".join((front, _digest(front, payload), payload))


def unseal(data: bytes) -> tuple[dict[str, AnyArray], dict[str, Any]]:
    """Read what `seal` packed.

    Returns
    -------
    arrays : by name, in the order, memory order and dtype in which they were given; writable.
    meta : as it was given.

    Raises
    ------
    CheckpointInvalid
        For anything else than the exact bytes of a container of this or an older version.
    """
    payload = _verified_payload(data)
    try:
        return _read_payload(payload)
    except Exception as error:  # a forged file with a right digest may fail in any way; none may get through
        raise CheckpointInvalid(
            f"the checkpoint is intact but its content is not what this library writes ({error}). {_ANOTHER}"
        ) from error


def _check_array(name: str, array: AnyArray) -> None:
    if type(name) is not str:
        raise TypeError(f"arrays are named by text, not by {name!r}")
    if not isinstance(array, np.ndarray) or isinstance(array, np.ma.MaskedArray | np.matrix):
        raise TypeError(f"{name!r} is a {type(array).__qualname__}; give a plain NumPy array")
    if array.dtype.hasobject:
        raise TypeError(
            f"{name!r} is an array of Python objects (dtype {array.dtype}), which cannot be stored without "
            "pickle; convert it to numbers or to fixed-width text"
        )


def _digest(front: bytes, payload: bytes | memoryview) -> bytes:
    digest = hashlib.sha256(front)
    digest.update(payload)
    return digest.digest()


def _verified_payload(data: bytes) -> memoryview:
    if not data:
        raise CheckpointInvalid(f"the checkpoint is empty: it was never written to the end. {_ANOTHER}")
    if data[: len(MAGIC)] != MAGIC[: len(data)]:
        raise CheckpointInvalid(
            f"this is no checkpoint of daskml_dist, or its first bytes are damaged: it begins with "
            f"{bytes(data[:8])!r} where {MAGIC!r} was expected. Check the path."
        )
    if len(data) < _HEADER:
        raise CheckpointInvalid(
            f"the checkpoint is truncated: {len(data)} bytes, less than a header. {_ANOTHER}"
        )
    front, payload = data[: _FRONT.size], memoryview(data)[_HEADER:]
    _, version, length = _FRONT.unpack(front)
    if len(payload) != length:
        what = "is truncated" if len(payload) < length else "has bytes too many"
        raise CheckpointInvalid(
            f"the checkpoint {what}, or its header is damaged: {len(payload)} bytes instead of {length}. "
            f"{_ANOTHER}"
        )
    if _digest(front, payload) != data[_FRONT.size : _HEADER]:
        raise CheckpointInvalid(f"the checkpoint is damaged: its SHA-256 does not match. {_ANOTHER}")
    if version != VERSION:
        raise OtherVersion(
            f"the checkpoint has format version {version}, and this library reads version {VERSION}. "
            "Upgrade daskml_dist."
        )
    return payload


def _read_payload(payload: memoryview) -> tuple[dict[str, AnyArray], dict[str, Any]]:
    with np.load(io.BytesIO(payload), allow_pickle=False) as members:
        stored = all(item.compress_type == zipfile.ZIP_STORED for item in members.zip.infolist())
        if not stored:  # a forged file could otherwise grow without bound
            raise ValueError("a member is compressed")
        index = decode(loads(members["meta"].tobytes()))
        arrays = {str(name): members[f"a{i}"] for i, name in enumerate(index["names"])}
        return arrays, dict(index["meta"])
