"""What models that are trained by servers of parameters are told, and what they tell."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from daskml_dist.errors import UnsupportedCombination, UnsupportedParameter
from daskml_dist.linear_model._base import refuse_other_types, refuse_outside
from daskml_dist.linear_model._rates import is_search
from daskml_dist.solvers import SERVED, STALENESS

_CONSISTENCIES = {"bulk_synchronous": 0.0, "stale_synchronous": 3.0, "asynchronous": np.inf}
_COUNTED = ("pushes", "duplicates", "largest_staleness", "released", "restored", "went_back", "nbytes")


def staleness_of(model: Any) -> float:
    """How many steps nodes may part; refuses what does not go together."""
    name, given = type(model).__name__, model.staleness
    if model.consistency not in _CONSISTENCIES:
        raise UnsupportedParameter(
            f"{name}(consistency={model.consistency!r}): expected one of "
            f"{', '.join(map(repr, _CONSISTENCIES))}."
        )
    refuse_other_types(model, dict.fromkeys(("staleness", "servers"), int | np.integer), "a whole number")
    refuse_outside(model, "servers", 1)
    if model.strategy != "parameter_server":
        if model.consistency != "stale_synchronous" or given is not None or model.servers != 1:
            raise UnsupportedCombination(
                f"{name}(strategy={model.strategy!r}) has no servers of parameters. Leave consistency, "
                "staleness and servers at their defaults, or use strategy='parameter_server'."
            )
        return 0.0
    if is_search(model):
        raise UnsupportedCombination(
            f"{name}(strategy='parameter_server') takes one eta0; given were several. Choose among them with "
            "strategy='synchronous' first: eta0_ is the best."
        )
    if given is None:
        return _CONSISTENCIES[model.consistency]
    refuse_outside(model, "staleness", 0)
    if model.consistency != "stale_synchronous":
        raise UnsupportedCombination(
            f"{name}(consistency={model.consistency!r}, staleness={given!r}): only 'stale_synchronous' has a "
            "staleness. Leave staleness=None, or use that."
        )
    return float(given)


def served_counts(numbers: Mapping[str, float]) -> dict[str, Any]:
    """What servers have counted, by name; pulls by their staleness."""
    own = {name.removeprefix(SERVED): int(n) for name, n in numbers.items() if name.startswith(SERVED)}
    pulls = {int(name.removeprefix(STALENESS)): n for name, n in own.items() if name.startswith(STALENESS)}
    return {name: own.get(name, 0) for name in _COUNTED} | {"staleness": dict(sorted(pulls.items()))}


def warn_of_loss(counts: Mapping[str, Any]) -> None:
    """Say so where nodes and servers were lost together."""
    if counts["went_back"]:
        warnings.warn(
            f"Nodes and servers of parameters were lost together {counts['went_back']} time(s), so that "
            "training went back to the checkpoint of the epoch, and made its steps again: nothing is lost.",
            UserWarning,
            stacklevel=6,
        )
