"""A cluster of batch jobs, here those of dask-jobqueue's own queue, which runs them on this machine."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask.array as da
import pytest
from distributed import Client

from daskml_dist.linear_model import LogisticRegression
from tests.cluster.nemesis import at_question, kill_all, seeded

jobqueue = pytest.importorskip("dask_jobqueue.local", reason="dask-jobqueue is not installed")

pytestmark = [
    pytest.mark.timeout(600),
    # this queue, which is made for tests, neither waits for its jobs nor closes their pipes
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """Two jobs of one worker each."""
    with (
        jobqueue.LocalCluster(
            cores=1,
            processes=1,
            memory="1GiB",
            interface="lo",
            death_timeout=120,
            local_directory=str(tmp_path),
            log_directory=str(tmp_path),
            scheduler_options={"dashboard_address": ":0"},
            silence_logs=logging.CRITICAL,
        ) as jobs,
        Client(jobs) as connected,
    ):
        jobs.scale(jobs=2)
        connected.wait_for_workers(2, timeout=200)
        yield connected
    gc.collect()


def fitted(scheduler: Any, X: da.Array, y: da.Array) -> Any:
    return LogisticRegression(verbose=0, solver="lbfgs", tol=1e-12, scheduler=scheduler).fit(X, y)


@pytest.mark.slow
def test_a_fit_in_jobs(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bits as in threads, also when the workers of all jobs die on the way."""
    X, y, _ = seeded()
    expected = fitted("threads", X, y)
    found = fitted(client, X, y)
    assert found.coef_.tobytes() == expected.coef_.tobytes()
    assert found.n_passes_ == expected.n_passes_
    at_question(4, lambda: kill_all(client), monkeypatch)
    found = fitted(client, X, y)
    assert found.coef_.tobytes() == expected.coef_.tobytes()
