"""From a fitted model to the files of a version."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, final

import numpy as np
from safetensors.numpy import save as tensor_bytes

from daskml_dist import edge
from daskml_dist.edge import Column
from daskml_dist.errors import InvalidData, UnsupportedParameter
from daskml_dist.registry.card import card_of, markdown
from daskml_dist.registry.compression import Compressed
from daskml_dist.registry.describing import Described, describe, reference_arrays
from daskml_dist.registry.functions import in_memory
from daskml_dist.registry.sklearn_models import from_sklearn
from daskml_dist.saving import told_of
from daskml_dist.storage import Answer, answer_of, dumps, model_files, sealed_manifest, versions

_HIDDEN = {"verbose", "n_jobs", "scheduler", "checkpoint", "copy_X"}


@final
@dataclass(frozen=True)
class Asked:
    """What ``Registry.register`` was given beside the model; see there."""

    data: Any = None
    target: Any = None
    lineage: Mapping[str, Any] | None = None
    metrics: Mapping[str, Any] | None = None
    columns: Sequence[Column] | None = None
    personal: Sequence[str] = ()
    notes: str = ""
    parent: str | None = None


def composed(
    model: Any, name: str, asked: Asked, by: str
) -> tuple[dict[str, bytes], Callable[[int], dict[str, bytes]]]:
    """The files of a version: those that are the same whatever its number, and those that have it.

    Raises
    ------
    UnsupportedParameter
        The model has no answer for single rows, or something that was given cannot be kept as JSON.
    InvalidData
        Columns, personal ones, or data do not fit the model.
    """
    if isinstance(model, Compressed):
        given = {"compression": model.report} | dict(asked.lineage or {})
        asked = replace(asked, lineage=given, parent=asked.parent or model.parent)
        model = model.answer
    answer, told = _answer(model, asked)
    path, parameters, attributes = told
    fixed = model_files(path, parameters, attributes, answer)
    function = in_memory(fixed)
    found = None
    if asked.data is not None:
        found = describe(asked.data, asked.target, function.features)
        fixed["reference.safetensors"] = tensor_bytes(reference_arrays(function, found))
        function = in_memory(fixed)  # golden rows are compared on the way in, too
    elif asked.target is not None:
        raise UnsupportedParameter("target= was given without data=; give both.")
    lineage = _lineage(model, asked, found, by)

    def numbered(number: int) -> dict[str, bytes]:
        card = card_of(function, name, number, lineage)
        cards = {"card.json": dumps(card, indent=1), "card.md": markdown(card).encode()}
        return cards | {edge.MANIFEST: sealed_manifest({**fixed, **cards}, name, number, lineage)}

    return fixed, numbered


def _answer(model: Any, asked: Asked) -> tuple[Answer, tuple[str | None, dict[str, Any], dict[str, Any]]]:
    """The answer of what was given, and its estimator where that is one of this library."""
    ours = type(model).__module__.partition(".")[0] == "daskml_dist"
    if isinstance(model, Answer):
        answer: Answer | None = model
    else:
        answer = answer_of(model, asked.columns) if ours else from_sklearn(model, asked.columns)
    if answer is None:
        raise UnsupportedParameter(
            f"{type(model).__name__} cannot be registered: it has no answer for single rows. Linear models "
            "have one, unless they were fitted with fit_over (a model for each cell: register one cell at a "
            "time, or keep it with daskml_dist.save) or have labels that are no numbers, bools or text."
        )
    known = {column.name for column in answer.columns}
    if unknown := [name for name in asked.personal if name not in known]:
        raise InvalidData(f"personal= names {unknown!r}, and the model has no such column.")
    marked = tuple(replace(c, personal=c.personal or c.name in asked.personal) for c in answer.columns)
    told = told_of(model) if ours and not isinstance(model, Answer) else (None, {}, {})
    return replace(answer, columns=marked), told


def _lineage(model: Any, asked: Asked, found: Described | None, by: str) -> dict[str, Any]:
    """Data, parameters, metrics, packages, parent, who and when."""
    data = None
    if found is not None:
        data = {"rows": found.rows, "fingerprint": found.fingerprint, "target": found.target}
    own: dict[str, Any] = {
        "registered_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "by": by,
        "estimator": None
        if isinstance(model, Answer)
        else f"{type(model).__module__}.{type(model).__qualname__}",
        "parameters": None if isinstance(model, Answer) else _shown(model),
        "data": data,
        "metrics": _numbers(asked.metrics),
        "parent": asked.parent,
        "notes": asked.notes,
        "versions": versions(),
    }
    given = dict(asked.lineage or {})
    if taken := sorted(own.keys() & given.keys()):
        raise UnsupportedParameter(
            f"lineage= has {', '.join(map(repr, taken))}, which the registry fills in itself."
        )
    lineage = own | given
    try:
        dumps(lineage)
    except (TypeError, ValueError) as error:
        raise UnsupportedParameter(f"lineage= and metrics= are kept as JSON: {error}.") from error
    return lineage


def _shown(model: Any) -> dict[str, Any]:
    """Parameters as JSON: numbers, bools, text and None as they are, others as they print."""
    plain = {name: value for name, value in model.get_params(deep=False).items() if name not in _HIDDEN}
    return {name: _word(value) for name, value in plain.items()}


def _word(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    if value is None or isinstance(value, bool | int | str):
        return value
    return value if isinstance(value, float) and np.isfinite(value) else str(value)[:200]


def _numbers(metrics: Mapping[str, Any] | None) -> dict[str, Any]:
    """Numbers by name, or by name and slice."""
    found: dict[str, Any] = {}
    for name, value in (metrics or {}).items():
        number = None if isinstance(value, Mapping) else float(value)
        finite = number if number is not None and np.isfinite(number) else None
        found[str(name)] = _numbers(value) if isinstance(value, Mapping) else finite
    return found
