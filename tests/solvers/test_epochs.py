"""What the steps of an epoch tell together, held to closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from daskml_dist.kernels import Batch, Point
from daskml_dist.optimizers import SGD
from daskml_dist.solvers.chosen_step import Chosen
from daskml_dist.solvers.track import Epoch, Track

R = 64


def epoch(minima: np.ndarray, hessian: np.ndarray, metric: np.ndarray, lie: float = 0.0) -> Epoch:
    """An epoch whose minibatches are bowls (theta - c_r)' H (theta - c_r) / 2, looked at here and there."""
    q = minima.shape[1]
    point = Point(np.zeros((1, q)), np.zeros(1), np.zeros(q), False)
    chosen = Chosen(point, metric[None], 1.0, 1.0, 1.0, 1.0)
    seen = Epoch(Track.started(chosen, SGD(1.0)), point)
    places = 0.3 * np.random.default_rng(2).standard_normal((len(minima), 1, q))
    for place, minimum in zip(places, minima, strict=True):
        gradient = (place - minimum) @ hessian + lie
        seen.add(Batch(np.ones(1), np.ones(1), gradient), gradient, gradient @ np.linalg.inv(metric), 0.0)
        seen.places += place
    return seen


def test_the_minimum_of_all_is_found_from_one_look_at_each() -> None:
    rng = np.random.default_rng(1)
    root = rng.standard_normal((4, 4))
    hessian = root @ root.T + np.eye(4)
    minima = 3.0 * rng.standard_normal((R, 4))
    minima += np.array([0.1, 0.2, -0.1, 0.0]) - minima.mean(axis=0)
    found = epoch(minima, hessian, hessian).turned()
    np.testing.assert_allclose(found, minima.mean(axis=0)[None], atol=1e-12)
    told_wrong = epoch(minima, hessian, hessian, lie=0.1).turned()
    assert told_wrong is not None and np.abs(told_wrong - minima.mean(axis=0)).max() > 1e-3


@pytest.mark.parametrize("away", [0.0, 5.0])
def test_steps_that_have_not_settled_are_not_summed_up(away: float) -> None:
    minima = np.random.default_rng(3).standard_normal((R, 3))
    minima += away - minima.mean(axis=0)
    assert (epoch(minima, np.eye(3), np.eye(3)).turned() is None) == (away > 0.0)


def test_a_diagonal_metric_has_no_say() -> None:
    point = Point(np.zeros((1, 2)), np.zeros(1), np.zeros(2), False)
    for metric in (np.ones((1, 2)), np.empty((1, 0))):
        chosen = Chosen(point, metric, 1.0, 1.0, 1.0, 1.0)
        assert Epoch(Track.started(chosen, SGD(1.0)), point).turned() is None
