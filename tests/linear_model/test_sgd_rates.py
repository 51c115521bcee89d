"""The choice of a learning rate by cross-validation: as each candidate alone, in the passes of one."""

from __future__ import annotations

from typing import Any
from unittest import mock

import numpy as np
import pytest
from sklearn import model_selection as sk
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

import daskml_dist
from daskml_dist.cluster import InProcess
from daskml_dist.errors import InvalidData, UnsupportedCombination, UnsupportedParameter
from daskml_dist.kernels import MiniBatch, Together
from daskml_dist.linear_model import SGDClassifier, SGDRegressor
from daskml_dist.losses import Logistic, Squared
from daskml_dist.model_selection import KFold
from daskml_dist.optimizers import Adam, Averaging, Cosine
from tests.linear_model.problems import chunked
from tests.linear_model.test_sgd import BOTH, rows

GRID = (0.01, 0.1, 1.0)
GIVEN: dict[str, Any] = {"learning_rate": "constant", "max_iter": 2, "tol": None, "verbose": 0, "eta0_cv": 3}
TABLE = ("mean_test_score", "std_test_score", "split0_test_score", "split2_test_score")


def classifier(**settings: Any) -> SGDClassifier:
    return SGDClassifier("log_loss", **{**GIVEN, "eta0": GRID, **settings})


@BOTH
def test_each_candidate_is_what_it_is_by_itself(strategy: str) -> None:
    X, y, _ = (chunked(part[:1_500], 3) for part in rows("iid"))
    model = classifier(strategy=strategy, control_variates="auto").fit(X, y)
    assert model.cv_results_["rank_test_score"].min() == 1
    for place, rate in enumerate(GRID):
        alone = classifier(strategy=strategy, eta0=[rate]).fit(X, y)
        for name in TABLE:
            one, many = alone.cv_results_[name][0], model.cv_results_[name][place]
            np.testing.assert_allclose(one, many, rtol=1e-12, atol=1e-14)
    best = int(np.argmax(model.cv_results_["mean_test_score"]))
    assert model.eta0_ == GRID[best] == model.cv_results_["params"][best]["eta0"]
    plain = classifier(strategy=strategy, eta0=model.eta0_, eta0_cv=None).fit(X, y)
    np.testing.assert_allclose(model.coef_, plain.coef_, rtol=1e-12, atol=1e-14)
    assert model.n_iter_ == plain.n_iter_ == 2 and "eta0_" not in vars(plain)


def test_scores_are_losses_of_the_rows_that_a_split_tests() -> None:
    """A split is a fit in which the rows it tests weigh nothing."""
    X, y, z = (part[:900] for part in rows("iid"))
    weight = 1.0 + np.arange(900) % 2
    settings: Any = {**GIVEN, "eta0": [0.3]}
    estimators: list[tuple[Any, Any, Any]] = [
        (SGDClassifier("log_loss", **{**settings, "eta0_cv": sk.KFold(3)}), Logistic(), y),
        (SGDRegressor(**{**settings, "eta0_cv": KFold(3)}), Squared(), z),
    ]
    for model, loss, target in estimators:
        model.fit(*(chunked(part, 4) for part in (X, target, weight)))
        for split, (train, test) in enumerate(sk.KFold(3).split(X)):
            own = np.zeros(900)
            own[train] = weight[train]
            one = clone(model).set_params(eta0=0.3, eta0_cv=None)
            one.fit(*(chunked(part, 4) for part in (X, target, own)))
            losses = loss.value(target.astype(float), X @ np.ravel(one.coef_) + one.intercept_)
            told = -model.cv_results_[f"split{split}_test_score"][0]
            assert told == pytest.approx(np.average(losses[test], weights=weight[test]), rel=1e-12)
            assert abs(told - np.average(losses, weights=weight)) > 1e-4, "all rows would be a lie"


def test_passes_do_not_grow_with_candidates() -> None:
    X, y, _ = (chunked(part[:1_200], 3) for part in rows("iid"))
    rounds = []
    for grid in (GRID[:1], np.logspace(-4, 0, 9)):
        kinds: list[type] = []
        answer = InProcess.answer

        def counted(self: Any, question: Any, kinds: list[type] = kinds, answer: Any = answer) -> Any:
            kinds.append(type(question.kernel))
            return answer(self, question)

        with mock.patch.object(InProcess, "answer", counted):
            model = classifier(eta0=grid, scheduler="threads", batch_size=100).fit(X, y)
        assert model.n_passes_ == 2 + 2, "epochs, a pass that judges, and one that verifies"
        rounds.append(kinds)
    assert rounds[0] == rounds[1] and rounds[0].count(Together) == 1 + 2 * 12 + 2
    assert MiniBatch not in rounds[0], "all of them ask together"


def test_the_same_on_a_cluster(backend: str) -> None:
    X, y, _ = (chunked(part[:1_000], 4) for part in rows("iid"))
    here = classifier(batch_size=250, scheduler="threads").fit(X, y)
    there = classifier(batch_size=250).fit(X, y)
    assert there.coef_.tobytes() == here.coef_.tobytes()
    for name in TABLE:
        assert there.cv_results_[name].tobytes() == here.cv_results_[name].tobytes()


def test_the_same_where_rows_are_streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y, _ = (part[:600] for part in rows("iid"))
    held = classifier(batch_size=200).fit(chunked(X, 3), chunked(y, 3))
    monkeypatch.setattr("daskml_dist.cluster.in_process.process_limit", lambda: X.nbytes // 2)
    streamed = classifier(batch_size=200).fit(chunked(X, 3), chunked(y, 3))
    assert streamed.coef_.tobytes() == held.coef_.tobytes()
    np.testing.assert_array_equal(
        streamed.cv_results_["mean_test_score"], held.cv_results_["mean_test_score"]
    )


def test_candidates_that_diverge_harm_nobody() -> None:
    X, _, y = (part[:1_500] for part in rows("iid"))
    with pytest.warns(ConvergenceWarning, match=r"diverged with eta0=1000: counted as infinitely bad"):
        model = SGDRegressor(**GIVEN, eta0=[0.01, 1e3, 0.1]).fit(X, y)
    calm = SGDRegressor(**GIVEN, eta0=[0.01, 0.1]).fit(X, y)
    score = model.cv_results_["mean_test_score"]
    np.testing.assert_allclose(score[[0, 2]], calm.cv_results_["mean_test_score"], rtol=1e-12)
    assert score[1] == -np.inf and model.cv_results_["rank_test_score"][1] == 3
    np.testing.assert_allclose(model.coef_, calm.coef_, rtol=1e-12)
    with pytest.raises(InvalidData, match=r"diverges with each of eta0=1000, eta0=10000"):
        SGDRegressor(**GIVEN, eta0=[1e3, 1e4]).fit(X, y)


def test_several_classes_and_optimizers(tmp_path: Any) -> None:
    X, _, z = (part[:1_500] for part in rows("iid"))
    y = np.array(["low", "middle", "high"])[np.digitize(z, [-0.5, 0.5])]
    settings: Any = {"learning_rate": "auto", "optimizer": Adam()}
    model = classifier(**settings, class_weight="balanced").fit(chunked(X, 3), chunked(y, 3))
    assert model.coef_.shape == (3, 8) and model.score(X, y) > 0.5
    plain = classifier(**{**settings, "optimizer": Adam(model.eta0_)}, eta0=1.0, eta0_cv=None)
    plain.set_params(class_weight="balanced").fit(chunked(X, 3), chunked(y, 3))
    np.testing.assert_allclose(model.coef_, plain.coef_, rtol=1e-10)
    daskml_dist.save(model, tmp_path / "model")
    again = daskml_dist.load(tmp_path / "model")
    assert again.eta0_ == model.eta0_ and again.cv_results_.keys() == model.cv_results_.keys()
    fallen = classifier(learning_rate="invscaling").fit(X, z > 0)
    assert fallen.eta0_ in GRID
    assert "eta0_" not in vars(fallen.set_params(eta0=0.1, eta0_cv=None).fit(X, z > 0))


@pytest.mark.parametrize(
    ("settings", "error", "text"),
    [
        ({"eta0": []}, UnsupportedParameter, "at least one"),
        ({"eta0": [0.1, -1.0]}, UnsupportedParameter, "eta0"),
        ({"eta0": [0.1, 0.0]}, UnsupportedParameter, "> 0"),
        ({"eta0": ["a"]}, UnsupportedParameter, "eta0"),
        ({"learning_rate": "auto"}, UnsupportedCombination, "no eta0 to choose"),
        ({"learning_rate": "optimal"}, UnsupportedCombination, "no eta0 to choose"),
        ({"early_stopping": True}, UnsupportedCombination, "early_stopping=True"),
        ({"checkpoint": "somewhere"}, UnsupportedCombination, "checkpoint='somewhere'"),
        ({"eta0": 0.1}, UnsupportedCombination, "nothing to choose"),
        ({"eta0_cv": sk.GroupKFold(3)}, UnsupportedParameter, "no groups"),
        ({"learning_rate": "auto", "optimizer": Adam(Cosine(0.1, 9))}, UnsupportedCombination, "schedule"),
        ({"learning_rate": "auto", "optimizer": Averaging(Adam())}, UnsupportedCombination, "of its own"),
    ],
)
def test_refusals(settings: Any, error: Any, text: str) -> None:
    X, y, _ = rows("iid", 2_000)
    with pytest.raises(error, match=text):
        classifier(**settings).fit(X, y)


def test_partial_fit_takes_one() -> None:
    X, y, _ = rows("iid", 2_000)
    with pytest.raises(UnsupportedCombination, match="partial_fit"):
        classifier().partial_fit(X, y, classes=[0, 1])
