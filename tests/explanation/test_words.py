"""Sentences and tables: constructed answers, and sums that must come out."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge, RidgeClassifier

from daskml_dist import edge
from daskml_dist.edge import Column
from daskml_dist.explanation import Explanation, contributions, explain, sentence
from tests.explanation.models import SEED, as_edge

COLUMNS = [
    Column("age", mean=50.0, unit="years", label="age"),
    Column("bmi", label="body mass index"),
    Column("region", "category", levels=("north", "south")),
    Column("name", "category", levels=("Ada", "Bob"), personal=True),
]


def frame(n: int = 400) -> dict[str, list[object]]:
    rng = np.random.default_rng(SEED)
    return {
        "age": rng.integers(20, 80, n).tolist(),
        "bmi": np.round(rng.normal(25, 3, n), 1).tolist(),
        "region": rng.choice(["north", "south"], n).tolist(),
        "name": rng.choice(["Ada", "Bob"], n).tolist(),
    }


def features(columns: dict[str, list[object]]) -> np.ndarray:
    return np.hstack([column.encoded(columns[column.name]) for column in COLUMNS])


@pytest.fixture(scope="module")
def logistic() -> edge.Model:
    X = features(frame())
    noise = np.random.default_rng(1).logistic(size=len(X))
    y = np.where(X @ [0.08, -0.15, 0.5, -0.5, 0.1, 0.1] + noise > 0.3, "yes", "no")
    return as_edge(LogisticRegression(max_iter=5000).fit(X, y), X, COLUMNS)


ROW = {"age": [71], "bmi": [22.0], "region": ["north"], "name": ["Ada"]}


def explained(model: edge.Model, row: dict[str, list[object]]) -> Explanation:
    [found] = explain(model, row)
    return found


def test_contributions_add_up_to_the_margin(logistic: edge.Model) -> None:
    assert logistic.means is not None
    for found, x in zip(explain(logistic, frame()), features(frame()), strict=True):
        total = sum(contribution.amount for contribution in found.contributions)
        average = logistic.margin(logistic.means[None, :])[0, 0]
        assert average + total == pytest.approx(logistic.margin(x[None, :])[0, 0])


def test_the_largest_comes_first_and_levels_of_a_category_are_one(logistic: edge.Model) -> None:
    found = explained(logistic, ROW).contributions
    assert sorted(contribution.column for contribution in found) == ["age", "bmi", "name", "region"]
    amounts = [abs(contribution.amount) for contribution in found]
    assert amounts == sorted(amounts, reverse=True)
    parts = logistic.contributions(logistic.encode(ROW))[0, 0]
    region = next(contribution for contribution in found if contribution.column == "region")
    assert region.amount == pytest.approx(parts[2] + parts[3])
    assert (region.value, region.factor) == ("north", None)


def test_the_sentence(logistic: edge.Model) -> None:
    told = explained(logistic, ROW).sentence
    chance = logistic.predict_proba(logistic.encode(ROW))[0, 1]
    assert told.startswith(f"probability of yes {chance:.2f}; raised mainly by age 71 years (+")
    assert "because" not in told
    young = explained(logistic, {**ROW, "age": [20], "bmi": [30.0]}).sentence
    assert "; lowered mainly by age 20 years (-" in young
    assert "body mass index 30 (-" in young
    assert ", raised by region north (+" in young


def test_personal_values_are_not_written(logistic: edge.Model) -> None:
    for name in ("Ada", "Bob", "Zyzzyva-7731"):
        found = explained(logistic, {**ROW, "name": [name]})
        assert name not in str(found)
    parts = np.zeros((1, 6))
    parts[0, 4] = 1.0
    told = sentence(logistic, logistic.encode(ROW)[0], parts, {key: value[0] for key, value in ROW.items()})
    assert told.endswith("raised mainly by name (+1)")


def test_what_is_missing_or_unknown_is_said(logistic: edge.Model) -> None:
    row = {**ROW, "age": [None], "region": ["Atlantis"]}
    values = {
        contribution.column: contribution.value for contribution in explained(logistic, row).contributions
    }
    assert values == {"age": "missing", "bmi": "22", "region": "Atlantis", "name": None}
    x = logistic.encode(row)
    without = contributions(logistic, x[0], logistic.contributions(x)[0])  # the features alone
    assert {c.column: c.value for c in without} == {
        "age": "50 years", "bmi": "22", "region": "another", "name": None
    }  # fmt: skip


def test_what_is_nearly_certain_is_not_called_certain(logistic: edge.Model) -> None:
    assert explained(logistic, {**ROW, "age": [900]}).sentence.startswith("probability of yes above 0.99; ")
    assert explained(logistic, {**ROW, "bmi": [900.0]}).sentence.startswith("probability of yes below 0.01; ")


def test_an_average_row_is_said_to_be_one(logistic: edge.Model) -> None:
    assert logistic.means is not None
    told = sentence(logistic, logistic.means, np.zeros((1, 6)))
    assert told.endswith("; nothing sets it apart from the average")


def test_a_log_link_multiplies() -> None:
    X = np.random.default_rng(SEED).normal(size=(500, 2))
    y = np.random.default_rng(1).poisson(np.exp(0.5 + X @ [0.6, -0.3]))
    model = as_edge(PoissonRegressor(alpha=0).fit(X, y), X, [Column("speed", unit="km/h"), Column("age")])
    found = explained(model, {"speed": [1.0], "age": [2.0]})
    [first, second] = found.contributions
    factor = np.prod([contribution.factor for contribution in found.contributions])
    assert model.means is not None
    expected = model.predict([[1.0, 2.0]])[0]
    assert model.predict(model.means[None, :])[0] * factor == pytest.approx(expected)
    assert (first.column, second.column) == ("age", "speed")
    assert found.sentence == (
        f"expected value {expected:.3g}; lowered mainly by age 2 (x{first.factor:.2g}), "
        f"raised by speed 1 km/h (x{second.factor:.2g})"
    )


def test_several_classes_speak_of_the_predicted_one() -> None:
    X = np.random.default_rng(SEED).normal(size=(600, 2))
    noise = np.random.default_rng(1).logistic(size=600)
    y = np.array(["low", "mid", "high"])[np.digitize(X[:, 0] + noise, [-0.5, 0.5])]
    model = as_edge(LogisticRegression().fit(X, y), X)
    for value, label in [(-2.0, "low"), (2.0, "high")]:
        found = explained(model, {"x0": [value], "x1": [0.0]})
        chance = model.predict_proba([[value, 0.0]]).max()
        assert found.sentence.startswith(
            f"probability of {label} {chance:.2f}; raised mainly by x0 {value:.3g} (+"
        )
        assert found.contributions[0].amount > 0


def test_other_tasks_have_words_too() -> None:
    X = np.random.default_rng(SEED).normal(size=(300, 2))
    number = as_edge(Ridge().fit(X, 10_000 * X[:, 0]), X)
    assert explained(number, {"x0": [1.0], "x1": [0.0]}).sentence.startswith("prediction 9,9")
    label = as_edge(RidgeClassifier().fit(X, X[:, 0] > 0), X)
    assert explained(label, {"x0": [1.0], "x1": [0.0]}).sentence.startswith(
        "class True; raised mainly by x0 1 (+"
    )
    both = as_edge(Ridge().fit(X, X @ [[1.0, 2.0], [0.0, 1.0]]), X)
    assert explained(both, {"x0": [1.0], "x1": [0.0]}).sentence.startswith("prediction 0.99")


def test_complaints_are_the_models(logistic: edge.Model) -> None:
    with pytest.raises(edge.InvalidInput, match="missing"):
        explain(logistic, {"age": [1.0]})
    X = np.eye(3)
    bare = as_edge(Ridge().fit(X, [1.0, 2.0, 3.0]), X)
    bare.means = None
    with pytest.raises(edge.InvalidModel, match="means"):
        explain(bare, {"x0": [1.0], "x1": [0.0], "x2": [0.0]})


def test_servers_have_the_words_without_dask() -> None:
    program = (
        "import sys\n"
        "from daskml_dist.explanation import contributions, sentence\n"
        "heavy = {'dask', 'distributed', 'pandas', 'scipy', 'sklearn', 'xarray'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert answer.stdout.strip() == "[]", answer.stderr
