"""Options of the commands about deployments: refused in one line before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from daskml_dist.security import Tokens


@pytest.mark.parametrize("percent", ["nan", "-1", "100.5", "inf", "half"])
def test_a_percent_is_a_number_from_0_to_100(percent: str, tmp_path: Path, refused: Callable) -> None:
    said = refused("canary", "toy", "2", percent, "--folder", tmp_path)
    assert "the percent must be a number from 0 to 100" in said and percent in said


def test_scopes_without_a_name_are_of_this_model(tmp_path: Path, run: Callable) -> None:
    given = ["--scope", "predict", "--scope", "explain", "--scope", "feedback", "--scope", "metrics"]
    ran = run("tokens", "toy", "create", *given, "--scope", "predict:other", "--folder", tmp_path)
    assert ran.code == 0 and "shown once" in ran.out
    (token,) = Tokens(tmp_path / "tokens.json").list()
    assert token.scopes == {"predict:toy", "explain:toy", "feedback:toy", "metrics", "predict:other"}


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--days", "-1", "the days must be a number above 0"),
        ("--days", "nan", "the days must be a number above 0"),
        ("--days", "1e308", "the days must be a number above 0"),
        ("--scope", "bogus", "'bogus' is no scope; there are predict:NAME"),
    ],
)
def test_odd_tokens_are_refused(
    option: str, value: str, expected: str, tmp_path: Path, refused: Callable
) -> None:
    assert expected in refused("tokens", "toy", "create", option, value, "--folder", tmp_path)
    assert not (tmp_path / "tokens.json").exists()


def test_a_token_for_some_days(tmp_path: Path, run: Callable) -> None:
    assert run("tokens", "toy", "create", "--days", "0.5", "--folder", tmp_path).code == 0
    (token,) = Tokens(tmp_path / "tokens.json").list()
    assert token.expires is not None and token.created is not None
    assert token.expires - token.created == pytest.approx(43_200)
