"""From a file to a registered version that takes the columns of the file, and what is done with versions."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from daskml_dist import load
from daskml_dist.cli import Encoding
from daskml_dist.linear_model import Ridge
from daskml_dist.registry import Registry

DICE = np.random.default_rng(0)


@pytest.fixture
def people(tmp_path: Path) -> tuple[Path, pd.DataFrame]:
    frame = pd.DataFrame(
        {
            "age": np.where(DICE.random(400) < 0.1, np.nan, DICE.integers(20, 80, 400).astype(float)),
            "sex": DICE.choice(["f", "m"], 400),
            "site": np.where(DICE.random(400) < 0.1, None, DICE.choice(["north", "south", "west"], 400)),
        }
    )
    score = 0.05 * frame["age"].fillna(50.0) + (frame["sex"] == "f") - 3.0 + DICE.logistic(size=400)
    frame["ill"] = np.where(score > 0, "yes", "no")
    frame.to_csv(tmp_path / "people.csv", index=False)
    return tmp_path / "people.csv", frame


def test_from_a_file_to_an_answer(people: tuple[Path, pd.DataFrame], tmp_path: Path, run: Callable) -> None:
    path, frame = people
    place = tmp_path / "registry"
    fit = [
        "fit",
        path,
        "--target",
        "ill",
        "--missing",
        "impute",
        "--registry",
        place,
        "--out",
        tmp_path / "model",
    ]
    ran = run(*fit, "--register", "people", "--alias", "champion", "--personal", "age,sex")
    assert ran.code == 0, ran.err
    wrong = run(*fit, "--overwrite", "--register", "people", "--personal", "zip")
    assert wrong.code == 2 and "has no column 'zip'" in wrong.err
    assert "registered as people/1" in ran.out and "daskml-dist models show people/1" in ran.out
    found = Registry(place).load("people@champion")
    columns = {name: frame[name].tolist() for name in ("age", "sex", "site")}
    model, encoding = load(str(tmp_path / "model")), Encoding.load(str(tmp_path / "model"))
    wanted = model.predict_proba(encoding.features(frame))
    np.testing.assert_allclose(found.predict_proba(found.encode(columns)), wanted, rtol=1e-12)
    assert [column.name for column in found.columns if column.personal] == ["age", "sex"]
    card = json.loads((Path(Registry(place).local("people")) / "card.json").read_text())
    assert card["encoding"]["target"] == "ill" and 0.5 < card["metrics"]["accuracy"] <= 1.0
    assert card["data"]["rows"] + round(0.2 * 400) == pytest.approx(400, abs=40)
    assert set(found.reference) >= {"means", "golden.X"}


def test_versions_from_the_shell(people: tuple[Path, pd.DataFrame], tmp_path: Path, run: Callable) -> None:
    path, _ = people
    place = ["--registry", tmp_path / "registry"]
    fit = ["fit", path, "--target", "ill", "--missing", "impute", "--register", "people", *place, "--quiet"]
    assert "no models in" in run("models", "list", *place).out
    assert run(*fit).code == 0 and run(*fit, "--C", "0.01", "--alias", "challenger").code == 0
    assert "people@champion is people/1" in run("models", "promote", "people/1", *place).out
    assert "people@champion is people/2" in run("models", "promote", "people", "--why", "C", *place).out
    listed = run("models", "list", *place).out
    assert "people" in listed and "challenger 2, champion 2" in listed and "accuracy" in listed
    shown = run("models", "show", "people@champion", *place).out
    assert "# people, version 2" in shown and "promote to 2 by" in shown and ": C" in shown
    compared = run("models", "compare", "people/1", "people/2", *place).out
    assert "accuracy" in compared and "Both on the same data." in compared and "0.01" in compared
    assert "people@champion is people/1 again" in run("models", "rollback", "people", *place).out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["models", "show", "people/7"], "there is no model 'people'"),
        (["models", "show", "../people"], "a version is a number"),
        (["models", "rollback", "people/1"], "expected the name of a model"),
        (["models", "promote", "people@best"], "no people@best"),
        (["fit", "x.csv", "--target", "y", "--register", "No"], "--register 'No': expected"),
        (["fit", "x.csv", "--target", "y", "--register", "a", "--alias", "a b"], "--alias 'a b': expected"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, run: Callable, arguments: list[str], said: str) -> None:
    ran = run(*arguments, "--registry", tmp_path)
    assert ran.code == 2 and said in ran.err and ran.err.count("\n") == 1


def test_options_that_need_a_name(tmp_path: Path, run: Callable) -> None:
    for option in ("--alias", "--personal"):
        ran = run("fit", "x.csv", "--target", "y", option, "a")
        assert ran.code == 2 and f"{option} needs --register" in ran.err


@pytest.mark.parametrize("how", ["edited", "link", "pipe", "missing"])
def test_a_card_is_shown_as_it_was_written_or_not(how: str, tmp_path: Path, run: Callable) -> None:
    store, X = Registry(tmp_path), DICE.normal(size=(50, 2))
    store.register(Ridge().fit(X, X[:, 0]), "first", data=X, target=X[:, 0], metrics={"r2": 0.5})
    card = Path(store.local("first/1"), "card.md")
    written = card.read_text()
    assert written in run("models", "show", "first/1", "--registry", tmp_path).out
    card.unlink()
    if how == "edited":
        card.write_text(written + "FORGED")
    elif how == "link":
        card.symlink_to(card.with_name("card.json"))
    elif how == "pipe":
        os.mkfifo(card)
    ran = run("models", "show", "first/1", "--registry", tmp_path)
    assert ran.code != 0 and "card.md is" in ran.err and "FORGED" not in ran.out and ran.err.count("\n") == 1


def test_one_damaged_manifest_hides_no_other_model(tmp_path: Path, run: Callable) -> None:
    root = tmp_path / "registry"
    store, (X, y) = Registry(root), (DICE.normal(size=(50, 2)), DICE.normal(size=50))
    for name in ("first", "second", "second", "third"):
        store.register(Ridge().fit(X, y), name, data=X, target=y, metrics={"r2": 0.5}, alias="champion")
    place = ("--registry", root)
    whole = run("models", "list", *place)
    assert (whole.code, whole.err) == (0, "")
    manifest = root / "second" / "versions" / "2" / "manifest.json"
    kept = manifest.read_bytes()
    for damage in (lambda: manifest.write_bytes(kept[:-40]), manifest.unlink):
        damage()
        ran = run("models", "list", *place)
        assert ran.code == 1
        assert [line.split()[:2] for line in ran.out.splitlines()[1:]] == [
            ["first", "1"],
            ["second", "2"],
            ["third", "1"],
        ]
        assert ran.out.count("champion") == 3 and ran.out.count("r2 0.5") == 3
        assert ran.err.startswith("daskml-dist: damaged: second/2: ") and ran.err.count("\n") == 1
        manifest.write_bytes(kept)
    assert run("models", "list", *place).out == whole.out
    event = root / "third" / "aliases" / "champion" / "1" / "event.json"
    event.write_bytes(event.read_bytes()[:-40])
    for path in (root / "first").rglob("manifest.json"):
        path.write_text("{}")
    ran = run("models", "list", *place)
    assert ran.code == 1 and "second" in ran.out
    told = [line.split(": ")[2] for line in ran.err.splitlines()]
    assert told == ["first/1", "the aliases of third"]
