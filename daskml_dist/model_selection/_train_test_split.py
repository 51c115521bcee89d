"""Training and test parts of arrays, chunked or in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import model_selection

from daskml_dist.errors import InvalidData, UnsupportedParameter
from daskml_dist.fit import seed
from daskml_dist.model_selection._chunked import is_chunked, split_chunks
from daskml_dist.model_selection._datasets import countable, taken
from daskml_dist.splits import Holdout, Split, StratifiedHoldout


def train_test_split(
    *arrays: Any,
    test_size: float | None = None,
    train_size: float | None = None,
    random_state: Any = None,
    shuffle: bool = True,
    stratify: Any = None,
) -> list[Any]:
    """Part arrays into rows to train on and rows to test.

    Data in memory are parted by scikit-learn. Chunked data are parted where they are: rows stay in their
    order and in their chunks, and are drawn within each of them. As in scikit-learn, each set of
    ``test_size`` rows is equally likely, but other rows are drawn for the same ``random_state``, and
    other ones on other chunks. The number of workers does not matter.

    Parameters
    ----------
    *arrays : (n, ...) numpy, pandas, dask arrays, dataframes or series, xarray (of a Dataset, the
        variables are columns and lie on the dim of the rows), together as they like.
        Dask collections must have the same rows in the same chunks where these have unknown lengths.
    test_size, train_size : a fraction of the rows (the test part is rounded up, the training part down)
        or a number of rows; None is what the other one leaves, 0.25 and 0.75 where both are None.
    random_state : int, RandomState or None, which draws other rows each time.
    shuffle : False tests the last rows.
    stratify : (n,) labels, of each of which both parts get their share: as many as in scikit-learn.

    Returns
    -------
    list of the training and test part of each array, in turn and in its kind. What is lazy stays lazy,
    with known chunk lengths; index, divisions, names, dims and coords are kept.

    Raises
    ------
    InvalidData
        Lengths that differ, too few rows or members of a class, missing labels.
    ChunkMismatch
        Chunks of unknown lengths that are not alike: at once where it is known, else when they are
        computed.
    UnsupportedParameter
        Sizes that are neither fractions nor numbers of rows; labels to stratify by without shuffling.

    Notes
    -----
    Rows of chunks whose lengths are unknown are counted, and labels are counted, before this returns.
    Where one array is in memory, or has coords along its rows, the positions of the rows are too.

    Examples
    --------
    >>> import dask.array as da
    >>> X = da.ones((1000, 3), chunks=(100, 3))
    >>> X_train, X_test = train_test_split(X, test_size=0.2, random_state=0)
    >>> X_train.shape, X_test.shape
    ((800, 3), (200, 3))
    """
    if not is_chunked(*arrays, stratify):
        parts: list[Any] = model_selection.train_test_split(
            *map(countable, arrays),
            test_size=test_size,
            train_size=train_size,
            random_state=random_state,
            shuffle=shuffle,
            stratify=stratify,
        )
        return [taken(arrays[i // 2], part) for i, part in enumerate(parts)]
    if not arrays:
        raise InvalidData("At least one array required as input")
    rule = _rule(test_size, train_size, random_state, shuffle, stratify is not None)
    [(train, test)] = split_chunks(rule, arrays, stratify, None)
    return [rows.take(array) for array in arrays for rows in (train, test)]


def _rule(
    test_size: float | None, train_size: float | None, random_state: Any, shuffle: bool, stratified: bool
) -> Split:
    """How to part the rows."""
    if not isinstance(shuffle, bool | np.bool_):
        raise UnsupportedParameter(f"shuffle={shuffle!r} was given; expected True or False.")
    if not shuffle:
        if stratified:
            raise UnsupportedParameter(
                "Stratified train/test split is not implemented for shuffle=False. Use shuffle=True, or "
                "stratify=None."
            )
        return Holdout(test_size, train_size)
    if stratified:
        return StratifiedHoldout(test_size, train_size, seed(random_state))
    return Holdout(test_size, train_size, seed(random_state))
