"""``daskml-dist score`` and ``update``: answers for a file, and the next version of a registered model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from daskml_dist.cli import updating
from daskml_dist.registry import Registry


def rows(seed: int, age: float) -> pd.DataFrame:
    dice = np.random.default_rng(seed)
    frame = pd.DataFrame({"age": dice.integers(18, 90, 3_000), "site": dice.choice(["a", "b", "c"], 3_000)})
    margin = age * (frame["age"] - 50) / 20 + (frame["site"] == "b")
    frame["sick"] = np.where(margin + dice.logistic(size=3_000) > 0, "yes", "no")
    return frame.assign(patient=np.arange(3_000))


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Callable) -> Registry:
    """One version of a model, trained from a file with text in it."""
    monkeypatch.setenv("DASKML_DIST_REGISTRY", str(tmp_path / "registry"))
    monkeypatch.chdir(tmp_path)
    rows(0, 1.0).to_csv("old.csv", index=False)
    ran = run(
        "fit", "old.csv", "--target", "sick", "--drop", "patient", "--register", "sick", "--alias", "champion"
    )
    assert ran.code == 0, ran.err
    return Registry(tmp_path / "registry")


def test_raw_columns_are_scored(registry: Registry, run: Callable) -> None:
    new = rows(1, 1.0).drop(columns="sick")
    new.to_csv("new.csv", index=False)
    ran = run("score", "new.csv", "out.parquet", "--model", "sick@champion", "--keep", "patient")
    assert ran.code == 0 and "rows    3,000 in 1 parts" in ran.out and "drift   none" in ran.out
    found = pd.read_parquet("out.parquet")
    model = registry.load("sick")
    X = model.encode({"age": new["age"].to_numpy(), "site": new["site"].to_list()})
    assert found["proba_yes"].to_numpy().tobytes() == model.predict_proba(X)[:, 1].tobytes()
    again = run("score", "new.csv", "out.parquet", "--model", "sick@champion", "--keep", "patient")
    assert "3,000 from before" in again.out
    other = run("score", "new.csv", "out.parquet", "--model", "sick@champion")
    assert other.code == 2 and "belongs to a scoring with another keep" in other.err


def test_what_changes_is_told_and_learned(registry: Registry, run: Callable) -> None:
    later = rows(2, -1.0)
    later.to_csv("later.csv", index=False)
    ran = run("update", "sick", "later.csv")
    assert ran.code == 0 and ran.out.startswith("sick/2 promoted: log loss ")
    assert registry.version("sick@champion").number == 2
    assert "not better" in run("update", "sick", "later.csv").out
    assert registry.version("sick@champion").number == 2
    lineage = registry.version("sick/2").lineage
    assert (lineage["file"], lineage["encoding"]["target"], lineage["parent"]) == (
        "later.csv",
        "sick",
        "sick/1",
    )


def claims(path: str, seed: int, age: float) -> pd.DataFrame:
    """Claims in exposures of a day to years, longer for the old."""
    dice = np.random.default_rng(seed)
    frame = pd.DataFrame({"age": dice.integers(18, 90, 3_000).astype(float)})
    frame["years"] = dice.uniform(0.01, 1.0, 3_000) * frame["age"] / 10
    frame["claims"] = dice.poisson(frame["years"] * np.exp(age * (frame["age"] - 50) / 20))
    frame.to_csv(path, index=False)
    return frame


def test_an_exposure_is_remembered(registry: Registry, run: Callable) -> None:
    claims("first.csv", 0, 0.5)
    options = ("--target", "claims", "--model", "poisson", "--exposure", "years", "--alpha", "0")
    assert run("fit", "first.csv", *options, "--register", "claims", "--alias", "champion").code == 0
    later = claims("later.csv", 1, -0.5)
    ran = run("update", "claims", "later.csv")
    assert ran.code == 0 and ran.out.startswith("claims/2 promoted: mean poisson deviance "), ran.err
    model = registry.estimator("claims@champion")
    assert abs(20 * model.coef_[0] + 0.5) < 0.05  # the rate, and not the claims, which rise with the years
    assert registry.version("claims/2").lineage["encoding"]["exposure"] == "years"
    assert "not better" in run("update", "claims", "later.csv").out
    for value, words in ((0.0, "zero or negative in 1 rows"), (np.nan, "missing, infinite")):
        later.assign(years=later["years"].where(later.index != 7, value)).to_csv("bad.csv", index=False)
        ran = run("update", "claims", "bad.csv")
        assert ran.code == 2 and "the exposure 'years'" in ran.err and words in ran.err
    later.drop(columns="years").to_csv("bad.csv", index=False)
    assert "no column 'years'" in run("update", "claims", "bad.csv").err
    assert len(registry.versions("claims")) == 3


def test_a_changed_file_is_learned_again(
    registry: Registry, run: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows(2, -1.0).to_csv("later.csv", index=False)
    rounds = iter(range(4))

    def sleep(seconds: float) -> None:
        turn = next(rounds)
        if turn == 1:
            rows(3, -2.0).to_csv("later.csv", index=False)
        if turn == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(updating.time, "sleep", sleep)
    ran = run("update", "sick", "later.csv", "--watch")
    assert ran.code == 130
    assert [line.split()[2] for line in ran.out.splitlines()] == ["sick/2", "sick/3"]


def test_a_failure_is_told_and_is_not_the_end(
    registry: Registry, run: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = iter(range(3))

    def sleep(seconds: float) -> None:
        if next(rounds) == 2:
            raise KeyboardInterrupt
        rows(2, -1.0).drop(columns="age").to_csv("later.csv", index=False)

    monkeypatch.setattr(updating.time, "sleep", sleep)
    ran = run("update", "sick", "later.csv", "--every", 1)
    told = [line for line in ran.err.splitlines() if "error:" in line]
    assert len(told) == 2 and "there is no such file" in told[0] and "has no column 'age'" in told[1]
    assert len(registry.versions("sick")) == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("score", "old.csv", "out.parquet", "--model", "ill"), "ill"),
        (("score", "none.csv", "out.parquet", "--model", "sick"), "there is no such file"),
        (("score", "old.csv", "out.txt", "--model", "sick"), "ends in .parquet or .csv"),
        (("update", "sick", "old.csv", "--target", "sickk"), "did you mean 'sick'?"),
        (("update", "sick@gold", "old.csv"), "there is no sick@gold"),
        (("update", "sick", "old.csv", "--test-size", "2"), "no share between 0 and 1"),
    ],
)
def test_what_cannot_be(registry: Registry, run: Callable, arguments: tuple[str, ...], told: str) -> None:
    ran = run(*arguments)
    assert ran.code == 2 and told in ran.err and ran.err.count("\n") == 1
