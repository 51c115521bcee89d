"""The splitters are scikit-learn's on data in memory, and give the same rows on chunked data."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
from dask.base import is_dask_collection
from distributed import Client, LocalCluster
from numpy.testing import assert_array_equal
from sklearn import model_selection
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression as TheirLogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score, cross_validate

from daskml_dist import model_selection as our_model_selection
from daskml_dist.linear_model import LogisticRegression, Ridge
from daskml_dist.model_selection import GroupKFold, KFold, Rows, StratifiedKFold, TimeSeriesSplit
from tests.model_selection.containers import (
    IN_MEMORY,
    LAZY,
    Data,
    N,
    arrays,
    assert_same,
    cut,
    made,
    rows_of,
)

PAIRS: dict[str, tuple[Any, Any]] = {
    "KFold": (KFold(4), model_selection.KFold(4)),
    "StratifiedKFold": (StratifiedKFold(3), model_selection.StratifiedKFold(3)),
    "GroupKFold": (GroupKFold(3), model_selection.GroupKFold(3)),
    "shuffled GroupKFold": (
        GroupKFold(4, shuffle=True, random_state=3),
        model_selection.GroupKFold(4, shuffle=True, random_state=3),
    ),
    "TimeSeriesSplit": (
        TimeSeriesSplit(3, max_train_size=40, test_size=9, gap=2),
        model_selection.TimeSeriesSplit(3, max_train_size=40, test_size=9, gap=2),
    ),
}
every_pair = pytest.mark.parametrize(("ours", "theirs"), PAIRS.values(), ids=PAIRS)
SHUFFLED = {
    "KFold": (KFold(4, shuffle=True, random_state=1), model_selection.KFold(4, shuffle=True, random_state=1)),
    "StratifiedKFold": (
        StratifiedKFold(4, shuffle=True, random_state=1),
        model_selection.StratifiedKFold(4, shuffle=True, random_state=1),
    ),
}


def asked(splitter: Any, data: Data) -> tuple[Any, Any, Any]:
    """What the splitter is given: groups where it looks at them."""
    return data.X, data.y, data.groups if isinstance(splitter, model_selection.GroupKFold) else None


@pytest.mark.thinned(3)
@every_pair
@pytest.mark.parametrize("kind", LAZY)
def test_chunked_rows_are_those_of_scikit_learn(ours: Any, theirs: Any, kind: str) -> None:
    data = made()
    lazy = LAZY[kind](data)
    splits = list(ours.split(*asked(ours, lazy)))
    expected = list(theirs.split(*asked(theirs, data)))
    assert len(splits) == ours.get_n_splits() == len(expected)
    for given, index in zip(splits, expected, strict=True):
        for rows, positions in zip(given, index, strict=True):
            assert isinstance(rows, Rows)
            assert len(rows) == len(positions)
            assert_array_equal(np.asarray(rows), positions)
    check_parts(lazy, splits[1], expected[1])


@pytest.mark.thinned(2)
@pytest.mark.parametrize(
    ("pair", "kind"),
    [
        ("StratifiedKFold", "17 chunks"),
        ("TimeSeriesSplit", "unknown lengths"),
        ("GroupKFold", "dask dataframe"),
        ("KFold", "xarray"),
    ],
)
def test_a_cluster_gives_the_same_rows(pair: str, kind: str, client: Any) -> None:
    ours, theirs = PAIRS[pair]
    data = made()
    lazy = LAZY[kind](data)
    if kind == "17 chunks":
        lazy = Data(*client.persist(list(lazy)))
    check_parts(lazy, next(ours.split(*asked(ours, lazy))), next(theirs.split(*asked(theirs, data))))


def check_parts(lazy: Data, split: tuple[Rows, Rows], expected: tuple[np.ndarray, np.ndarray]) -> None:
    """Training and test rows of each container are in its kind, and those at the expected positions."""
    for rows, positions in zip(split, expected, strict=True):
        parts = [rows.take(values) for values in lazy]
        for values, part, loaded in zip(lazy, parts, dask.compute(*parts), strict=True):
            assert is_dask_collection(part) == is_dask_collection(values)
            assert_same(loaded, rows_of(values, positions))
            if isinstance(part, da.Array):
                assert part.chunks[0] == tuple(n for n in rows.taken if n)


@pytest.mark.parametrize("kind", IN_MEMORY)
@pytest.mark.parametrize("shuffled", [False, True])
def test_in_memory_they_are_scikit_learns(kind: str, shuffled: bool) -> None:
    data = IN_MEMORY[kind](made())
    for ours, theirs in (SHUFFLED if shuffled else PAIRS).values():
        given, expected = (list(s.split(*asked(s, data))) for s in (ours, theirs))
        for (train, test), (their_train, their_test) in zip(given, expected, strict=True):
            assert_array_equal(train, their_train)
            assert_array_equal(test, their_test)
            assert train.dtype == their_train.dtype
        assert repr(ours) == repr(theirs)
        assert repr(pickle.loads(pickle.dumps(ours))) == repr(ours)


@pytest.mark.parametrize(
    ("ours", "theirs"), [PAIRS["StratifiedKFold"], PAIRS["GroupKFold"]], ids=["StratifiedKFold", "GroupKFold"]
)
def test_tools_of_scikit_learn_take_them(ours: Any, theirs: Any) -> None:
    X, y, groups = made(2)
    grouped = groups if isinstance(ours, model_selection.GroupKFold) else None
    model = TheirLogisticRegression()
    scores = [cross_val_score(model, X, y, cv=cv, groups=grouped) for cv in (ours, theirs)]
    assert_array_equal(*scores)
    searches = [GridSearchCV(model, {"C": [0.1, 1.0]}, cv=cv) for cv in (ours, theirs)]
    found = [search.fit(X, y, groups=grouped).cv_results_["mean_test_score"] for search in searches]
    assert_array_equal(*found)


@pytest.mark.parametrize("cv", [KFold(3), StratifiedKFold(3), TimeSeriesSplit(3)], ids=repr)
def test_scikit_learn_scores_our_models_on_dask_arrays(cv: Any) -> None:
    data = made(2)
    lazy = arrays(data, cut(5))
    model = LogisticRegression(verbose=0)
    expected = cross_val_score(model, data.X, data.y, cv=cv)
    assert_array_equal(cross_val_score(model, lazy.X, lazy.y, cv=cv), expected)


@pytest.mark.parametrize(("ours", "theirs"), SHUFFLED.values(), ids=SHUFFLED)
def test_shuffled_folds_are_balanced_and_the_same_for_a_seed(ours: Any, theirs: Any) -> None:
    data = made()
    lazy = arrays(data, cut(5))
    first, again = (list(ours.split(lazy.X, lazy.y)) for _ in range(2))
    tests = [np.asarray(test) for _, test in first]
    for (train, test), (train_again, test_again) in zip(first, again, strict=True):
        assert_array_equal(train, train_again)
        assert_array_equal(test, test_again)
    assert_array_equal(np.sort(np.concatenate(tests)), np.arange(N))
    sizes = [len(test) for _, test in theirs.split(data.X, data.y)]
    assert [len(test) for test in tests] == sizes
    if isinstance(ours, StratifiedKFold):
        labels = [np.unique(data.y[test], return_counts=True)[1] for test in tests]
        assert np.ptp(labels, axis=0).max() <= 1
    other = [
        np.asarray(test) for _, test in type(ours)(4, shuffle=True, random_state=2).split(lazy.X, lazy.y)
    ]
    assert any(len(a) != len(b) or (a != b).any() for a, b in zip(tests, other, strict=True))


def test_a_cluster_draws_the_same_rows_as_threads(cluster: LocalCluster) -> None:
    lazy = arrays(made(), cut(17))
    cv = StratifiedKFold(3, shuffle=True, random_state=5)
    with Client(cluster, set_as_default=True):
        there = [np.asarray(test) for _, test in cv.split(lazy.X, lazy.y)]
    for drawn, (_, test) in zip(there, cv.split(lazy.X, lazy.y), strict=True):
        assert_array_equal(drawn, np.asarray(test))


def test_a_random_state_draws_anew() -> None:
    lazy = arrays(made(), cut(5))
    for random_state in (None, np.random.RandomState(0)):
        cv = KFold(3, shuffle=True, random_state=random_state)
        first, second = (np.asarray(next(iter(cv.split(lazy.X)))[1]) for _ in range(2))
        assert len(first) != len(second) or (first != second).any()


def test_a_model_is_trained_fold_by_fold(backend: str) -> None:
    """What an index does with NumPy, rows do where the data are; nothing but labels is read before."""
    data = made()
    y = data.X @ [1.0, -2.0, 0.5]
    lazy = arrays(data._replace(y=y), cut(7))
    expected = cross_validate(Ridge(verbose=0), data.X, y, cv=KFold(4))["test_score"]
    scores = []
    for train, test in KFold(4).split(lazy.X):
        model = Ridge(verbose=0).fit(train.take(lazy.X), train.take(lazy.y))
        scores.append(model.score(test.take(lazy.X), test.take(lazy.y)))
    np.testing.assert_allclose(scores, expected, rtol=1e-9)


def test_nothing_is_computed_that_is_not_needed() -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("something computed")

    data = made()
    lazy = arrays(data, cut(5))
    with dask.config.set(scheduler=refuse):
        for cv in (KFold(3), TimeSeriesSplit(3), KFold(3, shuffle=True)):
            for train, test in cv.split(lazy.X, lazy.y):
                assert len(train.take(lazy.X)) == len(train)
                assert len(test.take(lazy.y)) == len(test)


def test_features_are_not_read_to_stratify_or_group() -> None:
    def unreadable(block: np.ndarray) -> np.ndarray:
        raise AssertionError("X was read")

    lazy = arrays(made(), cut(5))
    X = lazy.X.map_blocks(unreadable, meta=np.empty((0, 0)))
    for cv in (StratifiedKFold(3), GroupKFold(3)):
        for train, _ in cv.split(*asked(cv, lazy._replace(X=X))):
            np.asarray(train)


def test_any_rows_may_be_split() -> None:
    words = da.from_array(np.array(list("abcdefghij")), chunks=3)
    images = da.ones((10, 4, 4, 2), chunks=(3, 2, 4, 1))
    for data in (words, images):
        (train, test), *_ = KFold(5).split(data)
        assert test.take(data).shape == (2, *data.shape[1:])
        assert train.take(data).compute().shape == (8, *data.shape[1:])


def test_rows_travel_and_positions_are_computed_once() -> None:
    lazy = arrays(made(), cut(5))
    train, _ = next(iter(StratifiedKFold(3).split(lazy.X, lazy.y)))
    copy = pickle.loads(pickle.dumps(train))
    assert_array_equal(copy, train)
    assert train.index is train.index
    assert np.asarray(train, dtype=np.int32).dtype == np.int32


def test_warnings_are_those_of_scikit_learn() -> None:
    data = made()
    rare = np.where(np.arange(N) < 2, "rare", data.y)
    lazy = arrays(data._replace(y=rare), cut(5))
    for cls in ("KFold", "StratifiedKFold", "TimeSeriesSplit"):
        ours, theirs = (getattr(room, cls)(3) for room in (our_model_selection, model_selection))
        told = []
        for cv, given in ((ours, lazy), (theirs, data._replace(y=rare))):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                list(cv.split(*given))
            told.append([(w.category, str(w.message)) for w in caught])
        assert told[0] == told[1]
        assert told[0]


def test_parameters_are_those_of_scikit_learn() -> None:
    for cls in (KFold, StratifiedKFold, GroupKFold, TimeSeriesSplit):
        assert cls().get_n_splits() == 5
        with pytest.raises(ValueError, match="n_splits=2 or more"):
            cls(1)
    with pytest.raises(ValueError, match="random_state has no effect"):
        KFold(3, random_state=0)
    assert repr(clone(TimeSeriesSplit(3, gap=1), safe=False)) == repr(TimeSeriesSplit(3, gap=1))


def test_predictions_of_each_row_by_the_model_that_was_not_trained_on_it() -> None:
    data = made(2)
    lazy = arrays(data, cut(5))
    model = LogisticRegression(verbose=0)
    expected = cross_val_predict(model, data.X, data.y, cv=KFold(3))
    for train, test in KFold(3).split(lazy.X):
        fitted = clone(model).fit(train.take(lazy.X), train.take(lazy.y))
        assert_array_equal(fitted.predict(test.take(lazy.X)).compute(), expected[np.asarray(test)])
