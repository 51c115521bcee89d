"""The card of a model: what it is, what it was made from and what it is not for, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from daskml_dist import edge

_SHOWN = 20


def card_of(model: edge.Model, name: str, number: int, lineage: Mapping[str, Any]) -> dict[str, Any]:
    """The card as data; ``markdown`` writes it for people."""
    columns = [
        {
            "name": column.name,
            "kind": column.kind,
            "levels": len(column.levels) or None,
            "unit": column.unit,
            "label": column.label,
            "personal": column.personal,
        }
        for column in model.columns
    ]
    limits = [
        "Answers hold for data like those of the training; see the drift of its columns while it serves."
    ]
    if not lineage.get("metrics"):
        limits.append("No metrics were given when it was registered: nobody has said how good it is.")
    if lineage.get("data") is None:
        limits.append("No data were given when it was registered: no golden rows, means or bins for drift.")
    if model.link == "decision":
        limits.append("It gives labels and no probabilities.")
    return {
        **lineage,
        "model": name,
        "version": number,
        "task": model.task,
        "link": model.link,
        "classes": None if model.classes is None else [str(label) for label in model.classes.tolist()],
        "features": len(model.features),
        "columns": columns,
        "personal": [column.name for column in model.columns if column.personal],
        "limits": limits,
    }


def markdown(card: Mapping[str, Any]) -> str:
    """The card as text."""
    lines = [f"# {card['model']}, version {card['version']}", ""]
    if card.get("notes"):
        lines += [_plain(card["notes"]), ""]
    facts: list[tuple[str, Any]] = [("task", f"{card['task']}, link {card['link']}")]
    if card["classes"]:
        facts.append(("classes", _some(card["classes"])))
    facts += [
        ("estimator", card.get("estimator")),
        ("registered", f"{card['registered_at']} by {card['by']}"),
    ]
    facts += [("comes from", card.get("parent")), ("features", card["features"])]
    facts.append(("personal columns", _some(card["personal"]) or "none are marked"))
    lines += [f"- {key}: {_plain(value)}" for key, value in facts if value is not None]
    data = card.get("data")
    if data is not None:
        lines += [
            "",
            "## Data",
            "",
            f"- rows: {data['rows']:,}",
            f"- fingerprint: {data['fingerprint'][:16]}",
        ]
        lines += [f"- target, {key}: {_value(value)}" for key, value in (data["target"] or {}).items()]
    lines += _table("Metrics", card.get("metrics"), ("metric", "value"))
    lines += _table("Parameters", card.get("parameters"), ("parameter", "value"))
    lines += ["", "## Columns", "", "| column | kind | unit | personal |", "|---|---|---|---|"]
    for column in card["columns"][:_SHOWN]:
        kind = column["kind"] + (f" of {column['levels']} levels" if column["levels"] else "")
        name = column["name"] + (f" ({column['label']})" if column["label"] else "")
        personal = "yes" if column["personal"] else ""
        lines.append(f"| {_plain(name)} | {kind} | {_plain(column['unit'] or '')} | {personal} |")
    if len(card["columns"]) > _SHOWN:
        lines.append(f"\nand {len(card['columns']) - _SHOWN:,} more")
    lines += ["", "## Limits", "", *(f"- {_plain(limit)}" for limit in card["limits"])]
    lines += _table("Made with", card.get("versions"), ("package", "version"))
    return "\n".join([*lines, ""])


def _table(title: str, rows: Mapping[str, Any] | None, head: tuple[str, str]) -> list[str]:
    """A table of names and values; values by slice are rows of their own."""
    if not rows:
        return []
    flat = []
    for name, value in rows.items():
        inner = value.items() if isinstance(value, Mapping) else [("", value)]
        flat += [(f"{name} {slice_}".strip(), item) for slice_, item in inner]
    body = [f"| {_plain(name)} | {_value(value)} |" for name, value in flat]
    return ["", f"## {title}", "", f"| {head[0]} | {head[1]} |", "|---|---|", *body]


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{_plain(key)} {_value(item)}" for key, item in value.items())
    return f"{value:.6g}" if isinstance(value, float) else _plain(value)


def _some(values: list[str]) -> str:
    more = f" and {len(values) - _SHOWN:,} more" if len(values) > _SHOWN else ""
    return ", ".join(values[:_SHOWN]) + more


def _plain(value: Any) -> str:
    """One line without the marks of tables."""
    return " ".join(str(value).split()).replace("|", "\\|")
