"""A fitted model as HTML, for notebooks: its largest coefficients, how sure it is, and how it came there."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np

from daskml_dist.monitor import gap_picture

_MOST_ROWS, _MOST_COLUMNS = 20, 6


def as_html(model: Any) -> str:
    """What a fitted model has to say for itself; empty where it is not fitted."""
    fitted = vars(model)
    if "coef_" not in fitted or "n_passes_" not in fitted:
        return ""
    if not isinstance(model.coef_, np.ndarray):  # it has names, and shows itself
        return f"<div>{model.coef_._repr_html_()}</div>"
    return f"<div>{_facts(model)}{_history(model)}{_coefficients(model)}</div>"


def _facts(model: Any) -> str:
    """The end of the fit in a sentence."""
    passes = "1 pass" if model.n_passes_ == 1 else f"{model.n_passes_} passes"
    proof = "an estimate" if model.gap_kind_ == "estimate" else f"proven: {model.gap_kind_}"
    return f"<p>{passes} over the data; relative gap to the optimum {model.gap_:.2g} ({escape(proof)}).</p>"


def _history(model: Any) -> str:
    """The gaps of all passes, where there is more than one."""
    rows = vars(model).get("history_") or []
    passes, gaps = [row["passes"] for row in rows], [row["gap"] for row in rows]
    return gap_picture(passes, gaps, float(getattr(model, "tol", None) or 0.0)) if len(rows) > 1 else ""


def _coefficients(model: Any) -> str:
    """The largest coefficients by size, one column for each class or target."""
    coef = np.atleast_2d(np.asarray(model.coef_, dtype=np.float64))
    coef = coef.reshape(-1, coef.shape[-1])
    names = vars(model).get("feature_names_in_", [f"x{j}" for j in range(coef.shape[1])])
    heads = [str(label) for label in _heads(model, len(coef))][:_MOST_COLUMNS]
    largest = np.argsort(-np.abs(coef).max(axis=0), kind="stable")[:_MOST_ROWS]
    lines = [_line(str(names[j]), coef[: len(heads), j]) for j in largest.tolist()]
    intercepts = np.broadcast_to(np.atleast_1d(model.intercept_), len(coef))
    lines.append(_line("intercept", intercepts[: len(heads)]))
    head = "".join(f"<th>{escape(label)}</th>" for label in ["", *heads])
    left_out = coef.shape[1] - len(largest)
    more = f"<p>and {left_out:,} more features with smaller coefficients</p>" if left_out else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>{more}"


def _heads(model: Any, columns: int) -> list[Any]:
    """What the columns are called."""
    if columns == 1:
        return ["coefficient"]
    classes = vars(model).get("classes_")
    return [f"target {t}" for t in range(columns)] if classes is None else list(classes)


def _line(name: str, values: Any) -> str:
    cells = "".join(f"<td>{value:.4g}</td>" for value in values)
    return f"<tr><th style='text-align:left'>{escape(name)}</th>{cells}</tr>"
