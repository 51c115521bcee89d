"""How many rows are trained on and tested when they are parted once."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from daskml_dist.errors import InvalidData, UnsupportedParameter
from daskml_dist.splits._base import BoolArray, IntArray
from daskml_dist.splits._refusal import is_whole

_DEFAULT = 0.25

#: folds of rows that are trained on, tested, and neither
TESTS: BoolArray = np.array([[False, True, False]])
TRAINS: BoolArray = np.array([[True, False, False]])


def shares(rows: int, test_size: float | None, train_size: float | None) -> IntArray:
    """(3,) rows to train on, to test, and to leave out.

    Parameters
    ----------
    rows : n.
    test_size, train_size : a fraction of the rows, rounded up for the test set and down for the
        training set, or a number of rows; None is what the other one leaves, 0.25 and 0.75 where both
        are None.

    Raises
    ------
    UnsupportedParameter
        A size that is neither a fraction between 0 and 1 nor a positive number of rows.
    InvalidData
        No rows would be left, or more are asked for than there are.
    """
    if test_size is None and train_size is None:
        test_size = _DEFAULT
    n_test = _rows("test_size", test_size, rows, math.ceil)
    n_train = _rows("train_size", train_size, rows, math.floor)
    n_test = rows - n_train if n_test is None and n_train is not None else n_test
    n_train = rows - n_test if n_train is None and n_test is not None else n_train
    assert n_test is not None and n_train is not None
    if n_train + n_test > rows:
        raise InvalidData(
            f"The sum of train_size and test_size = {n_train + n_test}, should be smaller than the number "
            f"of samples {rows}. Reduce test_size and/or train_size."
        )
    if n_train == 0:
        raise InvalidData(
            f"With n_samples={rows}, test_size={test_size} and train_size={train_size}, the resulting train "
            "set will be empty. Adjust any of the aforementioned parameters."
        )
    return np.array([n_train, n_test, rows - n_train - n_test])


def _rows(name: str, size: Any, rows: int, rounded: Any) -> int | None:
    """The rows that a size stands for."""
    if size is None:
        return None
    if is_whole(size) and size > 0:
        if size >= rows:
            raise InvalidData(
                f"{name}={size} should be either positive and smaller than the number of samples {rows} or a "
                "float in the (0, 1) range"
            )
        return int(size)
    if isinstance(size, float | np.floating) and 0.0 < size < 1.0:
        return int(rounded(size * rows))
    raise UnsupportedParameter(
        f"Invalid value for {name}: {size!r}. Expected a fraction between 0 and 1, or a number of rows."
    )
