"""From what a user calls ``cv`` to the folds of the data that the hands hold."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from sklearn import model_selection
from sklearn.utils import check_random_state

from daskml_dist import splits
from daskml_dist.cluster import Hands
from daskml_dist.errors import InvalidData, UnsupportedCombination, UnsupportedParameter
from daskml_dist.kernels import Question, tally
from daskml_dist.splits import Folds, Split


class Ruled(ABC):
    """Something that a user may pass as ``cv`` and that says by which rule it splits."""

    @abstractmethod
    def rule(self) -> Split:
        """The rule; one that shuffles without an integer ``random_state`` draws a new seed each time."""


def rule_of(cv: Any, *, labels: bool) -> Split:
    """The rule that a ``cv`` parameter stands for.

    Parameters
    ----------
    cv : None (5 folds), a number of folds, a rule, one of ``daskml_dist.model_selection``, or
        scikit-learn's KFold, StratifiedKFold, GroupKFold or TimeSeriesSplit; or (train, test) positions of
        rows for each split.
    labels : whether y holds classes, so that a number of folds means stratified ones.

    Raises
    ------
    UnsupportedParameter
        Anything else, among it splitters whose folds are no rule.
    """
    if cv is None or (isinstance(cv, int | np.integer) and not isinstance(cv, bool)):
        folds = 5 if cv is None else int(cv)
        return splits.StratifiedKFold(folds) if labels else splits.KFold(folds)
    if isinstance(cv, Split):
        return cv
    if isinstance(cv, Ruled):
        return cv.rule()
    if type(cv) in RULES:
        return RULES[type(cv)](cv)
    if isinstance(cv, Iterable) and not isinstance(cv, str):
        return _listed(cv)
    raise UnsupportedParameter(
        f"cv={cv!r} was given; expected a number of folds, or KFold, StratifiedKFold, GroupKFold or "
        "TimeSeriesSplit of daskml_dist.model_selection or of scikit-learn, or (train, test) for each split."
    )


def _listed(cv: Iterable[Any]) -> Split:
    """Positions of rows, or truth values for all rows."""
    given = list(cv)
    pairs = [tuple(map(np.asarray, pair)) for pair in given if isinstance(pair, tuple | list)]
    usual = all(len(pair) == 2 and pair[0].ndim == pair[1].ndim == 1 for pair in pairs)
    if not given or len(pairs) < len(given) or not usual:
        raise UnsupportedParameter(
            "cv lists something else than splits: expected one (train, test) pair of positions of rows for "
            "each split."
        )
    positions = [
        tuple(np.flatnonzero(side) if side.dtype == np.bool_ else side for side in pair) for pair in pairs
    ]
    return splits.Listed(tuple((train, test) for train, test in positions))


def settle_folds(hands: Hands, rule: Split, *, signs: bool = False) -> Folds:
    """The folds of the table that the hands hold, after its rows, labels or groups were counted once.

    X is not read. What the rule has to note is warned of. ``signs``: y holds signs of classes.
    """
    folds = rule.settle(hands.answer(Question(tally(rule.asks, signs=signs))))
    for note in folds.notes:
        warnings.warn(note, UserWarning, stacklevel=2)
    return folds


def refuse_other_groups(rule: Split | None, groups: Any) -> None:
    """Refuse groups that nobody looks at, and a rule that lacks them."""
    asked = rule is not None and rule.asks == "groups"
    if asked and groups is None:
        raise InvalidData(
            f"The 'groups' parameter should not be None: cv is {type(rule).__name__}, which puts all rows of "
            "a group into the same fold. Pass groups=, one value for each row."
        )
    if groups is not None and not asked:
        raise UnsupportedCombination(
            f"groups were given, and cv={rule!r} does not look at them. Use cv=GroupKFold(n_splits), or "
            "leave out groups."
        )


def seed_of(cv: Any) -> int | None:
    """The seed of a splitter of scikit-learn; None where it does not shuffle."""
    return seed(cv.random_state) if cv.shuffle else None


def seed(random_state: Any) -> int:
    """An integer as it is; a new one each time from a RandomState or from None, as in scikit-learn."""
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31))


#: the rule of each splitter of scikit-learn; a subclass may split otherwise
RULES: dict[type, Callable[[Any], Split]] = {
    model_selection.KFold: lambda cv: splits.KFold(cv.n_splits, seed_of(cv)),
    model_selection.StratifiedKFold: lambda cv: splits.StratifiedKFold(cv.n_splits, seed_of(cv)),
    model_selection.GroupKFold: lambda cv: splits.GroupKFold(cv.n_splits, seed_of(cv)),
    model_selection.TimeSeriesSplit: lambda cv: splits.TimeSeriesSplit(
        cv.n_splits, cv.max_train_size, cv.test_size, cv.gap
    ),
}
