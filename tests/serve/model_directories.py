"""Model directories made by hand, in the format and with nothing of the code that usually writes it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from daskml_dist import drift

SEX = {"name": "sex", "kind": "category", "mean": None, "levels": ["f", "m"], "fill": None}
AGE = {"name": "age", "kind": "number", "mean": 40.0, "levels": [], "fill": None}
WEIGHT = {"name": "weight", "kind": "number", "mean": None, "levels": [], "fill": None}
PEOPLE = [AGE, SEX, WEIGHT]


def numbered(p: int) -> list[dict[str, Any]]:
    """p columns of numbers."""
    return [{"name": f"f{j}", "kind": "number", "mean": None, "levels": [], "fill": None} for j in range(p)]


def write(
    directory: Path,
    columns: list[dict[str, Any]],
    coef: np.ndarray,
    intercept: np.ndarray,
    *,
    link: str = "identity",
    classes: list[Any] | None = None,
    name: str = "toy",
    version: int = 1,
    golden_error: float = 0.0,
    rows: np.ndarray | None = None,
) -> Path:
    """A model with ``coef`` (k, p) and ``intercept`` (k,), and a reference made of ``rows`` or of random
    ones."""
    features = [n for c in columns for n in ([c["name"]] if c["kind"] == "number" else levels(c))]
    told = [c | {"personal": c["name"] == "age", "unit": None, "label": None} for c in columns]
    answer = {
        "task": "regression" if classes is None else "classification",
        "link": link,
        "classes": classes,
        "label_dtype": "<f8" if classes is None else np.array(classes).dtype.str,
        "targets": len(coef) if classes is None else 1,
        "columns": told,
        "features": features,
        "coef": {"tensor": "answer.coef", "dtype": "float64", "scale": None},
        "intercept": {"tensor": "answer.intercept", "dtype": "float64", "scale": None},
    }
    X = np.random.default_rng(0).normal(size=(500, len(features))) if rows is None else rows
    margin = X[:4] @ coef.T + intercept + golden_error
    reference = drift.reference(X, features, scores=scores(X, coef, intercept, link)).to_arrays()
    contents = {
        "model.json": document(answer),
        "weights.safetensors": save({"answer.coef": coef, "answer.intercept": intercept}),
        "reference.safetensors": save(
            {"means": X.mean(axis=0), "golden.X": np.ascontiguousarray(X[:4]), "golden.margin": margin}
            | reference
        ),
    }
    return placed(directory, contents, name, version)


def placed(directory: Path, contents: dict[str, bytes], name: str, version: int) -> Path:
    """The files and their manifest in a new directory."""
    directory.mkdir(parents=True)
    for file, content in contents.items():
        (directory / file).write_bytes(content)
    (directory / "manifest.json").write_bytes(manifest(contents, name, version))
    return directory


def document(answer: dict[str, Any]) -> bytes:
    """model.json, without the estimator itself."""
    body: dict[str, Any] = {
        "format": "daskml_dist.model",
        "format_version": 2,
        "created_at": "2026-01-01T00:00:00+00:00",
    }
    return json.dumps(
        body | {"versions": {}, "class": "a", "parameters": {}, "attributes": {}, "answer": answer}
    ).encode()


def manifest(contents: dict[str, bytes], name: str, version: int) -> bytes:
    """The manifest of files, with its digest."""
    files = {n: {"bytes": len(c), "sha256": hashlib.sha256(c).hexdigest()} for n, c in contents.items()}
    body = {"format": "daskml_dist.model", "format_version": 2, "name": name, "version": version}
    raw = json.dumps(body | {"lineage": {}, "files": files, "sha256": "0" * 64}, indent=1).encode()
    return raw.replace(b"0" * 64, hashlib.sha256(raw).hexdigest().encode(), 1)


def levels(column: dict[str, Any]) -> list[str]:
    """The features of a category."""
    return [f"{column['name']}={level}" for level in column["levels"]]


def regression(directory: Path, p: int = 3, version: int = 1, **settings: Any) -> Path:
    """Margin = version + sum of (j + 1) x_j: an answer tells the version that gave it."""
    coef = np.arange(1.0, p + 1)[None, :]
    return write(directory, numbered(p), coef, np.array([float(version)]), version=version, **settings)


def people(directory: Path, version: int = 1) -> Path:
    """A classification of text labels from two numbers and a category."""
    coef = np.array([[0.1, -0.5, 0.5, -0.02]])
    rows = np.column_stack(
        [np.linspace(20, 80, 500), np.tile([1, 0], 250), np.tile([0, 1], 250), np.full(500, 70.0)]
    )
    intercept = np.array([-2.0])
    return write(
        directory, PEOPLE, coef, intercept, link="logit", classes=["no", "yes"], version=version, rows=rows
    )


def scores(X: np.ndarray, coef: np.ndarray, intercept: np.ndarray, link: str) -> np.ndarray | None:
    """What drift is counted on: the chance of the second class, or the prediction; none of a decision."""
    if link == "decision":
        return None
    margin = (X @ coef.T + intercept)[:, 0]
    return 1.0 / (1.0 + np.exp(-margin)) if link == "logit" else margin
