"""``daskml-dist show`` tells of models with labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from daskml_dist.cli.show import show
from daskml_dist.linear_model import LinearRegression
from daskml_dist.saving import save
from tests.labelled.world import DIMS, LAND, WORLD, target


def test_one_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = LinearRegression(verbose=0).fit(WORLD, target(missing=False), sample_dims=DIMS)
    save(model, str(tmp_path / "model"))
    show(str(tmp_path / "model"))
    told = capsys.readouterr().out
    assert "1,200 along time, lat, lon" in told
    assert f"sst {float(model.coef_[0]):+.3g}" in told


def test_a_model_for_each_cell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    y = target(missing=False).where(~LAND)
    model = LinearRegression(verbose=0).fit(WORLD.sst, y, fit_over=("lat", "lon"), missing="drop")
    save(model, str(tmp_path / "model"))
    show(str(tmp_path / "model"))
    told = capsys.readouterr().out
    assert "lat (6) x lon (5)" in told
    assert f"{int(y.notnull().sum()):,} along time" in told
    assert "0.0e+00 relative (closed-form)" in told
