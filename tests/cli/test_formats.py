"""The same table in every format, in one piece and in many, gives the same model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from daskml_dist import load

TARGET = ("--target", "label", "--drop", "count,exposure,weight,price", "--test-size", "0", "--tol", "1e-12")


def _csv(table: pd.DataFrame, folder: Path) -> Path:
    table.to_csv(folder / "t.csv", index=False)
    return folder / "t.csv"


def _gz(table: pd.DataFrame, folder: Path) -> Path:
    table.to_csv(folder / "t.csv.gz", index=False)
    return folder / "t.csv.gz"


def _tsv(table: pd.DataFrame, folder: Path) -> Path:
    table.to_csv(folder / "t.tsv", index=False, sep="\t")
    return folder / "t.tsv"


def _csv_pattern(table: pd.DataFrame, folder: Path) -> Path:
    for i in range(3):
        table[i * 200 : (i + 1) * 200].to_csv(folder / f"part-{i}.csv", index=False)
    return folder / "part-*.csv"


def _parquet(table: pd.DataFrame, folder: Path) -> Path:
    table.astype({"city": "category"}).to_parquet(folder / "t.parquet", row_group_size=70)
    return folder / "t.parquet"


def _parquet_folder(table: pd.DataFrame, folder: Path) -> Path:
    (folder / "many").mkdir()
    for i in range(3):
        table[i * 200 : (i + 1) * 200].to_parquet(folder / "many" / f"part-{i}.parquet")
    return folder / "many"


def _zarr(table: pd.DataFrame, folder: Path) -> Path:
    data = table.astype({"city": object, "label": object}).to_xarray().drop_vars("index")
    data = data.assign(city=data.city.astype("U4"), label=data.label.astype("U3"))
    data.to_zarr(folder / "t.zarr", zarr_format=2, encoding={name: {"chunks": (90,)} for name in table})
    return folder / "t.zarr"


def _netcdf(table: pd.DataFrame, folder: Path) -> Path:
    table.to_xarray().to_netcdf(folder / "t.nc")
    return folder / "t.nc"


def _named(model: object) -> dict[str, float]:
    """Coefficients by name: Zarr keeps no order of its variables."""
    return dict(zip(model.feature_names_in_, model.coef_[0], strict=True))


@pytest.fixture
def expected(csv: Path, tmp_path: Path, run: Callable) -> object:
    assert run("fit", csv, *TARGET, "--out", tmp_path / "expected").code == 0
    return load(str(tmp_path / "expected"))


@pytest.mark.thinned(2)
@pytest.mark.parametrize("blocksize", ["0", "4kB"])
@pytest.mark.parametrize(
    "write",
    [_csv, _gz, _tsv, _csv_pattern, _parquet, _parquet_folder, _zarr, _netcdf],
    ids=lambda f: f.__name__,
)
@pytest.mark.filterwarnings("ignore:.*Zarr format 2.*:UserWarning")
def test_every_format(
    write: Callable,
    blocksize: str,
    expected: object,
    table: pd.DataFrame,
    tmp_path: Path,
    run: Callable,
) -> None:
    path = write(table, tmp_path)
    ran = run("fit", path, *TARGET, "--blocksize", blocksize, "--out", tmp_path / "model")
    assert (ran.code, ran.err) == (0, "")
    model = load(str(tmp_path / "model"))
    assert model.classes_.tolist() == ["no", "yes"]
    assert sorted(model.feature_names_in_) == ["age", "city=Bonn", "city=Oslo", "city=Rome", "height"]
    assert _named(model) == pytest.approx(_named(expected), rel=1e-6)
    np.testing.assert_allclose(model.intercept_, expected.intercept_, rtol=1e-6)


def test_a_pattern_of_letters(table: pd.DataFrame, tmp_path: Path, run: Callable) -> None:
    _csv_pattern(table, tmp_path)
    assert (
        "rows         400 to train on in 2 partitions" in run("fit", tmp_path / "part-[01].csv", *TARGET).out
    )


def test_small_pieces_are_pieces(csv: Path, run: Callable) -> None:
    assert "in 1 partition," in run("fit", csv, *TARGET).out
    assert "in 6 partitions," in run("fit", csv, *TARGET, "--blocksize", "4kB").out


def test_cells_of_a_grid_are_rows(tmp_path: Path, run: Callable) -> None:
    import xarray as xr

    rng = np.random.default_rng(0)
    heat = rng.normal(size=(20, 3, 4))
    band = rng.normal(size=(20, 3, 4, 2))
    height = rng.normal(size=(3, 4))
    rain = 2.0 * heat - band[..., 1] + 0.5 * height + 1.0
    xr.Dataset(
        {
            "heat": (("time", "lat", "lon"), heat),
            "band": (("time", "lat", "lon", "wave"), band),
            "height": (("lat", "lon"), height),
            "rain": (("time", "lat", "lon"), rain),
            "station": (("station",), [1.0, 2.0]),
        },
        coords={"wave": ["red", "blue"], "lat": [1.0, 2.0, 3.0]},
    ).drop_vars("station").assign({"noise": ("place", [0.0, 1.0, 2.0])}).to_zarr(
        tmp_path / "grid.zarr", zarr_format=2
    )
    ran = run(
        "fit", tmp_path / "grid.zarr", "--target", "rain", "--model", "linear", "--blocksize", "1kB",
        "--out", tmp_path / "model",
    )  # fmt: skip
    assert ran.code == 0
    assert "noise" in ran.out
    model = load(str(tmp_path / "model"))
    coefficients = dict(zip(model.feature_names_in_, model.coef_, strict=True))
    assert coefficients == pytest.approx(
        {"heat": 2.0, "band[red]": 0.0, "band[blue]": -1.0, "height": 0.5}, abs=1e-10
    )


def test_hive_partitions_are_a_column(table: pd.DataFrame, tmp_path: Path, run: Callable) -> None:
    table.to_parquet(tmp_path / "by", partition_cols=["city"])
    assert run("fit", tmp_path / "by", *TARGET, "--out", tmp_path / "model").code == 0
    assert "city=Rome" in load(str(tmp_path / "model")).feature_names_in_


@pytest.mark.parametrize("name", ["zarr", "netcdf"])
def test_an_extra_that_is_not_installed_is_named(
    name: str, tmp_path: Path, refused: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daskml_dist.files.labelled_files.find_spec", lambda package: None)
    path = tmp_path / f"x.{'nc' if name == 'netcdf' else name}"
    path.mkdir()
    message = refused("fit", path, "--target", "y")
    assert f'pip install "daskml_dist[{name}]"' in message
