"""The coefficients of a model as a table that stays short: the largest ones, of the first classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from daskml_dist.types import AnyArray

CLASSES, ONE, EACH = 12, 10, 3
"""Classes that are listed, coefficients of a model with one vector of them, and of each class."""


def largest(attributes: dict[str, Any]) -> list[tuple[str, str]]:
    """What the coefficients are of, and the largest of them in absolute value with their features.

    Parameters
    ----------
    attributes : of a fitted model.

    Returns
    -------
    One line for one vector of coefficients; else one for each class or target, and one that says how many
    there are more. Nothing where the model has no coefficients.
    """
    if "coef_" not in attributes:
        return []
    coef = np.atleast_2d(np.asarray(attributes["coef_"]))
    intercept = np.broadcast_to(np.asarray(attributes.get("intercept_", 0.0)), len(coef))
    names = attributes.get("feature_names_in_")
    features = [f"x{i}" for i in range(coef.shape[1])] if names is None else [str(name) for name in names]
    if len(coef) == 1:
        return [("", _line(coef[0], float(intercept[0]), features, ONE))]
    of = [str(label) for label in attributes.get("classes_", range(len(coef)))]
    lines = [
        (of[i], _line(coef[i], float(intercept[i]), features, EACH)) for i in range(min(len(coef), CLASSES))
    ]
    more = len(coef) - len(lines)
    return [*lines, *([("...", f"and {more:,} more, in coef_ of the model")] if more else [])]


def _line(coef: AnyArray, intercept: float, features: Sequence[str], most: int) -> str:
    """The largest coefficients, and the intercept."""
    order = np.argsort(-np.abs(coef), kind="stable")[:most]
    told = ", ".join(f"{features[i]} {coef[i]:+.3g}" for i in order)
    return f"{told}; intercept {intercept:+.3g}"
