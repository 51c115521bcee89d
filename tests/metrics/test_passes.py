"""What a metric costs: how often predictions are computed, and how many tasks are asked."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import dask.array as da
import numpy as np
import pytest
from distributed import Client

from daskml_dist import metrics
from daskml_dist.cluster import in_process
from daskml_dist.metrics import _ranking
from daskml_dist.metrics._base import Scored
from tests.metrics.cases import AMOUNTS, BINARY, CHANCE, GUESS, MEANS, SCORE
from tests.metrics.containers import SEVENTEEN, cut

#: metric, targets, predictions, and passes over the predictions that it is allowed
PASSES: list[tuple[str, np.ndarray, np.ndarray, int]] = [
    ("f1_score", BINARY, GUESS, 1),
    ("log_loss", BINARY, CHANCE, 1),
    ("brier_score_loss", BINARY, CHANCE, 1),
    ("roc_auc_score", BINARY, SCORE, 1),
    ("roc_auc_bracket", BINARY, SCORE, 1),
    ("average_precision_score", BINARY, SCORE, 1),
    ("roc_curve", BINARY, SCORE, 1),
    ("mean_squared_error", AMOUNTS, MEANS, 1),
    ("r2_score", AMOUNTS, MEANS, 1),
    ("d2_pinball_score", AMOUNTS, MEANS, 1),
    ("d2_tweedie_score", AMOUNTS, MEANS, 1),
]


class Counted:
    """Predictions that are computed lazily, and a count of how often each chunk was."""

    def __init__(self, values: np.ndarray) -> None:
        self.times: Counter[int] = Counter()
        self._lock = threading.Lock()
        self.lazy = cut(SEVENTEEN)(values).map_blocks(self._block, dtype=values.dtype, meta=values[:0])

    def _block(self, block: np.ndarray, block_id: tuple[int, ...] | None = None) -> np.ndarray:
        if block_id is not None:
            with self._lock:
                self.times[block_id[0]] += 1
        return block

    def __deepcopy__(self, memo: Any) -> Counted:
        return self


@pytest.mark.parametrize(("name", "y", "prediction", "passes"), PASSES, ids=[row[0] for row in PASSES])
def test_predictions_that_do_not_fit_are_computed_once_a_pass(
    name: str, y: np.ndarray, prediction: np.ndarray, passes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_process, "process_limit", lambda: 1)
    counted = Counted(prediction)
    found = getattr(metrics, name)(cut(SEVENTEEN)(y), counted.lazy)
    expected = getattr(metrics, name)(y, prediction)
    for mine, yours in zip(np.atleast_1d(found), np.atleast_1d(expected), strict=True):
        np.testing.assert_allclose(mine, yours, rtol=1e-14)
    assert set(counted.times.values()) == {passes}
    assert len(counted.times) == len(SEVENTEEN)


def test_predictions_that_fit_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ranking, "BINS", 16)
    counted = Counted(SCORE)
    metrics.roc_auc_score(cut(SEVENTEEN)(BINARY), counted.lazy)
    assert set(counted.times.values()) == {1}


def test_windows_give_the_same_bits_on_a_cluster(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ranking, "BINS", 16)
    y, score = cut(SEVENTEEN)(BINARY), cut(SEVENTEEN)(SCORE)
    for name in ("roc_auc_score", "average_precision_score", "roc_auc_bracket"):
        metric = getattr(metrics, name)
        assert metric(y, score) == metric(y, score, scheduler="threads")


def test_a_pass_is_a_few_tasks_whatever_the_chunks(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads are asked, and one task joins what they say."""
    tasks: list[int] = []
    ask = Scored.ask

    def counting(self: Scored, kernel: Any) -> Any:
        found = ask(self, kernel)
        tasks.append(self._hands.cost.tasks)
        return found

    monkeypatch.setattr(Scored, "ask", counting)
    y = da.from_array(np.arange(1000) % 2, chunks=25)
    metrics.accuracy_score(y, y)
    metrics.roc_auc_score(y, y)
    metrics.r2_score(y, y)
    assert tasks == [3] * 5
