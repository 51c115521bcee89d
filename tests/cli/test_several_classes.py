"""Targets of several classes: text or numbers, scored class by class, saved and loaded; and what is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, precision_recall_fscore_support, recall_score

from daskml_dist import load
from daskml_dist.cli import Encoding
from daskml_dist.cli.class_scores import Judged, by_class
from daskml_dist.cli.coefficients import largest
from daskml_dist.cli.heldout import HeldOut

DROP = ("--drop", "label,count,exposure,price")


@pytest.fixture
def towns(table: pd.DataFrame, tmp_path: Path) -> Path:
    """The city depends on age and height, and has a number too."""
    names = ["Bonn", "Oslo", "Rome"]
    margin = np.stack([table.age / 20, table.height / 10 - 14, np.full(len(table), 2.5)], axis=1)
    table["city"] = np.array(names)[(margin + np.random.default_rng(2).gumbel(size=margin.shape)).argmax(1)]
    table["number"] = [names.index(city) * 10 for city in table.city]
    table.to_csv(tmp_path / "towns.csv", index=False)
    return tmp_path / "towns.csv"


@pytest.mark.parametrize("target", ["city", "number"])
def test_text_and_numbers_are_classes(
    target: str, towns: Path, table: pd.DataFrame, tmp_path: Path, run: Callable
) -> None:
    """The optimum and the scores are scikit-learn's, and the loaded model predicts them."""
    other = "number" if target == "city" else "city"
    ran = run(
        "fit", towns, "--target", target, "--model", "logistic", *DROP, "--drop", other, "--weight", "weight",
        "--blocksize", "8kB", "--tol", 1e-11, "--out", tmp_path / "model",
    )  # fmt: skip
    assert (ran.code, ran.err) == (0, "")
    model, encoding = load(str(tmp_path / "model")), Encoding.load(str(tmp_path / "model"))
    starts = _starts(ran.out, towns)
    held_out = np.concatenate([HeldOut(0.2, 0).draw(i, n) for i, n in enumerate(starts)])
    train, test = table[~held_out], table[held_out]
    reference = LogisticRegression(tol=1e-11, solver="newton-cholesky")
    reference.fit(encoding.features(train), train[target], sample_weight=train.weight)
    assert model.classes_.tolist() == reference.classes_.tolist()
    np.testing.assert_allclose(model.coef_, reference.coef_, rtol=1e-5, atol=1e-8)
    X, weight = encoding.features(test), test.weight
    p, said = model.predict_proba(X), model.predict(X)
    np.testing.assert_allclose(p, reference.predict_proba(X), rtol=1e-5)
    shares = train.groupby(target).weight.sum() / train.weight.sum()
    expected = {
        "accuracy": (reference.score(X, test[target], weight), weight[test[target] == shares.idxmax()].sum()
                     / weight.sum()),
        "mean recall": (recall_score(test[target], said, average="macro", sample_weight=weight), 1 / 3),
        "log loss": (log_loss(test[target], p, sample_weight=weight),
                     log_loss(test[target], np.tile(shares, (len(test), 1)), sample_weight=weight)),
    }  # fmt: skip
    for name, (ours, constant) in expected.items():
        assert f"  {name:<14}{ours:>10.4f}{constant:>12.4f}\n" in ran.out
    measured = precision_recall_fscore_support(test[target], said, sample_weight=weight, zero_division=0)
    for label, precision, recall in zip(model.classes_, *measured[:2], strict=True):
        assert (
            f"  {label!s:<14}{(test[target] == label).sum():>9,}{recall:>10.4f}{precision:>11.4f}" in ran.out
        )
    shown = run("show", tmp_path / "model").out
    assert f"classes      {', '.join(map(str, model.classes_))}" in shown
    assert shown.count("; intercept ") == 3


def _starts(out: str, path: Path) -> list[int]:
    """Rows of each piece of a CSV file, as the command cut it."""
    from daskml_dist.files import open_source

    source = open_source(str(path), ["city"], blocksize=8000)
    assert f"in {len(source.pieces)} partitions" in out
    return [len(piece.read(["age"], ())) for piece in source.pieces]


def test_numbers_are_quantities_unless_asked(towns: Path, run: Callable) -> None:
    out = " ".join(run("fit", towns, "--target", "number", *DROP, "--drop", "city").out.split())
    assert "ridge (since number holds numbers; --model logistic takes its 3 values for classes)" in out


def test_text_is_classes_by_itself(towns: Path, run: Callable) -> None:
    assert "logistic (since city has 3 values, Bonn, Oslo, Rome)" in run("fit", towns, "--target", "city").out


def _wrong(n: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "x": rng.normal(size=n),
            "same": "a",
            "zero": 0,
            "id": [f"row {i}" for i in range(n)],
            "amount": np.arange(n) * 3,
            "share": rng.random(n).round(1),
            "typo": np.where(np.arange(n) == 7, "n/k", rng.normal(size=n).astype(str)),
            "gaps": np.where(np.arange(n) % 40, rng.choice(list("uvw"), n), None),
        }
    )


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("same", "same has the one value a in the training rows, and logistic needs two or more"),
        ("zero", "zero has the one value 0 in the training rows, and logistic needs two or more"),
        (
            "id",
            "id has 319 different values in 319 training rows, too many to be classes; if it names",
        ),
        ("amount", "too many to be classes; if they are quantities, give --model ridge, linear or poisson"),
        ("share", "share holds numbers with fractions, which are quantities and no classes; give --model"),
        ("typo", "typo holds numbers and the text 'n/k'; give --na-values n/k"),
        ("gaps", "gaps is missing in 10 of 400 rows; --missing impute leaves these rows out"),
    ],
)
def test_no_classes(target: str, says: str, tmp_path: Path, refused: Callable) -> None:
    wrong = _wrong()
    wrong[["x", target]].to_csv(tmp_path / "t.csv", index=False)
    assert says in refused("fit", tmp_path / "t.csv", "--target", target, "--model", "logistic")


def test_more_classes_than_any_model_takes(tmp_path: Path, refused: Callable) -> None:
    pd.DataFrame({"x": range(1500), "y": range(1500)}).to_csv(tmp_path / "t.csv", index=False)
    message = refused("fit", tmp_path / "t.csv", "--target", "y", "--model", "logistic", "--blocksize", "4kB")
    assert "y has more than 1,000 different values" in message


def test_a_slip_among_numbers_is_told(tmp_path: Path, run: Callable) -> None:
    rng = np.random.default_rng(0)
    y = np.where(np.arange(300) % 50, rng.integers(0, 4, 300).astype(str), "?")
    pd.DataFrame({"x": rng.normal(size=300), "y": y}).to_csv(tmp_path / "t.csv", index=False)
    out = " ".join(run("fit", tmp_path / "t.csv", "--target", "y").out.split())
    assert "y is taken for text, since it holds '?' beside numbers (--na-values)" in out


def test_a_class_of_held_out_rows_only(tmp_path: Path, run: Callable) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=300), "y": rng.choice(list("abc"), 300)})
    frame.loc[np.flatnonzero(HeldOut(0.2, 0).draw(0, 300))[:2], "y"] = "never seen"
    frame.to_csv(tmp_path / "t.csv", index=False)
    out = run("fit", tmp_path / "t.csv", "--target", "y").out
    assert "2 held-out rows have a value that is in no training row" in " ".join(out.split())


@pytest.mark.slow
def test_many_classes_stay_readable(shared_data: Path, tmp_path: Path, run: Callable) -> None:
    """26 letters: the worst dozen, and a line for the rest."""
    out = tmp_path / "model"
    ran = run("fit", shared_data / "letter" / "letter.csv.gz", "--target", "lettr", "--out", out)
    assert "(since lettr has 26 values, A, B, C, D, E, F, G, H and 18 more)" in " ".join(ran.out.split())
    assert "  worst classes " in ran.out
    assert "  and 14 more with a recall of 0." in ran.out
    assert len(ran.out.splitlines()) < 40
    shown = run("show", out).out
    assert "and 14 more, in coef_ of the model" in shown
    told = ran.out.split("\nsaved in ")[0] + shown.split("\n", 1)[1]  # less the paths
    assert max(map(len, told.splitlines())) <= 80


def test_classes_of_a_confusion() -> None:
    """Three rows of a, one of them taken for c; b is never met and never said."""
    rows = Judged(np.array([0, 0, 0, 2]), np.array([0, 0, 2, 2]), np.zeros(4), np.array([1.0, 1.0, 2.0, 1.0]))
    a, b, c = by_class(rows, list("abc"))
    assert (a.rows, a.recall, a.precision, a.taken_for) == (3, 0.5, 1.0, "c")
    assert (b.rows, np.isnan(b.recall), np.isnan(b.precision), b.taken_for) == (0, True, True, "")
    assert (c.recall, c.precision) == (1.0, 1 / 3)


def test_coefficients_of_one_vector() -> None:
    told = largest({"coef_": np.array([0.5, -2.0]), "intercept_": 1.0})
    assert told == [("", "x1 -2, x0 +0.5; intercept +1")]
    assert largest({}) == []
