"""Bad usage and bad data: exit code 2 and one line that says what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--target", "lable"], "did you mean 'label'?"),
        (["--target", "LABEL"], "did you mean 'label'?"),
        (["--target", "qqqqqq"], "there are age, height, city, label"),
        (["--target", "label", "--weight", "wait"], "--weight: "),
        (["--target", "label", "--drop", "age,hight"], "did you mean 'height'"),
        (["--target", "label", "--drop", "label"], "--drop: label cannot be dropped"),
        (
            ["--target", "label", "--drop", "age,height,city,count,exposure,weight,price"],
            "no columns beside label",
        ),
        (
            ["--target", "label", "--model", "ridge"],
            "holds text such as 'no', and --model ridge needs numbers",
        ),
        (["--target", "price", "--model", "logistic"], "price holds numbers with fractions"),
        (["--target", "price", "--model", "poisson"], "is negative in"),
        (["--target", "label", "--exposure", "exposure"], "--exposure is for --model poisson"),
        (["--target", "label", "--weight", "city"], "--weight: city does not hold numbers"),
        (["--target", "count", "--model", "poisson", "--exposure", "price"], "price is negative in"),
        (
            ["--target", "label", "--categories", "refuse"],
            "column city holds text; --categories onehot, or --drop city",
        ),
        (["--target", "label", "--max-levels", "2"], "with more than 2 different values; --drop city"),
        (
            ["--target", "label", "--alpha", "1"],
            "--alpha is for ridge and poisson, and the model is logistic",
        ),
        (["--target", "price", "--C", "1"], "--C is for logistic, and the model is ridge"),
        (["--target", "price", "--checkpoint", "x"], "--checkpoint is for logistic and poisson"),
        (["--target", "label", "--C", "-1"], "C must be a number > 0"),
        (["--target", "label", "--test-size", "1"], "'1' is no share from 0 to below 1"),
        (["--target", "label", "--workers", "0"], "'0' is no whole number from 1 up"),
        (["--target", "label", "--memory-limit", "1GiB"], "give --workers too"),
        (["--target", "label", "--overwrite"], "--overwrite needs --out"),
        (["--target", "label", "--workers", "1", "--scheduler", "tcp://a:1"], "not allowed with"),
        (["--target", "label", "--model", "forest"], "invalid choice: 'forest'"),
        (["--target", "label", "--blocksize", "big"], "'big' is no size such as 2GiB"),
        ([], "the following arguments are required: --target"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_usage_and_columns(arguments: list[str], says: str, csv: Path, refused: Callable) -> None:
    assert says in refused("fit", csv, *arguments)


def test_no_such_file(csv: Path, refused: Callable) -> None:
    message = refused("fit", csv.with_name("poeple.csv"), "--target", "label")
    assert "there is no such file; did you mean" in message
    assert "people.csv?" in message


def test_missing_values_are_counted_by_column(table: pd.DataFrame, tmp_path: Path, refused: Callable) -> None:
    table.loc[3:7, "age"] = np.nan
    table.loc[10, "city"] = None
    table.to_csv(tmp_path / "t.csv", index=False)
    message = refused("fit", tmp_path / "t.csv", "--target", "label")
    assert "missing values in age (5), city (1) of 600 rows; give --missing impute" in message


def test_a_missing_target_is_counted(
    table: pd.DataFrame, tmp_path: Path, refused: Callable, run: Callable
) -> None:
    table.loc[3:7, "price"] = np.nan
    table.to_csv(tmp_path / "t.csv", index=False)
    message = refused("fit", tmp_path / "t.csv", "--target", "price")
    assert "price is missing in 5 of 600 rows" in message
    assert (
        "left out: 5 rows without price"
        in run("fit", tmp_path / "t.csv", "--target", "price", "--missing", "impute").out
    )


def _text(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("t.csv", "", "is empty: a header line"),
        ("t.csv", "x,y\n", "has no rows"),
        ("t.csv", "x;z;y\n1;2;3\n", "give --sep ';'"),
        ("t.csv", "x,y\n1,2,3\n4,5,6\n", "more fields than the 2 names of the header"),
        ("t.csv", "x,y\n1,2\n4,5,6\n", "cannot be read as CSV"),
        ("t.csv", b"x,y\n\xff\xfe,2\n", "is not in UTF-8"),
        ("t.csv.gz", b"\x1f\x8b\x08\x00", "cannot be read as CSV"),
        ("t.csv.gz", "x,y\n1,2\n", "cannot be read as CSV"),
        ("t.csv", "x,y\n1,2\ninf,3\n4,2\n", "column x holds infinity"),
        ("t.csv", "x,y\n1,2\n3,inf\n4,2\n", "--target: y is infinite in 1 rows"),
        ("t.csv", "x,y\n,1\n,2\n,3\n", "missing values in x (3)"),
        ("t.parquet", "", "cannot be read as Parquet"),
        ("t.parquet", "PAR1 and not much more", "cannot be read as Parquet"),
        ("t.nc", "CDF and not much more", "cannot be read as netcdf"),
        ("t.zarr", "no directory", "cannot be read as zarr"),
        ("t.xlsx", "x", "cannot tell from its name what kind of file it is"),
    ],
)
def test_bad_files(name: str, content: str | bytes, says: str, tmp_path: Path, refused: Callable) -> None:
    message = refused("fit", _text(tmp_path / name, content), "--target", "y", "--test-size", "0")
    assert says in message


def test_a_truncated_parquet_file(table: pd.DataFrame, tmp_path: Path, refused: Callable) -> None:
    table.to_parquet(tmp_path / "t.parquet")
    whole = (tmp_path / "t.parquet").read_bytes()
    (tmp_path / "t.parquet").write_bytes(whole[: len(whole) // 2])
    assert "t.parquet cannot be read as Parquet: its end is missing" in refused(
        "fit", tmp_path / "t.parquet", "--target", "label"
    )


def test_a_parquet_file_damaged_inside(table: pd.DataFrame, tmp_path: Path, refused: Callable) -> None:
    table.to_parquet(tmp_path / "t.parquet", compression="gzip")
    whole = bytearray((tmp_path / "t.parquet").read_bytes())
    whole[40:400] = bytes(360)
    (tmp_path / "t.parquet").write_bytes(bytes(whole))
    assert "t.parquet cannot be read as Parquet" in refused(
        "fit", tmp_path / "t.parquet", "--target", "label"
    )


@pytest.mark.filterwarnings("ignore:.*(Zarr|Consolidated).*:UserWarning")
def test_a_zarr_chunk_that_is_truncated_is_named(tmp_path: Path, refused: Callable) -> None:
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"x": rng.normal(size=400), "y": rng.normal(size=400)}).to_xarray()
    data.to_zarr(tmp_path / "t.zarr", encoding={"x": {"chunks": (100,)}, "y": {"chunks": (100,)}})
    chunk = tmp_path / "t.zarr" / "x" / "c" / "2"
    chunk.write_bytes(chunk.read_bytes()[:100])
    message = refused("fit", tmp_path / "t.zarr", "--target", "y")
    assert "t.zarr: variable x, chunk 2 (index 200 to 299) cannot be read: " in message


def test_dates_are_refused(table: pd.DataFrame, tmp_path: Path, refused: Callable) -> None:
    table["day"] = pd.Timestamp("2020-01-01")
    table.to_parquet(tmp_path / "t.parquet")
    assert "column day holds dates or times; --drop day" in refused(
        "fit", tmp_path / "t.parquet", "--target", "label"
    )


def test_files_of_other_columns(table: pd.DataFrame, tmp_path: Path, refused: Callable) -> None:
    table.to_csv(tmp_path / "a.csv", index=False)
    table.drop(columns="age").to_csv(tmp_path / "b.csv", index=False)
    assert "b.csv has other columns than" in refused("fit", tmp_path / "*.csv", "--target", "label")


def test_row_numbers_are_left_out(table: pd.DataFrame, tmp_path: Path, run: Callable) -> None:
    table.to_csv(tmp_path / "t.csv")
    assert "left out: Unnamed: 0" in run("fit", tmp_path / "t.csv", "--target", "label").out


def test_an_output_that_exists(csv: Path, tmp_path: Path, refused: Callable, run: Callable) -> None:
    model = tmp_path / "model"
    assert run("fit", csv, "--target", "label", "--out", model).code == 0
    assert "holds a model already; give --overwrite" in refused(
        "fit", csv, "--target", "label", "--out", model
    )
    assert run("fit", csv, "--target", "label", "--out", model, "--overwrite").code == 0
    assert "exists and is no model" in refused("fit", csv, "--target", "label", "--out", tmp_path)
    assert "exists and is no model" in refused("fit", csv, "--target", "label", "--out", csv)


def test_no_scheduler_there(csv: Path, refused: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    from daskml_dist.cli import clusters

    monkeypatch.setattr(clusters, "CONNECT", 0.5)
    message = refused("fit", csv, "--target", "label", "--scheduler", "tcp://127.0.0.1:9")
    assert "--scheduler: tcp://127.0.0.1:9 cannot be reached" in message


def test_show_without_a_model(tmp_path: Path, refused: Callable) -> None:
    assert "there is no model at" in refused("show", tmp_path / "nothing")
