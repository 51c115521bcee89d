"""scikit-learn's own callbacks on our estimators."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.callback import CallbackSupportMixin, ProgressBar, ScoringMonitor
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score

import daskml_dist
from daskml_dist.linear_model import (
    LogisticRegression,
    LogisticRegressionCV,
    MinimaxClassifier,
    SGDClassifier,
)
from tests.linear_model.problems import chunked, data

DATA = data()


class Notes:
    """Writes down what it is told, and asks to stop after so many passes."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.stop_after, self.told, self.models, self.passes = stop_after, [], [], 0

    def setup(self, estimator: Any, context: Any) -> None:
        self.told.append("setup")

    def on_fit_task_begin(self, estimator: Any, context: Any, *, X: Any, y: Any, metadata: Any) -> None:
        assert len(X) == len(y) == len(DATA.X) and set(metadata) == {"sample_weight"}
        self.told.append(f"{context.task_name} begins")

    def on_fit_task_end(self, estimator: Any, context: Any, *, fitted_estimator: Any) -> bool:
        self.told.append(f"{context.task_name} ends")
        self.models.append(fitted_estimator)
        self.passes += context.task_name == "pass"
        return self.passes == self.stop_after

    def teardown(self, estimator: Any, context: Any) -> None:
        self.told.append("teardown")


def _model(**parameters: Any) -> LogisticRegression:
    return LogisticRegression(C=100.0, tol=1e-9, solver="lbfgs", verbose=0, **parameters)


def test_hooks_come_in_order_with_models_that_predict(backend: str) -> None:
    notes = Notes()
    X, y = chunked(DATA.X, 5), chunked(DATA.labels, 5)
    model = _model().set_callbacks(notes).fit(X, y)
    passes = len([told for told in notes.told if told == "pass ends"])
    assert passes == model.n_passes_ > 4
    assert notes.told == [
        "setup",
        "fit begins",
        *["pass begins", "pass ends"] * passes,
        "fit ends",
        "teardown",
    ]
    gaps = [one.gap_ for one in notes.models]
    assert gaps[-1] == gaps[-2] == model.gap_ < gaps[0]
    assert_array_equal(notes.models[-1].coef_, model.coef_)
    assert [one.n_passes_ for one in notes.models[:-1]] == list(range(1, passes + 1))
    assert all(np.shape(one.predict(DATA.X)) == (len(DATA.X),) for one in notes.models)
    assert_array_equal(model.coef_, _model().fit(X, y).coef_)  # who listens changes nothing


def test_a_callback_stops_the_fit_and_the_model_is_kept(backend: str) -> None:
    notes = Notes(stop_after=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)  # it was asked to
        model = _model().set_callbacks(notes).fit(chunked(DATA.X, 5), chunked(DATA.labels, 5))
    assert model.n_passes_ == 3 and notes.told[-2:] == ["fit ends", "teardown"]
    assert_array_equal(model.coef_, notes.models[-1].coef_)


def test_a_callback_that_raises_ends_the_fit() -> None:
    class Fails(Notes):
        def on_fit_task_end(self, estimator: Any, context: Any) -> bool:
            raise ZeroDivisionError("mine")

    notes = Fails()
    with pytest.raises(ZeroDivisionError, match="mine"):
        _model().set_callbacks(notes).fit(DATA.X, DATA.labels)
    assert notes.told[-1] == "teardown"


@pytest.mark.parametrize(
    "model",
    [
        SGDClassifier(max_iter=3, tol=None, verbose=0),
        MinimaxClassifier(verbose=0),
        LogisticRegressionCV(Cs=3, cv=3, solver="lbfgs", verbose=0),
    ],
    ids=lambda model: type(model).__name__,
)
def test_every_kind_of_fit_tells(model: Any) -> None:
    notes = Notes()
    model = clone(model).set_callbacks(notes).fit(DATA.X, DATA.labels)
    assert notes.told[:2] == ["setup", "fit begins"] and notes.told[-2:] == ["fit ends", "teardown"]
    assert notes.told.count("pass ends") >= 1
    assert notes.models[-1].score(DATA.X, DATA.labels) == model.score(DATA.X, DATA.labels)


def test_a_scoring_monitor_scores_each_pass() -> None:
    monitor = ScoringMonitor(scoring="accuracy")
    model = _model().set_callbacks(monitor).fit(DATA.X, DATA.labels)
    scores = monitor.get_logs().data_as_pandas["accuracy"].to_numpy()
    assert len(scores) >= model.n_passes_
    assert scores[-1] == accuracy_score(DATA.labels, model.predict(DATA.X))


def test_a_progress_bar_draws(capsys: pytest.CaptureFixture[str]) -> None:
    _model().set_callbacks(ProgressBar()).fit(DATA.X, DATA.labels)
    assert "LogisticRegression" in capsys.readouterr().out


def test_copies_share_them_and_files_do_not(tmp_path: Any) -> None:
    notes = Notes()
    model = _model().set_callbacks(notes)
    assert isinstance(model, CallbackSupportMixin)
    clone(model).fit(DATA.X, DATA.labels)
    assert "teardown" in notes.told
    daskml_dist.save(model.fit(DATA.X, DATA.labels), str(tmp_path / "model"))
    told = len(notes.told)
    daskml_dist.load(str(tmp_path / "model")).fit(DATA.X, DATA.labels)
    assert len(notes.told) == told
