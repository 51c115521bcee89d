"""Where scores are undefined, degenerate or extreme: scikit-learn's number and warning, or a better one."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
from sklearn.exceptions import UndefinedMetricWarning

from daskml_dist import metrics
from tests.metrics.containers import cut

ROWS = (4, 0, 1, 5)
Y = np.array([0, 1, 1, 0, 0, 1, 0, 1, 0, 0])
ONES = np.ones(10, dtype=int)
SCORE = np.array([0.1, 0.4, 0.4, 0.4, 0.2, 0.9, 0.2, 0.2, 0.0, 1.0])


def both(name: str, *columns: Any, **options: Any) -> None:
    """The same number and the same warnings, in memory and in chunks."""
    expected, told = _heard(getattr(sklearn.metrics, name), *columns, **options)
    for make in (lambda column: column, cut(ROWS)):
        held = {key: make(part) if key == "sample_weight" else part for key, part in options.items()}
        found, heard = _heard(getattr(metrics, name), *(make(column) for column in columns), **held)
        np.testing.assert_allclose(found, expected, rtol=1e-14)
        assert set(heard) == set(told)


def _heard(metric: Any, *columns: Any, **options: Any) -> tuple[Any, list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = metric(*columns, **options)
    return found, [str(warning.message) for warning in caught]


@pytest.mark.parametrize("y", [ONES, 0 * ONES])
@pytest.mark.parametrize("weight", [None, SCORE + 1.0])
def test_one_class_only(y: np.ndarray, weight: np.ndarray | None) -> None:
    given = {} if weight is None else {"sample_weight": weight}
    for name in ("accuracy_score", "balanced_accuracy_score", "confusion_matrix", "f1_score", "recall_score"):
        both(name, y, y, **given)
        both(name, y, Y, **given)
        both(name, Y, y, **given)
    for name in ("roc_auc_score", "average_precision_score", "brier_score_loss"):
        both(name, y, SCORE, **given)
    both("log_loss", y, SCORE, labels=[0, 1], **given)
    both("d2_log_loss_score", y, SCORE, labels=[0, 1], **given)
    for name in ("roc_curve", "precision_recall_curve"):
        for part in range(3):
            _same_part(name, part, y, SCORE, **given)


def _same_part(name: str, part: int, *columns: Any, **given: Any) -> None:
    (expected, told), (found, heard) = (
        _heard(getattr(room, name), *columns, **given) for room in (sklearn.metrics, metrics)
    )
    np.testing.assert_allclose(found[part], expected[part], rtol=1e-14)
    assert set(heard) == set(told)


@pytest.mark.parametrize("name", ["roc_auc_score", "average_precision_score"])
def test_a_class_without_weight(name: str) -> None:
    for kept in (0, 1):
        both(name, Y, SCORE, sample_weight=(Y == kept) * 2.0)


def test_rows_without_weight_do_not_count() -> None:
    weight = np.array([1.0, 0.0, 2.0, 0.0, 1.0, 3.0, 0.0, 1.0, 1.0, 0.0])
    kept = weight > 0
    for name in (
        "roc_auc_score",
        "average_precision_score",
        "brier_score_loss",
        "log_loss",
        "d2_pinball_score",
    ):
        found = getattr(metrics, name)(Y, SCORE, sample_weight=weight)
        assert found == pytest.approx(
            getattr(metrics, name)(Y[kept], SCORE[kept], sample_weight=weight[kept])
        )
    for mine, yours in zip(
        metrics.roc_curve(Y, SCORE, sample_weight=weight),
        sklearn.metrics.roc_curve(Y, SCORE, sample_weight=weight),
        strict=True,
    ):
        np.testing.assert_allclose(mine, yours)


@pytest.mark.parametrize("name", ["roc_auc_score", "average_precision_score", "roc_curve"])
def test_scores_that_are_all_the_same(name: str) -> None:
    for score in (0 * SCORE, np.where(Y, 0.0, -0.0), SCORE * 0 + 5e-324):
        for part in range(3) if name == "roc_curve" else (None,):
            if part is None:
                both(name, Y, score)
            else:
                _same_part(name, part, Y, score)


def test_scores_of_any_size() -> None:
    extreme = np.array([-1.7e308, -1e-300, -5e-324, -0.0, 0.0, 5e-324, 1e-300, 1.0, 1e300, 1.7e308])
    for name in ("roc_auc_score", "average_precision_score"):
        both(name, Y, extreme)
        both(name, Y, np.arange(10) * 2**53 - 2**55)  # integers
        both(name, Y, SCORE.astype(np.float32))
        both(name, Y, SCORE > 0.3)


def test_probabilities_of_0_and_1() -> None:
    certain = np.where(np.arange(10) % 3, Y, 1 - Y).astype(float)
    for chances in (certain, Y.astype(float), 1 - Y, np.column_stack([1 - certain, certain])):
        both("log_loss", Y, chances)
        both("brier_score_loss", Y, chances)
        both("d2_log_loss_score", Y, chances)
    # a float32 probability is kept within the eps of float32, as in scikit-learn; sums are in float64 here
    found = metrics.log_loss(Y, certain.astype(np.float32))
    assert found == pytest.approx(sklearn.metrics.log_loss(Y, certain.astype(np.float32)), rel=1e-6)
    assert found != pytest.approx(metrics.log_loss(Y, certain), rel=0.1)


def test_probabilities_that_do_not_add_up_are_warned_of() -> None:
    for chances in (np.full((10, 2), 0.4), np.full((10, 2), 0.5 + 2e-8)):
        both("log_loss", Y, chances)
        both("brier_score_loss", Y, chances)
    for make in (np.asarray, cut(ROWS)):
        with pytest.warns(UserWarning, match="do not sum to one"):
            metrics.log_loss(make(Y), make(np.full((10, 2), 0.4)))


@pytest.mark.parametrize("value", [0.0, 3.0, -0.5])
def test_a_constant_target(value: float) -> None:
    y = np.full(10, value)
    for prediction in (y, y + SCORE):
        for name in ("r2_score", "d2_pinball_score", "d2_absolute_error_score"):
            both(name, y, prediction)
        assert np.isnan(metrics.r2_score(y, y, force_finite=False))
        assert metrics.r2_score(y, y + SCORE, force_finite=False) == -np.inf


@pytest.mark.parametrize("weighted", [False, True])
def test_a_constant_that_binary_numbers_only_round(weighted: bool) -> None:
    """The variance of 0.1, summed naively, is not zero; explained shares of rounding mean nothing."""
    y = np.full(10, 0.1)
    weight = SCORE + 0.7 if weighted else None
    assert metrics.r2_score(y, y + SCORE, sample_weight=weight) == 0.0
    assert metrics.r2_score(y, y, sample_weight=weight) == 1.0
    for power in (0, 1, 1.5, 2, 3):
        assert metrics.d2_tweedie_score(y, y + SCORE, sample_weight=weight, power=power) == 0.0
        assert metrics.d2_tweedie_score(y, y, power=0) == 1.0
    assert metrics.d2_tweedie_score(0 * y, SCORE + 1.0, power=1) == 0.0


def test_one_row() -> None:
    for name in ("r2_score", "d2_pinball_score", "d2_absolute_error_score", "d2_tweedie_score"):
        with pytest.warns(UndefinedMetricWarning, match="not well-defined with less than two samples"):
            assert np.isnan(getattr(metrics, name)([1.0], [2.0]))
    with pytest.warns(UndefinedMetricWarning, match="not well-defined"):
        assert np.isnan(metrics.d2_log_loss_score([1], [0.5]))
    assert metrics.mean_squared_error([1.0], [3.0]) == 4.0
    assert metrics.accuracy_score(["a"], ["a"]) == 1.0


def test_errors_that_overflow_are_infinite() -> None:
    assert metrics.mean_squared_error([0.0, 1.0], [1e200, 1.0]) == np.inf
    assert metrics.mean_absolute_error([0.0, 1.0], [1e200, 1.0]) == 5e199


def test_a_sum_of_many_sizes_is_exact() -> None:
    """The large errors cancel in no sum here, and the small ones are not lost beside them."""
    y = np.array([1e16, 1.0, 1.0, 1.0, 1.0, 0.0])
    assert metrics.mean_absolute_error(cut((1, 1, 1, 1, 1, 1))(y), cut((1,) * 6)(0 * y)) == (1e16 + 4.0) / 6.0


def test_classes_that_occur_in_some_chunks_only() -> None:
    y_true = np.array(["a"] * 4 + ["bb", "b"] + ["ccc"] * 4)
    y_pred = np.array(["a"] * 3 + ["zz"] * 3 + ["ccc"] * 3 + ["a"])
    both("confusion_matrix", y_true, y_pred)
    both("f1_score", y_true, y_pred, average=None, zero_division=0.0)
    both("accuracy_score", y_true.astype(object), y_pred)


def test_labels_of_pandas() -> None:
    words = np.where(Y, "yes", "no")
    for dtype in ("category", "string", object, "str"):
        series = pd.Series(words).astype(dtype)
        assert metrics.f1_score(series, series, pos_label="yes") == 1.0
        found = metrics.roc_auc_score(series, pd.Series(SCORE))
        assert found == pytest.approx(sklearn.metrics.roc_auc_score(words, SCORE), rel=1e-14)
    for dtype in ("Int64", "boolean", "Float64", "int8", object):
        series = pd.Series(Y).astype(dtype)
        assert metrics.f1_score(series, Y) == 1.0
        found = metrics.average_precision_score(series, SCORE)
        assert found == pytest.approx(sklearn.metrics.average_precision_score(Y, SCORE), rel=1e-14)
        assert metrics.mean_absolute_error(series, Y) == 0.0


def test_several_classes_of_pandas() -> None:
    words = np.array(["a", "b", "c"])[np.arange(10) % 3]
    chances = np.random.default_rng(2).dirichlet(np.ones(3), 10)
    for dtype in ("category", "string", object, "str"):
        series = pd.Series(words).astype(dtype)
        for name, options in (
            ("roc_auc_score", {"multi_class": "ovr"}),
            ("log_loss", {}),
            ("brier_score_loss", {}),
        ):
            expected = getattr(sklearn.metrics, name)(words, chances, **options)
            assert getattr(metrics, name)(series, chances, **options) == pytest.approx(expected, rel=1e-14)


def test_columns_of_one() -> None:
    """(n, 1) is (n,), without a warning, wherever scikit-learn says so."""
    for make in (np.asarray, cut(ROWS), lambda column: pd.DataFrame(column)):
        y, score, guess = (make(column[:, None]) for column in (Y, SCORE, SCORE > 0.3))
        assert metrics.accuracy_score(y, guess) == sklearn.metrics.accuracy_score(Y, SCORE > 0.3)
        for name in ("roc_auc_score", "log_loss", "mean_squared_error"):
            expected = getattr(sklearn.metrics, name)(Y, SCORE)
            assert getattr(metrics, name)(y, score) == pytest.approx(expected, rel=1e-14)


def test_one_weight_for_all() -> None:
    assert metrics.accuracy_score(Y, ONES, sample_weight=2.0) == sklearn.metrics.accuracy_score(Y, ONES)
    assert metrics.confusion_matrix(Y, ONES, sample_weight=2.0).tolist() == [[0.0, 12.0], [0.0, 8.0]]
