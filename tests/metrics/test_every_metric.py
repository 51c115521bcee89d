"""Every metric that the room exports gives scikit-learn's number, wherever the data live.

A new metric adds its questions to CASES. The checks are fed lies at the end.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sklearn.metrics
from distributed import Client
from numpy.testing import assert_allclose

from daskml_dist import metrics
from tests.metrics.cases import CASES, WEIGHT, Case
from tests.metrics.containers import HOLDERS, Holder

Metric = Callable[..., Any]

#: what scikit-learn has no function for; tests/metrics/test_brackets.py is about them
BRACKETS = {"average_precision_bracket", "roc_auc_bracket"}
EXPORTED = [name for name in metrics.__all__ if name[0].islower() and name not in BRACKETS]
every_metric = pytest.mark.parametrize("name", EXPORTED)
every_holder = pytest.mark.parametrize("held", HOLDERS)


def check_equals_scikit_learn(metric: Metric, name: str, holder: Holder) -> None:
    for case in CASES[name]:
        for weighted in {False, case.weighted}:
            check_one(metric, name, holder, case, weighted)


def check_one(metric: Metric, name: str, holder: Holder, case: Case, weighted: bool) -> None:
    weight = WEIGHT if weighted else None
    text = f"{name}{case.options}, weighted: {weighted}"
    assert_same(ours(metric, case, weight, holder), theirs(name, case, weight), text)


def check_the_result_is_plain(metric: Metric, name: str, holder: Holder) -> None:
    """A Python float, or NumPy arrays of the same dtype as scikit-learn's: nothing lazy."""
    for case in CASES[name][:2]:
        found, expected = ours(metric, case, None, holder), theirs(name, case, None)
        if isinstance(expected, tuple):
            for mine, yours in zip(found, expected, strict=True):
                assert type(mine) is type(yours)
                assert np.asarray(mine).dtype == np.asarray(yours).dtype
        elif isinstance(expected, np.ndarray):
            assert isinstance(found, np.ndarray)
            assert found.dtype == expected.dtype
        else:
            assert type(found) is float


def check_bits_do_not_depend_on_the_backend(metric: Metric, name: str, holder: Holder) -> None:
    for case in CASES[name][-1:]:
        weight = WEIGHT if case.weighted else None
        in_threads = ours(metric, case, weight, holder, scheduler="threads")
        assert_same(ours(metric, case, weight, holder), in_threads, name, exactly=True)


def ours(metric: Metric, case: Case, weight: Any, holder: Holder, **more: Any) -> Any:
    held = None if weight is None else holder.weight(weight)
    options = {**case.options, **more} if held is None else {**case.options, **more, "sample_weight": held}
    return metric(holder.target(case.target), holder.prediction(case.prediction), **options)


def theirs(name: str, case: Case, weight: Any) -> Any:
    options = dict(case.options) if weight is None else {**case.options, "sample_weight": weight}
    # scikit-learn adds up what is float32 in float32
    target = case.target.astype(float) if case.target.dtype == np.float32 else case.target
    return getattr(sklearn.metrics, name)(target, case.prediction, **options)


def assert_same(found: Any, expected: Any, text: str, exactly: bool = False) -> None:
    """The same shape, and the same numbers up to the rounding of sums of 180 rows."""
    if isinstance(expected, tuple):
        assert len(found) == len(expected), text
        for mine, yours in zip(found, expected, strict=True):
            assert_same(mine, yours, text, exactly)
    elif expected is None:
        assert found is None, text
    else:
        assert np.shape(found) == np.shape(expected), text
        assert_allclose(
            found, expected, rtol=0.0 if exactly else 1e-13, atol=0.0 if exactly else 1e-15, err_msg=text
        )


@pytest.mark.thinned(3)
@every_holder
@every_metric
def test_every_metric_equals_scikit_learn(name: str, held: str) -> None:
    """Every case in memory; every case in 3 chunks, every other one weighted; elsewhere one case of each."""
    metric, holder = getattr(metrics, name), HOLDERS[held]
    if held == "numpy":
        check_equals_scikit_learn(metric, name, holder)
        return
    if held == "3 chunks":
        for number, case in enumerate(CASES[name]):
            check_one(metric, name, holder, case, case.weighted and number % 2 == 0)
        return
    turn = list(HOLDERS).index(held)
    for weighted in (False, True):
        cases = [case for case in CASES[name] if case.weighted or not weighted]
        check_one(metric, name, holder, cases[(turn + weighted) % len(cases)], weighted)


@every_metric
def test_every_result_is_plain(name: str) -> None:
    check_the_result_is_plain(getattr(metrics, name), name, HOLDERS["3 chunks"])


@pytest.mark.thinned(4)
@every_metric
def test_bits_do_not_depend_on_the_backend(name: str, client: Client) -> None:
    check_bits_do_not_depend_on_the_backend(getattr(metrics, name), name, HOLDERS["17 chunks"])


@pytest.mark.parametrize(
    "holder", ["unknown lengths", "dask frames", "unknown targets of predictions in memory"]
)
def test_a_cluster_gives_scikit_learns_numbers(holder: str, client: Client) -> None:
    for name in ("confusion_matrix", "roc_auc_score", "log_loss", "d2_pinball_score"):
        check_one(getattr(metrics, name), name, HOLDERS[holder], CASES[name][0], weighted=True)


@pytest.mark.parametrize("scheduler", ["threads", "client", "address"])
def test_a_scheduler_is_obeyed_for_data_in_memory(scheduler: str, client: Client) -> None:
    assert client.scheduler is not None
    named: Any = {"threads": "threads", "client": client, "address": client.scheduler.address}[scheduler]
    case = CASES["f1_score"][0]
    found = metrics.f1_score(case.target, case.prediction, scheduler=named)
    assert found == pytest.approx(theirs("f1_score", case, None), rel=1e-14)


def test_every_metric_is_asked() -> None:
    assert set(EXPORTED) == set(CASES)


@every_metric
def test_every_signature_is_scikit_learns(name: str) -> None:
    """The same parameters in the same order with the same defaults, but for deprecated ones; then ours."""
    mine = dict(inspect.signature(getattr(metrics, name)).parameters)
    assert mine.pop("scheduler").default is None
    method = mine.pop("method", None)
    assert method is None or method.default == "exact"
    yours = dict(inspect.signature(getattr(sklearn.metrics, name)).parameters)
    if yours.get("y_pred") is not None and yours["y_pred"].default == "deprecated":
        del yours["y_pred"]
        yours["y_proba"] = yours["y_proba"].replace(default=inspect.Parameter.empty)
    assert list(mine) == list(yours)
    for parameter, theirs_ in yours.items():
        assert (mine[parameter].default, mine[parameter].kind) == (theirs_.default, theirs_.kind), parameter


# ---------------------------------------------------------------------------------- the lies


def _forgets_weights(y_true: Any, y_pred: Any, *, sample_weight: Any = None, **options: Any) -> Any:
    return metrics.mean_squared_error(y_true, y_pred, **options)


def _is_off_by_little(y_true: Any, y_pred: Any, **options: Any) -> Any:
    return metrics.mean_squared_error(y_true, y_pred, **options) * (1.0 + 1e-12)


def _is_lazy(y_true: Any, y_pred: Any, **options: Any) -> Any:
    return np.asarray(metrics.mean_squared_error(y_true, y_pred, **options))


def _forgets_the_first_chunk(y_true: Any, y_pred: Any, *, sample_weight: Any = None, **options: Any) -> Any:
    return metrics.mean_squared_error(y_true[100:], y_pred[100:], **options)


def _depends_on_the_backend(y_true: Any, y_pred: Any, *, scheduler: Any = None, **options: Any) -> Any:
    found = metrics.mean_squared_error(y_true, y_pred, scheduler=scheduler, **options)
    return found if scheduler is None else found * (1.0 + 4e-16)


@pytest.mark.parametrize(
    ("check", "lie"),
    [
        (check_equals_scikit_learn, _forgets_weights),
        (check_equals_scikit_learn, _is_off_by_little),
        (check_equals_scikit_learn, _forgets_the_first_chunk),
        (check_the_result_is_plain, _is_lazy),
        (check_bits_do_not_depend_on_the_backend, _depends_on_the_backend),
    ],
)
def test_a_lie_is_seen(check: Callable[[Metric, str, Holder], None], lie: Metric) -> None:
    with pytest.raises(AssertionError):
        check(lie, "mean_squared_error", HOLDERS["3 chunks"])
