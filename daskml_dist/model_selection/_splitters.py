"""scikit-learn's splitters, which also split chunked data where they are."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any, final

from sklearn import model_selection

from daskml_dist.fit import RULES, Ruled
from daskml_dist.model_selection._chunked import is_chunked, split_chunks
from daskml_dist.model_selection._datasets import countable
from daskml_dist.splits import Split


@final
class KFold(Ruled, model_selection.KFold):
    """K consecutive folds, each tested once and trained on otherwise.

    On data in memory this is scikit-learn's, to the bit, and may be its ``cv``. On chunked data the same
    rows are in the same folds, on any chunks, and ``split`` yields ``Rows``.

    With ``shuffle=True`` and chunked data, rows are drawn chunk by chunk: each assignment of rows to
    folds of these sizes is equally likely, as after scikit-learn's permutation of all rows, but other
    rows are drawn than by scikit-learn for the same ``random_state``, and other ones on other chunks.
    The number of workers does not matter.

    Parameters
    ----------
    n_splits : folds, 2 or more.
    shuffle : whether rows are put into folds at random.
    random_state : int, RandomState or None; a seed where ``shuffle``.

    Examples
    --------
    >>> import dask.array as da
    >>> X = da.arange(10, chunks=4)
    >>> for train, test in KFold(n_splits=2).split(X):
    ...     print(train.take(X).compute(), test.take(X).compute())
    [5 6 7 8 9] [0 1 2 3 4]
    [0 1 2 3 4] [5 6 7 8 9]
    """

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[Any, Any]]:
        """Rows to train on and rows to test, split by split.

        Parameters
        ----------
        X : (n, ...) data in memory, or dask array, dataframe or xarray over dask.
        y, groups : ignored, but for their number of rows.

        Yields
        ------
        train, test : index arrays for data in memory, ``Rows`` for chunked data. Chunks of unknown
            lengths are counted.
        """
        if is_chunked(X, y, groups):
            return _chunked(self, X, y, groups)
        return iter(model_selection.KFold.split(self, countable(X), y, groups))

    def rule(self) -> Split:
        return RULES[model_selection.KFold](self)


@final
class StratifiedKFold(Ruled, model_selection.StratifiedKFold):
    """K folds with the same share of each class, each tested once and trained on otherwise.

    On data in memory this is scikit-learn's, to the bit, and may be its ``cv``. On chunked data the same
    rows are in the same folds, on any chunks, and ``split`` yields ``Rows``. At most 1000 classes.
    What ``KFold`` says of ``shuffle`` holds here for the rows of each class.

    Parameters
    ----------
    n_splits : folds, 2 or more.
    shuffle : whether the rows of a class are put into folds at random.
    random_state : int, RandomState or None; a seed where ``shuffle``.
    """

    def split(self, X: Any, y: Any, groups: Any = None) -> Iterator[tuple[Any, Any]]:
        """Rows to train on and rows to test, split by split.

        Parameters
        ----------
        X : (n, ...) data in memory, or dask array, dataframe or xarray over dask.
        y : (n,) classes.
        groups : ignored, but for their number of rows.

        Yields
        ------
        train, test : index arrays for data in memory, ``Rows`` for chunked data, of which y is read once
            here, and again where rows are taken.
        """
        if is_chunked(X, y, groups):
            return _chunked(self, X, y, groups)
        return iter(model_selection.StratifiedKFold.split(self, countable(X), y, groups))

    def rule(self) -> Split:
        return RULES[model_selection.StratifiedKFold](self)


@final
class GroupKFold(Ruled, model_selection.GroupKFold):
    """K folds of whole groups, each tested once and trained on otherwise.

    On data in memory this is scikit-learn's, to the bit, and may be its ``cv``. On chunked data the same
    rows are in the same folds, on any chunks, shuffled or not, and ``split`` yields ``Rows``. Each
    distinct group is held in this process and on each worker, a few times while groups are counted.

    Parameters
    ----------
    n_splits : folds, 2 or more.
    shuffle : whether groups are put into folds at random, as many into each.
    random_state : int, RandomState or None; a seed where ``shuffle``.
    """

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[Any, Any]]:
        """Rows to train on and rows to test, split by split.

        Parameters
        ----------
        X : (n, ...) data in memory, or dask array, dataframe or xarray over dask.
        y : ignored, but for its number of rows.
        groups : (n,) numbers or strings, none of them missing.

        Yields
        ------
        train, test : index arrays for data in memory, ``Rows`` for chunked data, of which the groups are
            read here, and again where rows are taken.
        """
        if is_chunked(X, y, groups):
            return _chunked(self, X, y, groups)
        return iter(model_selection.GroupKFold.split(self, countable(X), y, groups))

    def rule(self) -> Split:
        return RULES[model_selection.GroupKFold](self)


@final
class TimeSeriesSplit(Ruled, model_selection.TimeSeriesSplit):
    """Splits of rows in the order of time: trained on the past, tested on what comes next.

    On data in memory this is scikit-learn's, to the bit, and may be its ``cv``. On chunked data the same
    rows are trained on and tested, on any chunks, and ``split`` yields ``Rows``.

    Parameters
    ----------
    n_splits : splits, 2 or more.
    max_train_size : rows that a split trains on at most, the last ones before its gap.
    test_size : rows of each test set; None is n // (n_splits + 1).
    gap : rows that are left out between a training set and its test set.
    """

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[Any, Any]]:
        """Rows to train on and rows to test, split by split.

        Parameters
        ----------
        X : (n, ...) data in memory, or dask array, dataframe or xarray over dask, in the order of time.
        y, groups : ignored, but for their number of rows.

        Yields
        ------
        train, test : index arrays for data in memory, ``Rows`` for chunked data. Chunks of unknown
            lengths are counted.
        """
        if is_chunked(X, y, groups):
            return _chunked(self, X, y, groups)
        return iter(model_selection.TimeSeriesSplit.split(self, countable(X), y, groups))

    def rule(self) -> Split:
        return RULES[model_selection.TimeSeriesSplit](self)


def _chunked(splitter: Ruled, X: Any, y: Any, groups: Any) -> Iterator[tuple[Any, Any]]:
    """The splits of chunked data, with scikit-learn's warning of groups that nobody looks at."""
    rule = splitter.rule()
    if groups is not None and rule.asks != "groups":
        ignored = f"The groups parameter is ignored by {type(splitter).__name__}"
        warnings.warn(ignored, UserWarning, stacklevel=3)
    yield from split_chunks(rule, [X], y, groups)
