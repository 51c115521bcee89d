"""The choice of a learning rate among candidates: what may be given, and what is told of them."""

from __future__ import annotations

from dataclasses import fields, replace
from numbers import Real
from typing import Any

import numpy as np
from scipy.stats import rankdata

from daskml_dist import fit as spine
from daskml_dist.errors import UnsupportedCombination, UnsupportedParameter
from daskml_dist.linear_model._search import numbers_of
from daskml_dist.optimizers import Optimizer, Schedule
from daskml_dist.splits import GroupKFold, Split
from daskml_dist.types import FloatArray

_RATED = ("constant", "invscaling", "adaptive")  # learning rates that eta0 is the first one of


def is_search(model: Any) -> bool:
    """Whether ``eta0`` has candidates; one number is none, and a text is refused as a number elsewhere."""
    return not isinstance(model.eta0, Real | str | None)


def candidates_of(model: Any) -> tuple[float, ...]:
    """The learning rates to choose from, all above 0."""
    rates = numbers_of(model, "eta0", strict=True)
    name = type(model).__name__
    if model.optimizer is None and model.learning_rate not in _RATED:
        raise UnsupportedCombination(
            f"{name}(eta0={model.eta0!r}, learning_rate={model.learning_rate!r}): that learning rate has no "
            "eta0 to choose. Use learning_rate='constant', 'invscaling' or 'adaptive', an optimizer, or one "
            "eta0."
        )
    for other, default in (("early_stopping", False), ("checkpoint", None)):
        if getattr(model, other) != default:
            raise UnsupportedCombination(
                f"{name}(eta0={model.eta0!r}, {other}={getattr(model, other)!r}): a choice among several "
                f"eta0 holds out folds, and keeps no checkpoints. Leave {other}={default!r}, or fit with "
                f"{other} and the eta0_ that such a choice has found."
            )
    return rates


def rule_of_folds(model: Any, *, labels: bool) -> Split:
    """How rows are split to judge candidates."""
    rule = spine.rule_of(model.eta0_cv, labels=labels)
    if isinstance(rule, GroupKFold):
        raise UnsupportedParameter(
            f"{type(model).__name__}(eta0_cv={model.eta0_cv!r}): fit takes no groups. Use KFold, or (train, "
            "test) positions of rows for each split."
        )
    return rule


def with_rate(optimizer: Optimizer, rate: float) -> Optimizer:
    """The optimizer with a candidate as its learning rate."""
    own = any(field.name == "learning_rate" for field in fields(optimizer))  # type: ignore[arg-type]
    if not own or isinstance(optimizer.learning_rate, Schedule):
        what = "has a schedule" if own else "has no learning rate of its own"
        raise UnsupportedCombination(
            f"optimizer={optimizer!r} {what}, so that several eta0 cannot take the place of one. Give it a "
            "number as learning rate, or one eta0."
        )
    return replace(optimizer, learning_rate=rate)  # type: ignore[type-var]


def results_of(rates: tuple[float, ...], chosen: int, losses: FloatArray) -> dict[str, Any]:
    """The fitted attributes of a search: the chosen rate, and a table as scikit-learn's searches have one."""
    with np.errstate(invalid="ignore"):
        spread = losses.std(axis=1)
    table: dict[str, Any] = {"params": [{"eta0": rate} for rate in rates], "param_eta0": np.array(rates)}
    table |= {f"split{split}_test_score": -own for split, own in enumerate(losses.T)}
    mean = losses.mean(axis=1)
    table |= {"mean_test_score": -mean, "std_test_score": spread}
    table |= {"rank_test_score": rankdata(mean, method="min").astype(np.int32)}
    return {"eta0_": rates[chosen], "cv_results_": table}
