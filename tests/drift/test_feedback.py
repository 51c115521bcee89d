"""Feedback: scikit-learn's scores, however the pairs arrive and whoever counts them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import accuracy_score, log_loss, mean_squared_error

from daskml_dist.drift import Feedback
from daskml_dist.errors import InvalidData

CLASSES = ["cat", "dog", "eel"]


def pairs(rows: int = 500) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(20261122)
    return rng.dirichlet(np.ones(3), size=rows), rng.choice(CLASSES, size=rows)


def test_scores_are_scikit_learns() -> None:
    probabilities, labels = pairs()
    feedback = Feedback(CLASSES)
    feedback.add(probabilities, labels, at=7200.5)
    [quality] = feedback.periods()
    best = np.array(CLASSES)[probabilities.argmax(axis=1)]
    assert (quality.start, quality.rows) == (7200.0, 500)
    assert quality.accuracy == pytest.approx(accuracy_score(labels, best))
    assert quality.log_loss == pytest.approx(log_loss(labels, probabilities, labels=CLASSES))
    assert quality.mean_error is quality.squared_error is None
    came, predicted = calibration_curve(labels == best, probabilities.max(axis=1), n_bins=10)
    filled = quality.calibration[:, 0] > 0
    np.testing.assert_allclose(quality.calibration[filled, 1], predicted)
    np.testing.assert_allclose(quality.calibration[filled, 2], came)
    assert np.isnan(quality.calibration[~filled, 1:]).all()


def test_a_regression_has_errors_and_bins_of_predictions() -> None:
    rng = np.random.default_rng(1)
    means = rng.gamma(2.0, size=300)
    labels = rng.poisson(means)
    feedback = Feedback(edges=[1.0, 2.0])
    feedback.add(means, labels, at=0.0)
    [quality] = feedback.periods()
    assert quality.squared_error == pytest.approx(mean_squared_error(labels, means))
    assert quality.mean_error == pytest.approx(np.mean(means - labels))
    assert quality.accuracy is quality.log_loss is None
    middle = (means >= 1) & (means < 2)
    np.testing.assert_allclose(
        quality.calibration[1], [middle.sum(), means[middle].mean(), labels[middle].mean()]
    )


def test_replicas_add_up_and_periods_part() -> None:
    probabilities, labels = pairs()
    at = np.repeat([0.0, 4000.0, 9000.0, 100.0, 4100.0], 100)
    whole, parts = Feedback(CLASSES), [Feedback(CLASSES), Feedback(CLASSES)]
    for i in range(5):
        rows = slice(100 * i, 100 * i + 100)
        for feedback in (whole, parts[i % 2]):
            feedback.add(probabilities[rows], labels[rows], at=at[100 * i])
    parts[0].merge(parts[1].state())
    assert [quality.start for quality in whole.periods()] == [0.0, 3600.0, 7200.0]
    for one, other in zip(whole.periods(), parts[0].periods(), strict=True):
        assert one.rows == other.rows
        assert one.log_loss == pytest.approx(other.log_loss)
        np.testing.assert_allclose(one.calibration, other.calibration)


def test_old_periods_are_forgotten() -> None:
    feedback = Feedback(every=1.0)
    for second in range(1100):
        feedback.add(np.ones(1), [1.0], at=float(second))
    starts = [quality.start for quality in feedback.periods()]
    assert (len(starts), starts[0], starts[-1]) == (1000, 100.0, 1099.0)


def test_certain_and_wrong_is_finite() -> None:
    feedback = Feedback(CLASSES)
    feedback.add(np.array([[0.0, 1.0, 0.0]]), ["cat"], at=0.0)
    assert np.isfinite(feedback.periods()[0].log_loss or np.nan)


def test_sums_never_overflow() -> None:
    feedback = Feedback()
    most = np.full(1000, 1e150)
    feedback.add(most, -most, at=0.0)
    for far in (1e151, -1e151, 1e308):
        for pair in (([far], [0.0]), ([0.0], [far])):
            with pytest.raises(InvalidData, match="beyond 1e\\+150"):
                feedback.add(np.array(pair[0]), pair[1], at=0.0)
    [quality] = feedback.periods()
    assert quality.rows == 1000 and quality.squared_error == pytest.approx(4e300)


def test_numpy_labels_and_booleans_are_classes() -> None:
    feedback = Feedback(np.array([False, True]).tolist())
    feedback.add(np.array([[0.1, 0.9]]), np.array([True]), at=0.0)
    assert feedback.periods()[0].accuracy == 1.0


def test_what_does_not_fit_is_refused_without_its_value() -> None:
    feedback = Feedback(CLASSES)
    with pytest.raises(InvalidData, match="none of the model's classes") as complaint:
        feedback.add(np.ones((1, 3)) / 3, ["canary-7731"], at=0.0)
    assert "canary-7731" not in str(complaint.value)
    for predictions, labels, at, message in [
        (np.ones((1, 2)), ["cat"], 0.0, "3 probabilities"),
        (np.ones((2, 3)), ["cat"], 0.0, "1 labels"),
        (np.full((1, 3), np.nan), ["cat"], 0.0, "finite"),
        (np.ones((1, 3)), ["cat"], np.nan, "finite"),
    ]:
        with pytest.raises(InvalidData, match=message):
            feedback.add(predictions, labels, at=at)
    with pytest.raises(InvalidData, match="regression"):
        Feedback().add(np.ones(1), [np.nan], at=0.0)
    with pytest.raises(InvalidData, match="distinct"):
        Feedback(["a", "a"])
    with pytest.raises(InvalidData, match="every=0"):
        Feedback(every=0)
    with pytest.raises(InvalidData, match="ascend"):
        Feedback(edges=[1.0, 1.0])
    with pytest.raises(InvalidData, match="same edges"):
        feedback.merge(Feedback().state() | {3: np.zeros(5)})
    assert feedback.periods() == []
