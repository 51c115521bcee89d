"""The model format: a directory of arrays and JSON; data only, no code.

`model.json` holds the class by name, the parameters, the fitted attributes, and the answer: what
``daskml_dist.edge`` evaluates. Arrays lie in `weights.safetensors`. `manifest.json` holds size and SHA-256 of
the files, and its own ``sha256``, that of its bytes with these 64 digits set to 0. The manifest is always the
last to be written: what it names is there.
"""

from __future__ import annotations

import errno
import hashlib
import platform
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from os import PathLike
from typing import Any

from daskml_dist.edge import FORMAT, MANIFEST, VERSION, InvalidModel, Sealed
from daskml_dist.errors import CheckpointInvalid
from daskml_dist.storage._arrays import ArrayReader, ArrayWriter
from daskml_dist.storage._folder import Folder, create_folder
from daskml_dist.storage._values import Json, decode, dumps, encode
from daskml_dist.storage.answers import Answer

MODEL, WEIGHTS = "model.json", "weights.safetensors"
_UNSIGNED = "0" * 64
_AGAIN = "Save the model again, or take another copy."
_MOST = 1 << 40


@dataclass(frozen=True)
class ModelRecord:
    """What a model directory holds.

    Attributes
    ----------
    class_path : name of the class; only `resolve` should turn it into one. None of an answer alone.
    parameters : of the constructor, by name.
    attributes : fitted ones, by name.
    facts : model.json as it stands there: "created_at", "versions", "answer"...
    manifest : the manifest as it stands in the file.
    """

    class_path: str | None
    parameters: dict[str, Any]
    attributes: dict[str, Any]
    facts: dict[str, Any]
    manifest: dict[str, Any]


def write_model(
    url: str | PathLike[str],
    class_path: str,
    parameters: Mapping[str, Any],
    attributes: Mapping[str, Any],
    *,
    answer: Answer | None = None,
    overwrite: bool = False,
) -> None:
    """Write a model directory, entirely or not at all.

    Parameters
    ----------
    url : directory; a path or any URL that fsspec knows.
    class_path : such as "daskml_dist.linear_model.LogisticRegression".
    parameters, attributes : None, bool, numbers, text, lists, tuples, dicts, NumPy scalars, dtypes and arrays
        of numbers, dates, text or objects that are themselves of these kinds.
    answer : what servers evaluate, or None.
    overwrite : replace the model that is there. Readers see the old one or the new one; the
        files of the new one have other names.

    Raises
    ------
    TypeError
        For a value that cannot be stored; the message names it. Nothing is written.
    FileExistsError
        Where a model is there and ``overwrite`` is False, or something is there that is no model, or a
        registered version, which never changes.
    OSError
        Where it cannot be written; what was there before stays.
    """
    files = model_files(class_path, parameters, attributes, answer)
    folder = Folder(url)
    present = _refuse_taken(folder, overwrite)
    if present:
        mark = secrets.token_hex(8)
        files = {name.replace(".", f"-{mark}.", 1): data for name, data in files.items()}
    files[MANIFEST] = sealed_manifest(files)
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
        Where it is damaged, incomplete, no model, or of another version of the format.
    """
    folder = Folder(url)
    files = _sealed(folder)
    while True:
        try:
            return _record(files)
        except InvalidModel as error:
            # whoever replaces a model removes the files that the old manifest names
            again = _sealed(folder)
            if again.manifest == files.manifest:
                raise CheckpointInvalid(f"the model in {folder.address()}: {error} {_AGAIN}") from error
            files = again


def model_files(
    class_path: str | None,
    parameters: Mapping[str, Any],
    attributes: Mapping[str, Any],
    answer: Answer | None,
) -> dict[str, bytes]:
    """The content of model.json and weights.safetensors; see ``write_model``."""
    arrays = ArrayWriter()
    body: dict[str, Json] = {
        "format": FORMAT,
        "format_version": VERSION,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "class": class_path,
        "parameters": _encode_all(parameters, "parameters", arrays),
        "attributes": _encode_all(attributes, "attributes", arrays),
        "answer": None if answer is None else answer.described(arrays),
    }
    return {WEIGHTS: arrays.to_bytes(), MODEL: dumps(body, indent=1)}


def sealed_manifest(
    files: Mapping[str, bytes], name: str | None = None, number: int | None = None, lineage: Json = None
) -> bytes:
    """The content of manifest.json for these files.

    Parameters
    ----------
    files : by name.
    name, number, lineage : of a registered version.
    """
    facts: dict[str, Json] = {
        file: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for file, data in files.items()
    }
    body: dict[str, Json] = {
        "format": FORMAT,
        "format_version": VERSION,
        "sha256": _UNSIGNED,
        "name": name,
        "version": number,
        "lineage": lineage,
        "files": facts,
    }
    return sealed_json(body)


def sealed_json(body: Mapping[str, Json]) -> bytes:
    """JSON with its own digest under "sha256", which is to come before anything that others wrote."""
    blank = dumps({**body, "sha256": _UNSIGNED}, indent=1)
    return blank.replace(_UNSIGNED.encode(), hashlib.sha256(blank).hexdigest().encode(), 1)


def versions() -> dict[str, Json]:
    """The versions of Python and of the packages that matter to a model."""
    found: dict[str, Json] = {"python": platform.python_version()}
    for package in ("daskml_dist", "numpy", "safetensors", "scikit-learn", "dask", "distributed"):
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _encode_all(values: Mapping[str, Any], what: str, arrays: ArrayWriter) -> Json:
    for name in values:
        if type(name) is not str:
            raise TypeError(f"{what} are named by text, not by {name!r}")
    return encode(dict(values), what, arrays.keep)


def _refuse_taken(folder: Folder, overwrite: bool) -> bool:
    """True where a model is there and may be replaced."""
    names = [] if folder.is_file() else folder.names()
    if folder.is_file() or (names and MANIFEST not in names):
        raise FileExistsError(f"{folder.address()} exists and is no model directory; choose another path")
    if names and not overwrite:
        raise FileExistsError(
            f"{folder.address()} holds a model already; give overwrite=True to replace it, or another path"
        )
    present = _present(folder) if names else {}
    if present.get("name") is not None:
        raise FileExistsError(
            f"{folder.address()} is version {present['version']} of {present['name']}, and a registered "
            "version never changes; register the model as a new one, or choose another path"
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
    """Put the new files beside the old ones; the manifest switches over; then the old ones go."""
    before, old = folder.read(MANIFEST), set(_present(folder).get("files", {}))
    try:
        for name, content in files.items():
            folder.write(name, content)
    except BaseException:
        with suppress(OSError):
            # a write may fail after the manifest has switched over: then the new files are the ones needed
            if folder.read(MANIFEST) == before:
                for name in files.keys() - {MANIFEST}:
                    folder.remove(name)
        raise
    for name in old - files.keys():
        folder.remove(name)
    folder.sweep()


def _present(folder: Folder) -> dict[str, Any]:
    """The manifest that is there; empty where it is damaged."""
    try:
        return Sealed(folder.read_bounded).manifest
    except (InvalidModel, OSError):
        return {}


def _sealed(folder: Folder) -> Sealed:
    where = folder.address(MANIFEST)
    try:
        return Sealed(folder.read_bounded, _MOST)
    except (FileNotFoundError, NotADirectoryError) as error:
        if not folder.exists():
            raise FileNotFoundError(f"there is no model at {folder.address()}; check the path") from error
        raise CheckpointInvalid(
            f"{where} is missing: this is no model directory, or an incomplete one."
        ) from error
    except InvalidModel as error:
        raise CheckpointInvalid(f"{where}: {error} {_AGAIN} Check the path.") from error


def _record(files: Sealed) -> ModelRecord:
    told, data = files.text(), files.data(WEIGHTS)
    try:
        arrays = ArrayReader(data)
        path, parts = told["class"], (told["parameters"], told["attributes"])
        if not isinstance(path, str | None) or not all(isinstance(part, dict) for part in parts):
            raise ValueError("class, parameters and attributes are text and two objects")
        parameters, attributes = (decode(part, arrays.fetch) for part in parts)
    except Exception as error:  # forged files with right digests may fail in any way
        raise InvalidModel(f"it is not what this library writes ({error}).") from error
    return ModelRecord(path, parameters, attributes, told, files.manifest)
