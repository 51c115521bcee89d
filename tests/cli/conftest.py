"""A small table of every kind of column, written in every format; and the command in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from daskml_dist.cli import main


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """The command in this process, with its exit code and what it printed."""

    def command(*arguments: object) -> Ran:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return Ran(code, printed.out, printed.err)

    return command


@pytest.fixture
def refused(run: Callable[..., Ran]) -> Callable[..., str]:
    """The one line on stderr of a command that must not succeed."""

    def command(*arguments: object) -> str:
        ran = run(*arguments)
        assert ran.code == 2
        assert ran.err.startswith("daskml-dist: error: ")
        assert ran.err.count("\n") == 1
        assert "Traceback" not in ran.err
        return ran.err.removeprefix("daskml-dist: error: ").rstrip("\n")

    return command


@pytest.fixture
def table() -> pd.DataFrame:
    """600 rows: two numbers, a category, labels, a count with exposure, and a weight."""
    rng = np.random.default_rng(5)
    n = 600
    age, height = rng.uniform(18, 90, n).round(1), rng.normal(170, 10, n).round(2)
    city = rng.choice(["Oslo", "Rome", "Bonn"], n, p=[0.5, 0.3, 0.2])
    margin = 0.05 * (age - 50) + (city == "Rome") - 0.02 * (height - 170)
    exposure = rng.uniform(0.2, 1.0, n).round(3)
    return pd.DataFrame(
        {
            "age": age,
            "height": height,
            "city": city,
            "label": np.where(rng.random(n) < 1.0 / (1.0 + np.exp(-margin)), "yes", "no"),
            "count": rng.poisson(exposure * np.exp(0.3 * margin)),
            "exposure": exposure,
            "weight": rng.integers(1, 4, n),
            "price": (3.0 * age - height + 20 * (city == "Bonn") + rng.normal(0, 5, n)).round(3),
        }
    )


@pytest.fixture
def csv(table: pd.DataFrame, tmp_path: Path) -> Path:
    """The table as a CSV file."""
    path = tmp_path / "people.csv"
    table.to_csv(path, index=False)
    return path
