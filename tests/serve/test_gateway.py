"""A gateway over HTTP: who may ask, what is passed on, limits, metrics, and bodies of every size."""

from __future__ import annotations

import json
import ssl
import subprocess
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import httpx
import numpy as np
import pytest
import tritonclient.http as triton

from benchmarks.http_load import Load
from daskml_dist.cli import main
from daskml_dist.security import Tokens, verify_audit
from tests.serve import model_directories
from tests.serve.conftest import BODY, ROUTERS, Deployment, end, start_gateway


@pytest.fixture(scope="module", params=ROUTERS)
def gateway(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, versions: Path
) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("gateway") / "deployment"
    arguments = [
        "--router",
        request.param,
        "--sticky",
        "x-user",
        "--guard",
        "0.1",
        "--max-json-bytes",
        "8000000",
    ]
    process, told = start_gateway(folder, str(versions / "1"), *arguments)
    yield Deployment(process, told, folder, told["token"], versions)
    end(process)


@cache
def client() -> httpx.Client:
    return httpx.Client(timeout=30)


def ask(gateway: Deployment, path: str = "infer", **settings: object) -> httpx.Response:
    headers = {"authorization": f"Bearer {gateway.token}"} | dict(settings.pop("headers", {}))  # type: ignore[call-overload]
    url = f"{gateway.told['url']}/v2/models/toy/{path}"
    return client().post(url, content=settings.pop("body", BODY), headers=headers)  # type: ignore[arg-type]


def test_answers_are_passed_on(gateway: Deployment) -> None:
    response = ask(gateway)
    assert response.json()["outputs"][0]["data"] == [15.0]
    assert response.headers["x-model-version"] == "1"
    assert ask(gateway, "versions/1/infer").status_code == 200
    assert ask(gateway, "versions/7/infer").status_code == 404
    assert ask(gateway, "explain").json()["features"] == ["f0", "f1", "f2"]
    assert ask(gateway, "feedback", body=b'{"prediction":[1.0],"label":[2.0]}').json() == {"rows": 1}
    assert ask(gateway, body=b"{").status_code == 400
    assert ask(gateway, "nothing").status_code == 404


def test_triton_is_a_client_of_the_gateway(gateway: Deployment) -> None:
    headers = {"authorization": f"Bearer {gateway.token}"}
    with triton.InferenceServerClient(gateway.told["url"].removeprefix("http://")) as client:
        assert client.is_server_live() and client.is_server_ready()
        assert client.is_model_ready("toy", headers=headers)
        given = triton.InferInput("x", [2, 3], "FP64")
        given.set_data_from_numpy(np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]]))
        assert client.infer("toy", [given], headers=headers).as_numpy("prediction").tolist() == [15.0, 1.0]


def test_curl_is_a_client(gateway: Deployment) -> None:
    url = f"{gateway.told['url']}/v2/models/toy"
    done = subprocess.run(
        ["curl", "-sS", "-H", f"Authorization: Bearer {gateway.token}", "-d", BODY.decode(), f"{url}/infer"],
        capture_output=True,
        timeout=30,
        check=True,
    )
    assert json.loads(done.stdout)["outputs"][0]["data"] == [15.0]
    done = subprocess.run(
        ["curl", "-sS", "-w", "%{http_code}", url], capture_output=True, timeout=30, check=True
    )
    assert done.stdout.endswith(b"401")


def test_tokens_have_scopes_and_end(gateway: Deployment) -> None:
    tokens = Tokens(gateway.folder / "tokens.json")
    identity, secret = tokens.create(["explain:toy"])
    bearer = {"authorization": f"Bearer {secret}"}
    until(200, gateway, "explain", bearer)  # what is new counts a second later
    assert ask(gateway, headers=bearer).status_code == 403
    tokens.revoke(identity)
    until(401, gateway, "explain", bearer)
    admin = json.loads((gateway.folder / "admin.json").read_text())["url"]
    assert httpx.get(f"{admin}/status").status_code == 401


def until(status: int, gateway: Deployment, path: str, headers: dict[str, str]) -> None:
    for _ in range(100):
        if ask(gateway, path, headers=headers).status_code == status:
            return
        time.sleep(0.1)
    raise AssertionError(f"never {status}")


def test_metrics_are_summed(gateway: Deployment) -> None:
    with gateway.load(requests=40) as load:
        load.wait()
    headers = {"authorization": f"Bearer {gateway.token}"}
    text = httpx.get(f"{gateway.told['url']}/metrics", headers=headers).text
    rows = next(line for line in text.splitlines() if line.startswith("daskml_rows_total{"))
    assert float(rows.split()[-1]) >= 40
    assert "daskml_replica_up" in text and 'daskml_replicas_ready{model="toy",version="1"} 2.0' in text


@pytest.mark.parametrize("size", [28_000, 300_000, 5_000_000])
def test_bodies_of_every_size(gateway: Deployment, size: int) -> None:
    rows = max(1, min(10_000, size // 24))
    X = np.random.default_rng(0).normal(size=(rows, 3))
    tensor = {
        "name": "x",
        "shape": [rows, 3],
        "datatype": "FP64",
        "parameters": {"binary_data_size": X.nbytes},
    }
    output = {"name": "prediction", "parameters": {"binary_data": True}}
    head = json.dumps({"inputs": [tensor], "outputs": [output]}).encode()
    length = {"inference-header-content-length": str(len(head))}
    response = ask(gateway, body=head + X.tobytes(), headers=length)
    assert response.status_code == 200, response.text
    at = int(response.headers["inference-header-content-length"])
    np.testing.assert_allclose(np.frombuffer(response.content[at:]), 1.0 + X @ [1.0, 2.0, 3.0])
    padded = BODY[:-1] + b" " * (size - len(BODY)) + b"}"
    assert ask(gateway, body=padded).status_code == 200


def test_a_canary_is_sticky(gateway: Deployment) -> None:
    path = str(gateway.models / "2")
    assert gateway.admin("POST", "/canary", version=path, percent=30).status_code == 200
    users = [f"user{i}" for i in range(60)]
    first = [ask(gateway, headers={"x-user": user}).headers["x-model-version"] for user in users]
    assert first == [ask(gateway, headers={"x-user": user}).headers["x-model-version"] for user in users]
    assert 5 <= first.count("2") <= 35
    assert gateway.admin("POST", "/rollback").json() == {"version": "1"}  # that is served in the end
    status = gateway.status()
    assert (status["versions"].keys(), status["current"]) == ({"1"}, "1")
    assert [(e["what"], e["version"]) for e in status["events"][-2:]] == [
        ("rollback", "1"),
        ("rollback done", "1"),
    ]
    entry = json.loads((gateway.folder / "audit.jsonl").read_text().splitlines()[-1])
    assert (entry["what"], entry["result"], entry["version"]) == ("rollback", "done", "1")


def test_too_many_are_told_to_come_again(tmp_path: Path, versions: Path) -> None:
    arguments = ["--rate", "5", "--replicas", "1", "--queue", "1"]
    process, told = start_gateway(tmp_path / "deployment", str(versions / "1"), *arguments)
    try:
        statuses = (
            Load(f"{told['url']}/v2/models/toy/infer", BODY, token=told["token"], connections=4, requests=60)
            .start()
            .wait()
            .statuses
        )
        assert statuses.keys() == {200, 429}
        deployment = Deployment(process, told, tmp_path / "deployment", told["token"], versions)
        refused = [r for _ in range(30) if (r := ask(deployment)).status_code == 429]
        assert int(refused[0].headers["retry-after"]) >= 1
    finally:
        end(process)


def test_commands_and_the_audit_log(
    tmp_path: Path, versions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "deployment"
    process, told = start_gateway(folder, str(versions / "1"), "--tls", "--guard", "0.1")

    def run(*arguments: str) -> tuple[int, str]:
        code = main([arguments[0], "toy", *arguments[1:], "--folder", str(folder)])
        return code, "".join(capsys.readouterr())

    try:
        assert told["url"].startswith("https://")
        with pytest.raises(httpx.HTTPError):
            httpx.get(told["url"].replace("https", "http") + "/v2/health/live")
        context = ssl.create_default_context(cafile=folder / "tls" / "ca.pem")
        assert httpx.get(f"{told['url']}/v2/health/live", verify=context).status_code == 200
        assert "version 1: 2 of 2 ready" in run("status")[1]
        assert run("roll", str(versions / "2")) == (0, "toy: version 2 is served\n")
        code, said = run("roll", str(versions / "9"))
        assert (code, "golden" in said) == (2, True)
        assert run("scale", "1") == (0, "toy: 1 replicas\n")
        assert run("rollback") == (0, "toy: version 1 is served\n")
        assert "shown once" in run("tokens", "create")[1]
        assert "predict:toy" in run("tokens", "list")[1]
        assert run("stop")[0] == 0
        assert process.wait(30) == 0
        assert run("status")[0] == 2
    finally:
        end(process)
    assert verify_audit(folder / "audit.jsonl") == 5


def test_other_machines_are_not_served_without_tls(tmp_path: Path, versions: Path) -> None:
    process, told = start_gateway(tmp_path / "deployment", str(versions / "1"), "--host", "0.0.0.0")
    assert (process.wait(30), told) == (2, {})
    end(process)


def test_nothing_personal_is_written(tmp_path: Path) -> None:
    model = model_directories.people(tmp_path / "people")
    process, told = start_gateway(tmp_path / "deployment", str(model))
    deployment = Deployment(process, told, tmp_path / "deployment", told["token"], tmp_path)
    try:
        for values in (["kanarienvogel"], [4711.47114711]):
            for name, datatype in (("sex", "BYTES"), ("age", "FP64"), ("kanarienvogel", "FP64")):
                tensor = {"name": name, "shape": [1], "datatype": datatype, "data": values}
                ask(deployment, body=json.dumps({"id": "kanarienvogel", "inputs": [tensor]}).encode())
        headers = {"authorization": f"Bearer {deployment.token}"}
        text = httpx.get(f"{told['url']}/metrics", headers=headers).text + json.dumps(deployment.status())
    finally:
        end(process)
    text += "".join(path.read_text() for path in (tmp_path / "deployment").rglob("*") if path.is_file())
    assert "kanarienvogel" not in text and "47114711" not in text
