"""A model as a function: a model directory, read and evaluated with NumPy and safetensors alone.

This file imports nothing else of daskml_dist, and works when it is copied to a device by itself. Servers,
batches and tests answer through it too: the same bits by construction.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load as read_tensors

FloatArray = NDArray[np.float64]
AnyArray = NDArray[Any]
FORMAT, VERSION, MANIFEST = "daskml_dist.model", 2, "manifest.json"
DTYPES, BLOCK = ("float64", "float32", "float16", "int8"), 64  # so many int8 weights of a row share a scale
LINKS = {
    "regression": ("identity", "log", "logit", "probit", "cloglog"),
    "classification": ("logit", "softmax", "one_vs_rest", "modified_huber", "decision"),
}
FILES = {"model.json", "weights.safetensors", "reference.safetensors", "card.md", "card.json"}
_MANIFEST_KEYS = set("format format_version sha256 name version lineage files".split())
_MODEL_KEYS = set("format format_version created_at versions class parameters attributes answer".split())
_ANSWER_KEYS = set("task link classes label_dtype targets columns features coef intercept".split())
_MOST_TEXT, _MOST_MANIFEST, _MOST_LISTS = 32 << 20, 4 << 20, 1_000_000
_SPEC = re.compile(r"None/None|[a-z0-9][a-z0-9_.-]{0,63}/[1-9][0-9]{0,8}")
_LABELS = re.compile(r"[<>|]([biuf][1248]|U[0-9]{1,4}|O)")  # not U999999999
_DOT = 8192  # BLAS gives longer products to several threads, and the bits would depend on their number


class InvalidModel(ValueError):
    """A model directory is damaged, forged, or not of this format; or a model has no such answer."""


class InvalidInput(ValueError):
    """What was given is not what the model takes; ``column`` names the column, if it is one."""

    def __init__(self, message: str, column: str | None = None) -> None:
        super().__init__(message)
        self.column = column


def load(directory: str | os.PathLike[str], *, most: int = 2 << 30) -> Model:
    """Read a local model directory with at most so many bytes of weights; nothing in it is executed.

    ``FileNotFoundError``: there is no manifest.json. ``InvalidModel``: it is damaged, forged or a model for
    each cell; or golden rows do not give on this machine what they gave when the model was registered.
    """
    return Model(Sealed(lambda name, size: read_file(directory, name, size), most))


@final
class Sealed:
    """The files of a model directory by ``names``, each compared with what ``manifest`` says of it."""

    def __init__(self, read: Callable[[str, int], bytes], most: int = 2 << 30) -> None:
        self._read, self.most = read, most
        self.raw = read(MANIFEST, _MOST_MANIFEST)
        self.manifest = checked_manifest(self.raw)
        self.names = {_plain(name): name for name in self.manifest["files"]}

    def data(self, plain: str) -> bytes:
        """The bytes of one of ``FILES``; ``InvalidModel`` where they are not those that were written."""
        name = self.names[plain]
        size, digest = (self.manifest["files"][name][key] for key in ("bytes", "sha256"))
        if size > (self.most if name.endswith(".safetensors") else _MOST_TEXT):
            raise InvalidModel(f"{name} is said to have {size:,} bytes, more than is read.")
        try:
            data = self._read(name, size)
        except FileNotFoundError as error:
            raise InvalidModel(f"{name} is missing.") from error
        if len(data) != size or hashlib.sha256(data).hexdigest() != digest:
            raise InvalidModel(f"{name} is damaged: it has other bytes than were written.")
        return data

    def text(self) -> dict[str, Any]:
        """model.json."""
        return keys_of(parsed(self.data("model.json"), "model.json"), _MODEL_KEYS, "model.json")

    def tensors(self, plain: str) -> dict[str, AnyArray]:
        """The arrays of a file; none where there is no such file."""
        data = self.data(plain) if plain in self.names else None
        try:
            return {} if data is None else dict(read_tensors(data))
        except Exception as error:  # safetensors has errors of its own, and NumPy others
            raise InvalidModel(f"{plain} holds no tensors ({error}).") from error


def read_file(directory: str | os.PathLike[str], name: str, most: int) -> bytes:
    """A regular file: neither a link, nor a pipe that never ends."""
    path = os.path.join(directory, name)
    if os.path.islink(path):
        raise InvalidModel(f"{name} is a symbolic link, which no model has.")
    flags = sum(getattr(os, flag, 0) for flag in ("O_RDONLY", "O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))
    with os.fdopen(os.open(path, flags), "rb") as file:
        facts = os.fstat(file.fileno())
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > most:
            raise InvalidModel(f"{name} is damaged: it has more bytes than {most:,}, or is no file.")
        return file.read(most + 1)  # it may have grown meanwhile


def parsed(raw: bytes, name: str) -> Any:
    """Strict JSON: no NaN, no key twice, no nesting without end."""
    if raw.count(b"[") + raw.count(b"{") > _MOST_LISTS:  # an empty one takes 20 times its text
        raise InvalidModel(f"{name} is damaged or foreign: it has too many lists.")

    def refuse(what: str) -> Any:
        raise ValueError(f"{what} is not JSON")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        return found if len(found) == len(pairs) else refuse("a key twice")

    try:
        return json.loads(raw.decode("utf-8"), parse_constant=refuse, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise InvalidModel(f"{name} is damaged or foreign: it is no JSON ({error}).") from error


def checked_manifest(raw: bytes) -> dict[str, Any]:
    """The manifest, if its digest is right and it names only files that a model has."""
    told = parsed(raw, MANIFEST)
    spec = f"{told.get('name')}/{told.get('version')}" if isinstance(told, dict) else ""
    if not _SPEC.fullmatch(spec) or told.get("format") != FORMAT:  # names go into headers and paths
        raise InvalidModel(f"{MANIFEST} is not the manifest of a model of daskml_dist.")
    if told.get("sha256") != digest_of(raw, str(told.get("sha256"))):
        raise InvalidModel(f"{MANIFEST} is damaged or was edited: its SHA-256 does not match.")
    if told.get("format_version") != VERSION:
        raise InvalidModel(f"{MANIFEST} is not of format version {VERSION}. Upgrade daskml_dist.")
    files = keys_of(told, _MANIFEST_KEYS, MANIFEST)["files"]
    plain = {_plain(file) for file in files} if isinstance(files, dict) else set()
    if not {"model.json", "weights.safetensors"} <= plain or len(plain) != len(files):
        raise InvalidModel(f"{MANIFEST} does not name one model.json and one weights.safetensors.")
    for file, facts in files.items():
        if _plain(file) not in FILES:  # never a path that leads out of the directory
            raise InvalidModel(f"{MANIFEST} names the file {file[:80]!r}, which no model has.")
        size = keys_of(facts, {"bytes", "sha256"}, file)["bytes"]
        if type(size) is not int or size < 0:
            raise InvalidModel(f"{MANIFEST}: {file} has no size.")
    return dict(told)


def digest_of(raw: bytes, digest: str) -> str:
    """SHA-256 of a manifest, its own digest set to 0; nothing where that is no digest."""
    blank = raw.replace(digest.encode(), b"0" * 64, 1)
    return hashlib.sha256(blank).hexdigest() if re.fullmatch(r"[0-9a-f]{64}", digest) else ""


def keys_of(told: Any, keys: set[str], where: str) -> dict[str, Any]:
    """An object, if it has these keys and no others."""
    if not isinstance(told, dict) or set(told) != keys:
        raise InvalidModel(f"{where} has other keys than {', '.join(sorted(keys))}.")
    return told


def _plain(name: str) -> str:
    return re.sub(r"-[0-9a-f]{16}(?=\.)", "", name)  # what replaces a file has another name


@final
@dataclass(frozen=True)
class Column:
    """A column of the data: one feature (a number), or one for each level (a category).

    Missing numbers become ``mean``, missing texts ``fill``; None refuses them. Texts that are none of the
    ``levels`` become zeros. Values of a ``personal`` column are never to be logged.
    """

    name: str
    kind: Literal["number", "category"] = "number"
    mean: float | None = None
    levels: tuple[str, ...] = ()
    fill: str | None = None
    personal: bool = False
    unit: str | None = None
    label: str | None = None

    @property
    def outputs(self) -> list[str]:
        """The names of the features."""
        return [self.name] if self.kind == "number" else [f"{self.name}={level}" for level in self.levels]

    def encoded(self, given: Any) -> FloatArray:
        """(n, 1) numbers, or (n, levels) zeros and ones; no complaint has a value in it."""
        if self.kind == "category":
            return self._one_hot(np.asarray(given, dtype=object).reshape(-1))
        try:
            values = np.asarray(given)
            if values.dtype == object and values.ndim == 1:
                values = np.array([math.nan if value is None else value for value in values.tolist()])
            numbers = values.astype(np.float64) if values.dtype.kind in "biuf" or not values.size else None
        except (TypeError, ValueError, OverflowError):  # ragged lists, whole numbers without end
            numbers = None
        if numbers is None or numbers.ndim != 1:
            raise InvalidInput(f"column {self.name!r} takes numbers, one a row.", self.name)
        if self.mean is not None:
            numbers = np.where(np.isnan(numbers), self.mean, numbers)
        if not np.isfinite(numbers).all():
            raise InvalidInput(f"column {self.name!r} has values that are missing or infinite.", self.name)
        return numbers[:, None]

    def __post_init__(self) -> None:
        texts = (self.name, *self.levels, self.fill or "", self.unit or "", self.label or "")
        known = self.kind in ("number", "category") and type(self.personal) is bool
        if not (known and set(map(type, texts)) == {str} and math.isfinite(self.mean or 0.0)):
            raise InvalidModel(f"column {str(self.name)[:80]!r} is not told as columns are.")

    def _one_hot(self, values: AnyArray) -> FloatArray:
        place = {level: at for at, level in enumerate(self.levels)}
        block = np.zeros((len(values), len(place)))
        for row, value in enumerate(values.tolist()):
            gap = value is None or (isinstance(value, float) and math.isnan(value))
            text = self.fill if gap else value
            if not isinstance(text, str):
                what = "has missing values, which this model refuses" if gap else "takes text, one a row"
                raise InvalidInput(f"column {self.name!r} {what}.", self.name)
            if (at := place.get(text)) is not None:
                block[row, at] = 1.0
        return block


@final
class Model:
    """Answers for rows of features; what ``load`` returns.

    Attributes
    ----------
    name, version : of a registered model, else None. task, link : a pair of ``LINKS``.
    classes : (c,) labels, or None. targets : how many outputs a regression has.
    columns, features : what is asked for, and the names of what it becomes.
    outputs : dtypes of the answers by name. coef, intercept : (k, p), (k,). means : (p,) of X, or None.
    reference, manifest : the arrays of reference.safetensors, and manifest.json.
    """

    def __init__(self, files: Sealed) -> None:
        self.means: FloatArray | None = None
        self.name, self.version = files.manifest["name"], files.manifest["version"]
        self.manifest, self.reference = files.manifest, files.tensors("reference.safetensors")
        answer = files.text()["answer"]
        if answer is None:
            raise InvalidModel("this model has no answer for single rows; load it with daskml_dist.load.")
        try:
            tensors = files.tensors("weights.safetensors")
            self._read(keys_of(answer, _ANSWER_KEYS, "answer"), tensors, files.most)
            self._compare(self.reference)
        except (TypeError, ValueError, LookupError, AttributeError, OverflowError) as error:
            raise InvalidModel(f"the model has no valid answer: {error}") from error

    def _read(self, answer: Mapping[str, Any], tensors: Mapping[str, AnyArray], most: int) -> None:
        self.task, self.link, self.targets = answer["task"], answer["link"], answer["targets"]
        if self.link not in LINKS[self.task]:
            raise InvalidModel(f"a {self.task} with the link {str(self.link)[:40]} is not known here.")
        self.columns = tuple(Column(**told | {"levels": tuple(told["levels"])}) for told in answer["columns"])
        self._by_name = {column.name: column for column in self.columns}
        self.features = [name for column in self.columns for name in column.outputs]
        if self.features != answer["features"] or len(self._by_name) != len(self.columns):
            raise InvalidModel("the features are not those of the columns, or a column is there twice.")
        self.coef = _decoded(answer["coef"], tensors, len(self.features), most)
        self.intercept = _decoded(answer["intercept"], tensors, 1, most)[:, 0]
        classes, label = answer["classes"], answer["label_dtype"]
        if not _LABELS.fullmatch(label) or np.dtype(label).itemsize * len(classes or "") > most:
            raise InvalidModel("labels are of no known dtype, or too long.")
        self.classes = None if classes is None else np.array(classes, label).reshape(len(classes))
        self.outputs = {"prediction": np.dtype(label)}
        if classes is not None and self.link != "decision":
            self.outputs["probability"] = np.dtype(np.float64)
        k, wanted = len(self.coef), self.targets if classes is None else len(classes)
        wanted = 1 if classes is not None and wanted == 2 and self.link != "softmax" else wanted
        if k != wanted or len(self.intercept) != k or (classes is None) != (self.task == "regression"):
            raise InvalidModel(f"{k} coefficients and {len(self.intercept)} intercepts for {wanted} margins.")

    def _compare(self, reference: Mapping[str, AnyArray]) -> None:
        """Take the means; golden rows must give what they gave when the model was registered."""
        if "means" in reference:
            self.means = reference["means"].astype(np.float64).reshape(len(self.features))
        if "golden.X" in reference:
            X = reference["golden.X"].astype(np.float64)
            scale = np.abs(X) @ np.abs(self.coef).T + np.abs(self.intercept)
            if not np.all(np.abs(self.margin(X) - reference["golden.margin"]) <= 1e-9 * scale):
                raise InvalidModel("golden rows do not give what they gave when the model was registered.")

    def encode(self, columns: Mapping[str, Any]) -> FloatArray:
        """(n, p) features from the n values of each column: numbers or text, None or NaN where missing.

        ``InvalidInput`` where a column is missing, not known, of another length or kind, infinite, or has
        missing values which are refused. The message names the column, and never a value.
        """
        for name in sorted(columns.keys() ^ self._by_name.keys(), key=str):
            what = "missing" if name in self._by_name else "not known to this model"
            raise InvalidInput(f"column {str(name)[:80]!r} is {what}.", str(name)[:80])
        blocks = [column.encoded(columns[column.name]) for column in self.columns]
        for column, block in zip(self.columns, blocks, strict=True):
            if len(block) != len(blocks[0]):
                raise InvalidInput(f"column {column.name!r} has more or less rows.", column.name)
        return np.hstack(blocks)

    def margin(self, X: Any) -> FloatArray:
        """(n, k) margins of finite features X (n, p); the bits of a row do not depend on other rows."""
        return self.margins(self._matrix(X))

    def margins(self, X: FloatArray) -> FloatArray:
        """What ``margin`` gives, of finite float64 (n, p) in C order, which nobody checks."""
        z: FloatArray = np.vecdot(X[:, None, :_DOT], self.coef[:, :_DOT]) + self.intercept
        for start in range(_DOT, X.shape[1], _DOT):
            z += np.vecdot(X[:, None, start : start + _DOT], self.coef[:, start : start + _DOT])
        return z

    def predict(self, X: Any) -> AnyArray:
        """(n,) labels or expectations; (n, targets) of several targets."""
        return self.predicted(self.margin(X))

    def predict_proba(self, X: Any) -> FloatArray:
        """(n, classes) probabilities; ``InvalidInput`` where the link has none."""
        return self.probabilities(self.margin(X))

    def predicted(self, z: FloatArray) -> AnyArray:
        """What ``predict`` makes of margins (n, k)."""
        if self.classes is not None:
            best = z.argmax(axis=1) if z.shape[1] > 1 else (z[:, 0] > 0.0).astype(np.intp)
            return np.asarray(self.classes[best])
        return _INVERSE[self.link](z[:, 0] if self.targets == 1 else z)

    def probabilities(self, z: FloatArray) -> FloatArray:
        """What ``predict_proba`` makes of margins (n, k)."""
        if "probability" not in self.outputs:
            raise InvalidInput(f"a {self.task} with the link {self.link!r} has none; use predict.")
        if z.shape[1] == 1:  # of two classes, the second one's margin against zero
            z = np.concatenate((-z, z), axis=1)
        chance = _INVERSE[self.link](z)
        if len(self.coef) == 1:
            return chance
        total = chance.sum(axis=1, keepdims=True)
        return np.where(total > 0.0, chance / np.where(total > 0.0, total, 1.0), 1.0 / z.shape[1])

    def watched(self, z: FloatArray) -> FloatArray | None:
        """The scores whose drift is watched: means, or the chance of the second of two classes or of each."""
        if self.classes is None:
            return self.predicted(z)
        chance = self.probabilities(z) if "probability" in self.outputs else None
        return chance if chance is None or len(self.classes) > 2 else chance[:, -1]

    def contributions(self, X: Any) -> FloatArray:
        """(n, k, p) of X (n, p): w (x - mean), which add up to the margin less that of the means."""
        if self.means is None:
            raise InvalidModel("the model knows no means of its features; register it with data=.")
        return np.asarray((self._matrix(X) - self.means)[:, None, :] * self.coef)

    def _matrix(self, X: Any) -> FloatArray:
        try:
            x = np.array(X, dtype=np.float64, order="C", copy=None)
        except (TypeError, ValueError, OverflowError):
            raise InvalidInput("X is no matrix of numbers.") from None
        if x.ndim != 2 or x.shape[1] != len(self.features):
            raise InvalidInput(f"X has the shape {x.shape}; expected (n, {len(self.features)}).")
        if not np.isfinite(x).all():
            name = self.features[int(np.isfinite(x).all(axis=0).argmin())]
            raise InvalidInput(f"feature {name!r} has values that are missing or infinite.", name)
        return x


def _decoded(told: Any, tensors: Mapping[str, AnyArray], width: int, most: int) -> FloatArray:
    """(k, width) float64; int8 times the scale of its block."""
    keys_of(told, {"tensor", "dtype", "scale"}, "answer: coefficients")
    stored, dtype = tensors[told["tensor"]], told["dtype"]
    if stored.dtype != dtype or dtype not in DTYPES or 8 * stored.size > most:
        raise InvalidModel("coefficients are of another dtype, or too many.")
    found = stored.reshape(-1, width).astype(np.float64)
    if dtype == "int8":
        scale = tensors[told["scale"]].astype(np.float64).reshape(len(found), -(-width // BLOCK))
        found *= np.repeat(scale, BLOCK, axis=1)[:, :width]
    if not np.isfinite(found).all():
        raise InvalidModel("coefficients are not finite.")
    return found


def _expit(z: FloatArray) -> FloatArray:
    return np.asarray(1.0 / (1.0 + np.exp(np.minimum(-z, 709.0))))


_erfc: Any = np.frompyfunc(math.erfc, 1, 1)
_INVERSE: dict[str, Callable[[FloatArray], FloatArray]] = {  # chances of several classes up to their sum
    "identity": lambda z: z,
    "log": lambda z: np.exp(np.minimum(z, 709.78)),  # no infinity, which JSON has no word for
    "logit": _expit,
    "probit": lambda z: np.asarray(0.5 * _erfc(-z / math.sqrt(2.0)), dtype=np.float64),
    "cloglog": lambda z: -np.expm1(-np.exp(np.minimum(z, 9.0))),
    "one_vs_rest": _expit,
    "modified_huber": lambda z: np.clip(0.5 + 0.5 * z, 0.0, 1.0),
    "softmax": lambda z: np.asarray(np.exp(z - z.max(axis=1, keepdims=True))),
}
