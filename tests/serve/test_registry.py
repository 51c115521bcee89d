"""From a fit to a served version: aliases are followed, rolled back, and refused where they are bad."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from daskml_dist import serve
from daskml_dist.errors import UnsupportedParameter
from daskml_dist.linear_model import LogisticRegression
from daskml_dist.registry import Registry
from daskml_dist.serve.access import Access
from tests.serve.conftest import Deployment, end, start_gateway


def test_a_promoted_alias_is_served(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    X = random.normal(size=(400, 3))
    store = Registry(tmp_path / "registry")
    models = []
    for seed in (0, 1):
        y = (X @ [1.0, -1.0, seed + 0.5] + random.normal(size=400) > 0).astype(int)
        models.append(LogisticRegression().fit(X, y))
        store.register(models[-1], "toy", data=X, target=y)
    store.promote("toy", 1, alias="champion")
    folder = tmp_path / "deployment"
    arguments = ["--registry", str(tmp_path / "registry"), "--guard", "0.1", "--replicas", "1"]
    process, told = start_gateway(folder, "toy@champion", *arguments)
    deployment = Deployment(process, told, folder, told["token"], tmp_path)
    try:
        load = deployment.load(connections=2, pause=0.02).start()
        store.promote("toy", 2, alias="champion")
        until(deployment, "2")
        assert deployment.admin("POST", "/rollback").json() == {"version": "1"}
        assert store.version("toy@champion").number == 1
        time.sleep(1.5)  # what was rolled back is not picked up again
        until(deployment, "1")
        report = load.stop()
        assert report.summary()["failed"] == 0
        assert report.versions.keys() == {"1", "2"}
        version = store.version("toy/2")
        path = Path(str(version.url)) / "weights.safetensors"
        os.chmod(path, 0o600)
        path.write_bytes(b"spoilt")
        store.promote("toy", 2, alias="champion")
        for _ in range(100):
            if failed := deployment.status()["versions"].get("2", {}).get("failed"):
                break
            time.sleep(0.1)
        assert "damaged" in failed
        assert deployment.status()["current"] == "1"
    finally:
        end(process)


def until(deployment: Deployment, version: str) -> None:
    for _ in range(200):
        status = deployment.status()
        if status["current"] == version and status["rolling"] is None:
            return
        time.sleep(0.1)
    raise AssertionError(deployment.status())


def test_deploy_from_python(tmp_path: Path, versions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASKML_DIST_SERVE", str(tmp_path))
    with pytest.raises(Exception, match="golden"):
        serve.deploy(str(versions / "9"))
    deployment = serve.deploy(str(versions / "1"), replicas=1)
    try:
        assert deployment.status()["state"] == "ready"
        assert deployment.canary(str(versions / "2"), 10) == "2"
        with pytest.raises(UnsupportedParameter, match="percent=nan: expected a number from 0 to 100"):
            deployment.canary("toy/2", float("nan"))
        assert deployment.canary("toy/2", 0) == "2"
        with pytest.raises(Exception, match="no version was served"):
            deployment.rollback()
        deployment.scale(2)
    finally:
        deployment.stop()
    with pytest.raises(Exception, match="not served"):
        Access.of("toy")
