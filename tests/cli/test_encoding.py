"""What becomes of columns: beside scikit-learn's imputers and encoder on the same training rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from daskml_dist import load
from daskml_dist.cli import Encoding
from daskml_dist.cli.heldout import HeldOut
from daskml_dist.errors import CheckpointInvalid, InvalidData

NUMBERS, WORDS = ["age", "height"], ["city"]


def _holes(table: pd.DataFrame) -> pd.DataFrame:
    holes = table.copy()
    rng = np.random.default_rng(1)
    for name in (*NUMBERS, *WORDS):
        holes.loc[rng.random(len(holes)) < 0.1, name] = None
    return holes


def _theirs() -> object:
    words = make_pipeline(
        SimpleImputer(strategy="constant", fill_value="missing"),
        OneHotEncoder(handle_unknown="ignore", sparse_output=False),
    )
    return make_column_transformer((SimpleImputer(), NUMBERS), (words, WORDS))


def _objects(table: pd.DataFrame) -> pd.DataFrame:
    """Text as objects with NaN, which is what SimpleImputer takes."""
    return table.astype({"city": object}).where(table.notna(), np.nan)


def _close(ours: np.ndarray, theirs: np.ndarray) -> None:
    assert np.linalg.norm(ours - theirs) <= 1e-6 * np.linalg.norm(theirs)


def test_imputed_and_encoded_as_scikit_learn_does(table: pd.DataFrame, tmp_path: Path, run: Callable) -> None:
    holes = _holes(table)
    holes.to_csv(tmp_path / "t.csv", index=False)
    ran = run(
        "fit", tmp_path / "t.csv", "--target", "label", "--drop", "count,exposure,weight,price",
        "--missing", "impute", "--seed", 3, "--tol", "1e-13", "--out", tmp_path / "model",
    )  # fmt: skip
    assert ran.code == 0
    for name in (*NUMBERS, *WORDS):
        assert f"{name} ({holes[name].isna().sum()})" in ran.out
    held_out = HeldOut(0.2, 3).draw(0, len(holes))
    train = _objects(holes[~held_out])
    transformer = _theirs()
    X = transformer.fit_transform(train)
    model, encoding = load(str(tmp_path / "model")), Encoding.load(str(tmp_path / "model"))
    np.testing.assert_allclose(encoding.features(train).to_numpy(), X, rtol=1e-13)
    reference = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-13).fit(X, train["label"])
    _close(model.coef_, reference.coef_)
    _close(model.intercept_, reference.intercept_)
    test = _objects(holes[held_out])
    ours = model.predict_proba(encoding.features(test))
    np.testing.assert_allclose(ours, reference.predict_proba(transformer.transform(test)), rtol=1e-6)
    accuracy = reference.score(transformer.transform(test), test["label"])
    assert f"{accuracy:.4f}" in ran.out


def test_weights_count(table: pd.DataFrame, csv: Path, tmp_path: Path, run: Callable) -> None:
    ran = run(
        "fit", csv, "--target", "price", "--weight", "weight", "--drop", "label,count,exposure",
        "--alpha", 2.5, "--test-size", 0, "--out", tmp_path / "model",
    )  # fmt: skip
    assert ran.code == 0
    assert "held out  " not in ran.out
    X = Encoding.load(str(tmp_path / "model")).features(table)
    reference = Ridge(alpha=2.5).fit(X, table["price"], sample_weight=table["weight"])
    _close(load(str(tmp_path / "model")).coef_, reference.coef_)


def test_exposure_is_an_offset(table: pd.DataFrame, csv: Path, tmp_path: Path, run: Callable) -> None:
    ran = run(
        "fit", csv, "--target", "count", "--model", "poisson", "--exposure", "exposure", "--alpha", 0.1,
        "--drop", "label,weight,price", "--test-size", 0, "--tol", 1e-13, "--out", tmp_path / "model",
    )  # fmt: skip
    assert ran.code == 0
    X = Encoding.load(str(tmp_path / "model")).features(table)
    # a rate with the exposure as weight has the same optimum, with the penalty per unit of exposure
    share = len(table) / table["exposure"].sum()
    reference = PoissonRegressor(alpha=0.1 * share, solver="newton-cholesky", tol=1e-13, max_iter=1000)
    reference.fit(X, table["count"] / table["exposure"], sample_weight=table["exposure"])
    _close(load(str(tmp_path / "model")).coef_, reference.coef_)


def test_the_encoding_is_readable_by_others(csv: Path, tmp_path: Path, run: Callable) -> None:
    run("fit", csv, "--target", "label", "--drop", "count,exposure,weight", "--out", tmp_path / "model")
    body = json.loads((tmp_path / "model" / "encoding.json").read_text())
    assert [column["name"] for column in body["columns"]] == ["age", "height", "city", "price"]
    assert body["columns"][2]["levels"] == ["Bonn", "Oslo", "Rome"]
    assert body["features"] == ["age", "height", "city=Bonn", "city=Oslo", "city=Rome", "price"]
    assert body["target"] == "label"


def test_other_levels_are_zeros(csv: Path, table: pd.DataFrame, tmp_path: Path, run: Callable) -> None:
    run("fit", csv, "--target", "label", "--drop", "count,exposure,weight,price", "--out", tmp_path / "model")
    encoding = Encoding.load(str(tmp_path / "model"))
    features = encoding.features(table.head(2).assign(city=["Paris", "Oslo"]))
    assert features[["city=Bonn", "city=Oslo", "city=Rome"]].to_numpy().tolist() == [[0, 0, 0], [0, 1, 0]]


def test_other_columns_are_refused(csv: Path, table: pd.DataFrame, tmp_path: Path, run: Callable) -> None:
    run("fit", csv, "--target", "label", "--drop", "count,exposure,weight,price", "--out", tmp_path / "model")
    encoding = Encoding.load(str(tmp_path / "model"))
    with pytest.raises(InvalidData, match="not there: age"):
        encoding.features(table.drop(columns="age"))
    with pytest.raises(InvalidData, match="column 'age' has 600 missing values"):
        encoding.features(table.assign(age=np.nan))
    with pytest.raises(InvalidData, match="column 'age' holds 'old'"):
        encoding.features(table.assign(age="old"))


def test_a_damaged_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "encoding.json").write_text("{")
    with pytest.raises(CheckpointInvalid, match="damaged"):
        Encoding.load(str(tmp_path))


@pytest.mark.parametrize("blocksize", ["0", "2kB"])
def test_a_column_of_numbers_and_words_is_words(blocksize: str, tmp_path: Path, run: Callable) -> None:
    """Zip codes that look like numbers for most of the file."""
    codes = ["0150"] * 300 + ["K1A"] * 100 + ["0150"] * 100
    table = pd.DataFrame({"x": np.arange(500.0) % 7, "code": codes, "y": [0, 1] * 250})
    table.to_csv(tmp_path / "t.csv", index=False)
    ran = run(
        "fit", tmp_path / "t.csv", "--target", "y", "--blocksize", blocksize, "--out", tmp_path / "model"
    )
    assert ran.code == 0
    assert load(str(tmp_path / "model")).feature_names_in_.tolist() == ["x", "code=0150", "code=K1A"]


def test_labels_keep_their_kind(tmp_path: Path, run: Callable) -> None:
    x = np.linspace(0.0, 1.0, 50)
    for name, labels in (("i", [0, 1]), ("b", [False, True]), ("s", ["a", "bc"])):
        pd.DataFrame({"x": x, "y": labels * 25}).to_csv(tmp_path / f"{name}.csv", index=False)
        ran = run("fit", tmp_path / f"{name}.csv", "--target", "y", "--out", tmp_path / name)
        assert ran.code == 0
        assert load(str(tmp_path / name)).classes_.tolist() == labels


def test_gaps_in_the_held_out_part_alone(tmp_path: Path, run: Callable) -> None:
    out = HeldOut(0.2, 0).draw(0, 200)
    city = np.where(out, None, np.array(["a", "b"])[np.arange(200) % 2])
    table = pd.DataFrame({"x": np.arange(200.0) % 9, "city": city, "y": [0, 1, 1, 0] * 50})
    table.to_parquet(tmp_path / "t.parquet")
    assert run("fit", tmp_path / "t.parquet", "--target", "y", "--drop", "x").code == 2
    assert run("fit", tmp_path / "t.parquet", "--target", "y", "--missing", "impute").code == 0


def test_a_slip_among_numbers_is_pointed_out(tmp_path: Path, run: Callable, refused: Callable) -> None:
    dose = [*map(str, range(99)), "?"]
    pd.DataFrame({"dose": dose * 2, "y": [0, 1] * 100}).to_csv(tmp_path / "t.csv", index=False)
    ran = run("fit", tmp_path / "t.csv", "--target", "y")
    assert "dose is taken for text, since it holds '?' beside numbers" in " ".join(ran.out.split())
    message = refused("fit", tmp_path / "t.csv", "--target", "y", "--max-levels", 20)
    assert "column dose holds numbers and the text '?'; give --na-values '?'" in message
