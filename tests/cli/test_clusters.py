"""Reading on a cluster: results in order, errors as they are, and no wait without an end."""

from __future__ import annotations

import time

import dask
import pytest
from distributed import Client, LocalCluster

from daskml_dist.cli import clusters
from daskml_dist.errors import ClusterGaveUp, InvalidData


def _bad() -> None:
    raise InvalidData("this file is bad")


def test_results_are_in_order(backend: str) -> None:
    parts = [dask.delayed(pow)(i, 2) for i in range(20)]
    assert clusters.compute(parts) == [i**2 for i in range(20)]


def test_errors_are_those_of_the_piece(backend: str) -> None:
    with pytest.raises(InvalidData, match="this file is bad"):
        clusters.compute([dask.delayed(pow)(1, 2), dask.delayed(_bad)()])


def test_nothing_happens(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "STILL", 0.5)
    with pytest.raises(ClusterGaveUp, match="No piece of the file was read"):
        clusters.compute([dask.delayed(time.sleep)(6.0)])


def test_no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "STILL", 0.5)
    with (
        LocalCluster(n_workers=0, dashboard_address=":0", silence_logs=50) as cluster,
        Client(cluster),
        pytest.raises(ClusterGaveUp, match="more memory"),
    ):
        clusters.compute([dask.delayed(pow)(1, 2)])


def test_a_local_cluster_of_ones_own() -> None:
    with clusters.connected(1, None, "1GiB") as client:
        assert client is not None
        assert clusters.compute([dask.delayed(pow)(3, 2)]) == [9]
    with clusters.connected(None, None) as nothing:
        assert nothing is None
