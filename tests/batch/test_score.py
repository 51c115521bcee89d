"""Files are scored: every row once, the bits of a server, and the same bytes however often it was killed."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from distributed import Client

from daskml_dist import edge
from daskml_dist.batch import Report, Scorer, score
from daskml_dist.errors import InvalidData
from daskml_dist.linear_model import LogisticRegression, PoissonRegressor, Ridge
from daskml_dist.registry import NotRegistered, Registry

ROWS = 6_000
COLUMNS = ["a", "b", "c"]
DICE = np.random.default_rng(5)
X = DICE.normal(size=(ROWS, 3))
LABELS = np.where(X @ [1.0, -0.5, 0.2] + DICE.logistic(size=ROWS) > 0, "yes", "no")
FRAME = pd.DataFrame(X, columns=COLUMNS)
SMALL = 30_000  # bytes of a piece


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    found = Registry(tmp_path_factory.mktemp("registry"))
    found.register(LogisticRegression(verbose=0).fit(FRAME, LABELS), "m", data=FRAME, target=LABELS)
    counts = DICE.poisson(np.exp(0.3 * X[:, 0]))
    found.register(PoissonRegressor(verbose=0).fit(FRAME, counts), "counts", data=FRAME, target=counts)
    two = np.column_stack([X[:, 0], X[:, 1] - X[:, 2]])
    found.register(Ridge().fit(FRAME, two), "two")
    return found


@pytest.fixture(scope="module")
def model(store: Registry) -> edge.Model:
    return store.load("m")


@pytest.fixture
def parquet(tmp_path: Path) -> Path:
    path = tmp_path / "in.parquet"
    FRAME.assign(id=np.arange(ROWS))[["id", *COLUMNS[::-1]]].to_parquet(path, row_group_size=500)
    return path


def digests(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def check(found: pd.DataFrame, model: edge.Model) -> None:
    """Every row once, in order, with the bits that the model gives one row at a time."""
    assert found["id"].to_list() == list(range(ROWS))
    assert found["prediction"].to_list() == model.predict(X).tolist()
    chance = found[["proba_no", "proba_yes"]].to_numpy()
    for row in (0, 777, ROWS - 1):
        assert chance[row].tobytes() == model.predict_proba(X[row : row + 1])[0].tobytes()
    assert set(found["model_name"]) == {"m"} and set(found["model_version"]) == {1}


def test_parquet(backend: str, parquet: Path, tmp_path: Path, store: Registry, model: edge.Model) -> None:
    out = tmp_path / "out.parquet"
    report = score(parquet, out, "m", registry=store, keep=["id"], blocksize=SMALL)
    assert (report.rows, report.scored, report.drifted) == (ROWS, ROWS, []) and report.parts > 4
    check(pd.read_parquet(out), model)


def test_three_classes(tmp_path: Path, store: Registry) -> None:
    labels = np.digitize(X[:, 0], [-0.5, 0.5])
    store.register(LogisticRegression(verbose=0).fit(FRAME, labels), "three", data=FRAME, target=labels)
    FRAME.to_parquet(tmp_path / "in.parquet")
    score(tmp_path / "in.parquet", tmp_path / "out.parquet", "three", registry=store)
    found, model = pd.read_parquet(tmp_path / "out.parquet"), store.load("three")
    assert found["prediction"].to_list() == model.predict(X).tolist()
    assert found[["proba_0", "proba_1", "proba_2"]].to_numpy().tobytes() == model.predict_proba(X).tobytes()
    scorer, lazy = Scorer("three", store), dd.from_pandas(FRAME, npartitions=3)
    assert scorer.predict(lazy).compute().to_list() == model.predict(X).tolist()
    assert scorer.predict_proba(da.from_array(X, chunks=(999, 3))).compute().tobytes() == (
        model.predict_proba(X).tobytes()
    )


def test_several_targets_of_a_collection(store: Registry) -> None:
    found = Scorer("two", store).predict(FRAME)
    assert found.columns.to_list() == ["prediction_0", "prediction_1"]
    assert found.to_numpy().tobytes() == store.load("two").predict(X).tobytes()
    with pytest.raises(edge.InvalidInput, match="has none; use predict"):
        Scorer("two", store).predict_proba(FRAME)


def test_a_shifted_column_is_told(tmp_path: Path, store: Registry) -> None:
    FRAME.assign(b=FRAME["b"] + 1.0).to_parquet(tmp_path / "in.parquet")
    report = score(tmp_path / "in.parquet", tmp_path / "out.parquet", "m", registry=store)
    assert "b" in report.drifted and "a" not in report.drifted and "c" not in report.drifted


def test_csv(tmp_path: Path, store: Registry, model: edge.Model) -> None:
    source = tmp_path / "in.csv"
    FRAME.assign(id=np.arange(ROWS)).to_csv(source, index=False)
    score(source, tmp_path / "out.csv", "m", registry=store, keep=["id"], blocksize=SMALL)
    parts = sorted((tmp_path / "out.csv").glob("part-*.csv"))
    assert len(parts) > 4
    check(pd.concat([pd.read_csv(path) for path in parts]), model)


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_a_kept_column_that_the_model_uses(
    ending: str, tmp_path: Path, store: Registry, model: edge.Model
) -> None:
    """Scored as a number and kept, of one type although a part of it has whole numbers alone."""
    source, out = tmp_path / "in.csv", tmp_path / f"out.{ending}"
    given = FRAME.round(2).assign(id=[f"{i:05}" for i in range(ROWS)])
    lines = given[["id", *COLUMNS]].to_csv(index=False).splitlines()
    lines[1 : ROWS // 2] = [f"{line.rpartition(',')[0]},7" for line in lines[1 : ROWS // 2]]
    source.write_text("\n".join(lines) + "\n")
    score(source, out, "m", registry=store, keep=["id", "c"], blocksize=SMALL)
    read = pd.read_parquet if ending == "parquet" else pd.read_csv
    parts = [read(path) for path in sorted(out.glob(f"part-*.{ending}"))]
    assert len(parts) > 2
    found, rows = pd.concat(parts, ignore_index=True), pd.read_csv(source)
    assert found["c"].to_list() == rows["c"].to_list()
    assert found["prediction"].to_list() == model.predict(rows[COLUMNS].to_numpy()).tolist()
    if ending == "parquet":
        assert {part["c"].dtype for part in parts} == {np.dtype(float)} and found["id"][7] == "00007"
    else:
        assert (out / "part-000000.csv").read_text().splitlines()[8].startswith("00007,7,")


def test_a_finished_scoring_has_nothing_to_do(parquet: Path, tmp_path: Path, store: Registry) -> None:
    out = tmp_path / "out.parquet"
    first = score(parquet, out, "m", registry=store, blocksize=SMALL)
    before = digests(out)
    again = score(parquet, out, "m", registry=store, blocksize=SMALL)
    assert (again.scored, again.rows, again.drift) == (0, first.rows, first.drift)
    next(out.glob("part-*")).unlink()
    assert 0 < score(parquet, out, "m", registry=store, blocksize=SMALL).scored < ROWS
    assert digests(out) == before


KILLED = """
import sys, os
from daskml_dist.batch import score
told = lambda rows, left: print(rows, flush=True)
score(*sys.argv[1:4], registry=sys.argv[4], keep=["id"], blocksize=30_000, scheduler="threads", told=told)
"""


def test_killed_and_started_again(parquet: Path, tmp_path: Path, store: Registry, model: edge.Model) -> None:
    """At several moments: what is there in the end is what an undisturbed call writes."""
    whole, out = tmp_path / "whole.parquet", tmp_path / "out.parquet"
    undisturbed = score(parquet, whole, "m", registry=store, keep=["id"], blocksize=SMALL)
    lines = 0
    for after in (1, 3):
        call = [sys.executable, "-c", KILLED, str(parquet), str(out), "m", store.url]
        with subprocess.Popen(call, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(after):
                lines += bool(process.stdout.readline())
            os.kill(process.pid, signal.SIGKILL)
    assert lines > 2
    report = score(parquet, out, "m", registry=store, keep=["id"], blocksize=SMALL)
    assert (report.rows, report.drift) == (undisturbed.rows, undisturbed.drift)
    check(pd.read_parquet(out), model)
    assert {name: digest for name, digest in digests(out).items() if not name.startswith(".")} == digests(
        whole
    )


def test_cells_of_a_zarr_store(backend: str, tmp_path: Path, store: Registry) -> None:
    coords = {
        "time": np.arange("2020-01-01", "2020-02-10", dtype="M8[D]"),
        "lat": [1.5, 2.5],
        "lon": [0, 1, 2],
    }
    cells = X[: 40 * 6].reshape(40, 2, 3, 3)
    data = {name: (("time", "lat", "lon"), cells[..., i]) for i, name in enumerate(COLUMNS)}
    xr.Dataset(data, coords).chunk({"time": 8}).to_zarr(tmp_path / "in.zarr", zarr_format=2)
    report = score(tmp_path / "in.zarr", tmp_path / "out.zarr", "counts", registry=store, blocksize=1)
    found = xr.open_zarr(tmp_path / "out.zarr")
    assert (report.rows, report.parts) == (240, 5) and found["prediction"].dims == ("time", "lat", "lon")
    assert found["prediction"].chunks[0] == (8,) * 5 and found["time"].equals(
        xr.Dataset(coords=coords)["time"]
    )
    expected = store.load("counts").predict(X[:240])
    assert found["prediction"].values.ravel().tobytes() == expected.tobytes()
    again = score(tmp_path / "in.zarr", tmp_path / "out.zarr", "counts", registry=store, blocksize=1)
    assert again.scored == 0


def test_netcdf_and_several_targets(tmp_path: Path, store: Registry) -> None:
    source = xr.Dataset({name: ("row", X[:100, i]) for i, name in enumerate(COLUMNS)})
    source.to_netcdf(tmp_path / "in.nc")
    report = score(tmp_path / "in.nc", tmp_path / "out.zarr", "two", registry=store)
    found = xr.open_zarr(tmp_path / "out.zarr")
    assert report.drift is None and report.rows == 100
    both = np.column_stack([found["prediction_0"].values, found["prediction_1"].values])
    assert both.tobytes() == store.load("two").predict(X[:100]).tobytes()


# ---------------------------------------------------------------------------------- what is refused


def refused(*given: Any, **options: Any) -> str:
    with pytest.raises(InvalidData) as caught:
        score(*given, **options)
    return str(caught.value)


def test_columns_that_are_not_there(tmp_path: Path, store: Registry) -> None:
    FRAME.rename(columns={"b": "B"}).to_parquet(tmp_path / "in.parquet")
    message = refused(tmp_path / "in.parquet", tmp_path / "out.parquet", "m", registry=store)
    assert "has no column 'b'; did you mean 'B'?" in message
    message = refused(tmp_path / "in.parquet", tmp_path / "out.parquet", "m", registry=store, keep=["idd"])
    assert not (tmp_path / "out.parquet").exists()


def test_values_that_the_model_refuses_are_found(tmp_path: Path, store: Registry) -> None:
    bad = FRAME.copy()
    bad.loc[3_210, "c"] = np.nan
    bad.to_parquet(tmp_path / "in.parquet", row_group_size=500)
    call = (tmp_path / "in.parquet", tmp_path / "out.parquet", "m")
    message = refused(*call, registry=store, blocksize=SMALL)
    assert "column 'c' has values that are missing or infinite" in message and "in.parquet, piece " in message
    bad.to_parquet(tmp_path / "in.parquet", row_group_size=500, compression=None)
    assert "another source" in refused(*call, registry=store, blocksize=SMALL)


def test_text_where_numbers_were(tmp_path: Path, store: Registry) -> None:
    FRAME.assign(c="much").to_csv(tmp_path / "in.csv", index=False)
    message = refused(tmp_path / "in.csv", tmp_path / "out.csv", "m", registry=store)
    assert "column 'c' holds no numbers" in message and "much" not in message


def test_another_scoring_is_left_alone(parquet: Path, tmp_path: Path, store: Registry) -> None:
    out = tmp_path / "out.parquet"
    score(parquet, out, "m", registry=store, blocksize=SMALL)
    before = digests(out)
    assert "another model" in refused(parquet, out, "counts", registry=store, blocksize=SMALL)
    assert "another blocksize" in refused(parquet, out, "m", registry=store)
    assert digests(out) == before
    report = score(parquet, out, "counts", registry=store, overwrite=True)
    assert report.model == "counts/1" and len(list(out.iterdir())) == report.parts


def test_what_somebody_else_made_is_left_alone(parquet: Path, tmp_path: Path, store: Registry) -> None:
    (tmp_path / "mine.parquet").mkdir()
    with pytest.raises(FileExistsError, match="no scoring made it"):
        score(parquet, tmp_path / "mine.parquet", "m", registry=store)


def test_destinations_that_do_not_go_with_the_source(parquet: Path, tmp_path: Path, store: Registry) -> None:
    assert "ends in .parquet or .csv" in refused(parquet, tmp_path / "out.zarr", "m", registry=store)
    xr.Dataset({name: ("row", X[:9, i]) for i, name in enumerate(COLUMNS)}).to_netcdf(tmp_path / "in.nc")
    assert "ends in .zarr" in refused(tmp_path / "in.nc", tmp_path / "out.parquet", "m", registry=store)


def test_no_such_model(parquet: Path, tmp_path: Path, store: Registry) -> None:
    with pytest.raises(NotRegistered):
        score(parquet, tmp_path / "out.parquet", "n@champion", registry=store)


@pytest.mark.slow
def test_a_million_rows_and_a_dead_worker(tmp_path: Path, store: Registry) -> None:
    """Parquet to Parquet on a cluster; a worker is killed, then everything is, and it is started again."""
    from tests.cluster.nemesis import own_cluster

    rows = 1_000_000
    dice = np.random.default_rng(0)
    big = pd.DataFrame(dice.normal(size=(rows, 3)), columns=COLUMNS).assign(id=np.arange(rows))
    big.to_parquet(tmp_path / "in.parquet", row_group_size=20_000)
    options: dict[str, Any] = {"registry": store, "keep": ["id"], "blocksize": 1}
    whole = score(tmp_path / "in.parquet", tmp_path / "whole.parquet", "m", **options)

    class Enough(Exception): ...

    def half(scored: int, left: int) -> None:
        if scored > rows // 2:
            raise Enough

    with own_cluster(2) as cluster, Client(cluster) as client:
        client.wait_for_workers(2, timeout=60)
        victim = next(iter(cluster.workers.values())).pid
        killed: list[float] = []

        def kill(scored: int, left: int) -> None:
            if scored > rows // 4 and not killed:
                killed.append(time.monotonic())
                os.kill(victim, signal.SIGKILL)
            half(scored, left)

        call: Any = (tmp_path / "in.parquet", tmp_path / "out.parquet", "m")
        with pytest.raises(Enough):
            score(*call, **options, scheduler=client, told=kill)
        report: Report = score(*call, **options, scheduler=client)
    assert killed and report.rows == rows and 0 < report.scored < rows and report.drift == whole.drift
    assert digests(tmp_path / "out.parquet") == digests(tmp_path / "whole.parquet")
    assert (pd.read_parquet(tmp_path / "out.parquet")["id"].to_numpy() == np.arange(rows)).all()
