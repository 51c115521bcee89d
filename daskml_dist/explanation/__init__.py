"""Explanation: what raised and lowered an answer, which features matter, and how answers depend on them.

Names are imported when first used: the words for a row need NumPy and ``edge`` alone, and servers have them
without Dask and scikit-learn.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from daskml_dist.explanation.dependence import Dependence, partial_dependence
    from daskml_dist.explanation.importance import Importance, permutation_importance
    from daskml_dist.explanation.words import Contribution, Explanation, contributions, explain, sentence

_HOMES = {
    "Contribution": "words",
    "Dependence": "dependence",
    "Explanation": "words",
    "Importance": "importance",
    "contributions": "words",
    "explain": "words",
    "partial_dependence": "dependence",
    "permutation_importance": "importance",
    "sentence": "words",
}

__all__ = [
    "Contribution",
    "Dependence",
    "Explanation",
    "Importance",
    "contributions",
    "explain",
    "partial_dependence",
    "permutation_importance",
    "sentence",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'daskml_dist.explanation' has no attribute {name!r}")
    found = getattr(import_module(f"daskml_dist.explanation.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
