"""What splits refuse; where scikit-learn has words for it, they are the first ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from daskml_dist.errors import InvalidData, UnsupportedParameter


def refuse_n_splits(n_splits: Any) -> None:
    """Complain about a number of splits that is none, or below two."""
    if not is_whole(n_splits):
        raise UnsupportedParameter(
            f"The number of folds must be of Integral type. {n_splits!r} of type {type(n_splits)} was passed."
        )
    if n_splits < 2:
        raise UnsupportedParameter(
            "k-fold cross-validation requires at least one train/test split by setting n_splits=2 or more, "
            f"got n_splits={n_splits}."
        )


def is_whole(number: Any) -> bool:
    """Say whether this is an integer, and not a truth value."""
    return isinstance(number, int | np.integer) and not isinstance(number, bool)


def refuse_few_rows(n_splits: int, rows: int) -> None:
    """Complain about fewer rows than splits."""
    if n_splits > rows:
        raise InvalidData(
            f"Cannot have number of splits n_splits={n_splits} greater than the number of samples: "
            f"n_samples={rows}. Ask for fewer splits, or give more rows."
        )
