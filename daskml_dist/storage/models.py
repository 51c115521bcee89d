"""The model format: a directory with a manifest in JSON and arrays in safetensors; data only, no code.

`manifest.json` holds the class by name, the parameters, the fitted attributes that are no numeric arrays, and
size and SHA-256 of the arrays file. Its own ``sha256`` is that of its bytes with these 64 digits set to 0.
The manifest is always the last to be written: what it names is there.
"""

from __future__ import annotations

import errno
import hashlib
import platform
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from os import PathLike
from typing import Any

from daskml_dist.errors import CheckpointInvalid
from daskml_dist.storage._arrays import ArrayReader, ArrayWriter
from daskml_dist.storage._folder import Folder, create_folder
from daskml_dist.storage._values import Json, decode, dumps, encode, loads

FORMAT = "daskml_dist.model"
VERSION = 1
MANIFEST = "manifest.json"
ARRAYS = "arrays.safetensors"
_ARRAYS_NAME = re.compile(r"arrays(-[0-9a-f]{16})?\.safetensors")
_UNSIGNED = "0" * 64
_AGAIN = "Save the model again, or take another copy."


@dataclass(frozen=True)
class ModelRecord:
    """What a model directory holds.

    Attributes
    ----------
    class_path : name of the class; only `resolve` should turn it into one.
    parameters : of the constructor, by name.
    attributes : fitted ones, by name.
    manifest : the manifest as it stands in the file.
    """

    class_path: str
    parameters: dict[str, Any]
    attributes: dict[str, Any]
    manifest: dict[str, Any]


def write_model(
    url: str | PathLike[str],
    class_path: str,
    parameters: Mapping[str, Any],
    attributes: Mapping[str, Any],
    *,
    overwrite: bool = False,
) -> None:
    """Write a model directory, entirely or not at all.

    Parameters
    ----------
    url : directory; a path or any URL that fsspec knows.
    class_path : such as "daskml_dist.linear_model.LogisticRegression".
    parameters, attributes : None, bool, numbers, text, lists, tuples, dicts, NumPy scalars, dtypes and arrays
        of numbers, dates, text or objects that are themselves of these kinds.
    overwrite : replace the model that is there. Readers see the old one or the new one; the arrays
        file of the new one has another name.

    Raises
    ------
    TypeError
        For a value that cannot be stored; the message names it. Nothing is written.
    FileExistsError
        Where a model is there and ``overwrite`` is False, or something is there that is no model.
    OSError
        Where it cannot be written; what was there before stays.
    """
    body, data = _compose(class_path, parameters, attributes)
    folder = Folder(url)
    present = _refuse_taken(folder, overwrite)
    name = f"arrays-{secrets.token_hex(8)}.safetensors" if present else ARRAYS
    body["files"] = {name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}}
    files = {name: data, MANIFEST: _sign(dumps(body, indent=1))}
    if present:
        _replace(folder, files)
    elif folder.local:
        _create(folder, files)
    else:
        for name, content in files.items():
            folder.write(name, content)


def read_model(url: str | PathLike[str]) -> ModelRecord:
    """Read a model directory; nothing in it is executed or unpickled.

    Raises
    ------
    FileNotFoundError
        Where there is nothing at all.
    CheckpointInvalid
        Where it is damaged, incomplete, no model, or of a newer version of the format.
    """
    folder = Folder(url)
    manifest = _read_manifest(folder)
    try:
        data = _read_arrays(folder, manifest)
    except CheckpointInvalid:
        # whoever replaces a model removes the arrays that the old manifest names
        again = _read_manifest(folder)
        if again == manifest:
            raise
        manifest = again
        data = _read_arrays(folder, manifest)
    try:
        return _record(manifest, data)
    except Exception as error:  # a forged manifest with a right digest may fail in any way
        raise CheckpointInvalid(
            f"the model in {folder.address()} is not what this library writes ({error}). {_AGAIN}"
        ) from error


def _compose(
    class_path: str, parameters: Mapping[str, Any], attributes: Mapping[str, Any]
) -> tuple[dict[str, Json], bytes]:
    """The manifest without its files, and the content of the arrays file."""
    arrays = ArrayWriter()
    body: dict[str, Json] = {
        "format": FORMAT,
        "format_version": VERSION,
        "sha256": _UNSIGNED,
        "class": class_path,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": _versions(),
        "parameters": _encode_all(parameters, "parameters", arrays),
        "attributes": _encode_all(attributes, "attributes", arrays),
    }
    return body, arrays.to_bytes()


def _encode_all(values: Mapping[str, Any], what: str, arrays: ArrayWriter) -> Json:
    for name in values:
        if type(name) is not str:
            raise TypeError(f"{what} are named by text, not by {name!r}")
    return encode(dict(values), what, arrays.keep)


def _versions() -> Json:
    found: dict[str, Json] = {"python": platform.python_version()}
    for package in ("daskml_dist", "numpy", "safetensors", "scikit-learn", "dask", "distributed"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _sign(manifest: bytes) -> bytes:
    blank = b'"sha256": "' + _UNSIGNED.encode() + b'"'
    signed = b'"sha256": "' + hashlib.sha256(manifest).hexdigest().encode() + b'"'
    return manifest.replace(blank, signed, 1)  # the first one: the parameters come later


def _refuse_taken(folder: Folder, overwrite: bool) -> bool:
    """True where a model is there and may be replaced."""
    names = [] if folder.is_file() else folder.names()
    if folder.is_file() or (names and MANIFEST not in names):
        raise FileExistsError(f"{folder.address()} exists and is no model directory; choose another path")
    if names and not overwrite:
        raise FileExistsError(
            f"{folder.address()} holds a model already; give overwrite=True to replace it, or another path"
        )
    return bool(names)


def _create(folder: Folder, files: dict[str, bytes]) -> None:
    try:
        create_folder(folder, files)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
        raise FileExistsError(
            f"{folder.address()} was made meanwhile; give overwrite=True to replace it, or another path"
        ) from error


def _replace(folder: Folder, files: dict[str, bytes]) -> None:
    """Put the new arrays beside the old ones; the manifest switches over; then the old ones go."""
    before, old = folder.read(MANIFEST), _named_arrays(folder)
    try:
        for name, content in files.items():
            folder.write(name, content)
    except BaseException:
        with suppress(OSError):
            # a write may fail after the manifest has switched over: then the new arrays are the ones needed
            if folder.read(MANIFEST) == before:
                for name in files.keys() - {MANIFEST}:
                    folder.remove(name)
        raise
    for name in old - files.keys():
        folder.remove(name)
    folder.sweep()


def _named_arrays(folder: Folder) -> set[str]:
    """The arrays files that the present manifest names; none where it is damaged."""
    try:
        return {name for name in _read_manifest(folder)["files"] if _ARRAYS_NAME.fullmatch(name)}
    except (CheckpointInvalid, OSError, KeyError, TypeError):
        return set()


def _read_manifest(folder: Folder) -> dict[str, Any]:
    where = folder.address(MANIFEST)
    try:
        raw = folder.read(MANIFEST)
    except (FileNotFoundError, NotADirectoryError) as error:
        if not folder.exists():
            raise FileNotFoundError(f"there is no model at {folder.address()}; check the path") from error
        raise CheckpointInvalid(
            f"{where} is missing: this is no model directory, or an incomplete one."
        ) from error
    if not raw:
        raise CheckpointInvalid(f"{where} is empty: it was never written to the end. {_AGAIN}")
    try:
        manifest = loads(raw)
    except (ValueError, RecursionError) as error:
        raise CheckpointInvalid(
            f"{where} is damaged or foreign: it is no JSON ({error}). {_AGAIN}"
        ) from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise CheckpointInvalid(f"{where} is not the manifest of a model of daskml_dist. Check the path.")
    digest = manifest.get("sha256")
    if not isinstance(digest, str) or not _is_signed(raw, digest):
        raise CheckpointInvalid(f"{where} is damaged or was edited: its SHA-256 does not match. {_AGAIN}")
    if manifest.get("format_version") != VERSION:
        raise CheckpointInvalid(
            f"{where} has format version {manifest.get('format_version')!r}, and this library reads up to "
            f"{VERSION}. Upgrade daskml_dist."
        )
    return manifest


def _is_signed(raw: bytes, digest: str) -> bool:
    """True where these bytes, with the digest set to 0, have this digest."""
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        return False
    unsigned = raw.replace(digest.encode(), _UNSIGNED.encode(), 1)
    return hashlib.sha256(unsigned).hexdigest() == digest


def _read_arrays(folder: Folder, manifest: dict[str, Any]) -> bytes:
    try:
        ((name, facts),) = manifest["files"].items()
        size, digest = facts["bytes"], facts["sha256"]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CheckpointInvalid(f"{folder.address(MANIFEST)} names no arrays file. {_AGAIN}") from error
    if not _ARRAYS_NAME.fullmatch(name):  # never a path that leads out of the directory
        raise CheckpointInvalid(f"{folder.address(MANIFEST)} names the file {name!r}, which no model has.")
    where = folder.address(name)
    try:
        data = folder.read(name)
    except FileNotFoundError as error:
        raise CheckpointInvalid(f"{where} is missing. {_AGAIN}") from error
    if len(data) != size:
        raise CheckpointInvalid(f"{where} is damaged: it has {len(data)} bytes instead of {size}. {_AGAIN}")
    if hashlib.sha256(data).hexdigest() != digest:
        raise CheckpointInvalid(f"{where} is damaged: its SHA-256 does not match. {_AGAIN}")
    return data


def _record(manifest: dict[str, Any], data: bytes) -> ModelRecord:
    arrays = ArrayReader(data)
    path, parts = manifest["class"], (manifest["parameters"], manifest["attributes"])
    if not isinstance(path, str) or not all(isinstance(part, dict) for part in parts):
        raise ValueError("class, parameters and attributes are text and two objects")
    parameters, attributes = (decode(part, arrays.fetch) for part in parts)
    return ModelRecord(path, parameters, attributes, manifest)
