"""Fixtures that every room's tests share: the data sets, a cluster, and both backends."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import dask
import pytest
from distributed import Client, LocalCluster
from distributed.utils import get_mp_context

ROOT = Path(__file__).resolve().parents[1]

dask.config.set(
    {
        "distributed.comm.timeouts.connect": "30s",  # two busy cores start processes slowly
        "distributed.diagnostics.nvml": False,
        "distributed.worker.multiprocessing-method": "forkserver",
        # an idle cluster of two workers takes a sixth of a core to watch itself; each test process has one
        "distributed.worker.profile.enabled": False,
        "distributed.worker.memory.monitor-interval": "500ms",
        "distributed.admin.system-monitor.interval": "1s",
        "distributed.admin.tick.interval": "1s",
    }
)
# a worker imports for 5 seconds; one that is forked from a process that has imported is there at once
get_mp_context().set_forkserver_preload(["distributed", "daskml_dist.linear_model", "tests.cluster.kinds"])
logging.getLogger("distributed").setLevel(logging.CRITICAL)


@pytest.hookimpl(tryfirst=True)  # before pytest leaves out what is slow
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Some of the cases of a test suffice for make test; make slow has the others.

    Of tests marked ``few_clusters`` one case runs on a cluster, of those marked ``thinned(n)`` one in n runs.
    """
    clusters: Counter[str] = Counter()
    cases: Counter[str] = Counter()
    for item in items:
        case, test = getattr(item, "callspec", None), item.nodeid.split("[")[0]
        if item.get_closest_marker("few_clusters") and case and case.params.get("backend") == "cluster":
            clusters[test] += 1
            if clusters[test] > 1:
                item.add_marker(pytest.mark.slow)
        thinned = item.get_closest_marker("thinned")
        if thinned and not item.get_closest_marker("slow"):
            cases[test] += 1
            # by name, since every nth in order may always be the same value of a parameter
            if cases[test] > 1 and crc32(item.nodeid.encode()) % thinned.args[0]:
                item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets."""
    folder = Path(os.environ.get("DASKML_DIST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no real data here: set DASKML_DIST_DATA to the folder that holds the data sets")
    return folder


@pytest.fixture(scope="session")
def cluster() -> Iterator[LocalCluster]:
    """Two worker processes of one thread each, kept for the whole session.

    A test that kills or adds workers starts a cluster of its own.
    """
    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        memory_limit="2GiB",
        dashboard_address=":0",
        silence_logs=logging.CRITICAL,
    ) as running:
        yield running


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[Client]:
    """A client of the session's cluster, the default one while the test runs."""
    with Client(cluster, set_as_default=True) as connected:
        connected.wait_for_workers(2, timeout=60)
        yield connected


@pytest.fixture(params=["threads", "cluster"])
def backend(request: pytest.FixtureRequest) -> str:
    """Run the test twice: without a client, and with a default client of two workers."""
    name: str = request.param
    if name == "cluster":
        request.getfixturevalue("client")
    return name
