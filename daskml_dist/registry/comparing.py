"""Two versions side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from daskml_dist.registry.version import Version


@final
@dataclass(frozen=True)
class Comparison:
    """What differs between two versions; prints as a table.

    Attributes
    ----------
    first, second : "claims/2" and "claims/3".
    rows : (what, of the first, of the second) of all that differs, and of all metrics.
    same_data : whether both were registered with the same fingerprint; None where one has none.
    """

    first: str
    second: str
    rows: tuple[tuple[str, Any, Any], ...]
    same_data: bool | None

    def __str__(self) -> str:
        """A table."""
        cells = [("", self.first, self.second), *((what, _text(a), _text(b)) for what, a, b in self.rows)]
        widths = [max(len(row[i]) for row in cells) for i in range(3)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells
        ]
        said = {True: "Both on the same data.", False: "On other data.", None: "Not both with data."}
        return "\n".join([*(line.rstrip() for line in lines), said[self.same_data]])


def compare(first: Version, second: Version) -> Comparison:
    """Metrics, parameters, data, columns, weights and bytes of two versions."""
    rows: list[tuple[str, Any, Any]] = []
    rows += _both("", _flat(first.metrics), _flat(second.metrics), always=True)
    rows += _both("", _facts(first), _facts(second))
    rows += _both("", first.lineage.get("parameters") or {}, second.lineage.get("parameters") or {})
    rows += _both("", first.lineage.get("versions") or {}, second.lineage.get("versions") or {})
    one, other = first.load(), second.load()
    if one.features == other.features and one.coef.shape == other.coef.shape:
        change = float(np.abs(one.coef - other.coef).max(initial=0.0))
        rows.append(("largest change of a weight", "", change))
    else:
        gone, new = set(one.features) - set(other.features), set(other.features) - set(one.features)
        rows.append(
            ("features", len(one.features), f"{len(other.features)} ({len(gone)} gone, {len(new)} new)")
        )
    prints = [(version.lineage.get("data") or {}).get("fingerprint") for version in (first, second)]
    return Comparison(
        first.spec, second.spec, tuple(rows), None if None in prints else prints[0] == prints[1]
    )


def _facts(version: Version) -> dict[str, Any]:
    data = version.lineage.get("data") or {}
    names = ("registered_at", "by", "estimator", "parent")
    facts = {name: version.lineage.get(name) for name in names}
    return facts | {"rows": data.get("rows"), "bytes": version.bytes}


def _both(
    prefix: str, a: Mapping[str, Any], b: Mapping[str, Any], always: bool = False
) -> list[tuple[str, Any, Any]]:
    names = dict.fromkeys([*a, *b])
    return [
        (prefix + name, a.get(name), b.get(name)) for name in names if always or a.get(name) != b.get(name)
    ]


def _flat(metrics: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in metrics.items():
        inner = value.items() if isinstance(value, Mapping) else [("", value)]
        flat |= {f"{name} {slice_}".strip(): item for slice_, item in inner}
    return flat


def _text(value: Any) -> str:
    return "-" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
