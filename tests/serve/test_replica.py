"""A replica over HTTP: answers, both shapes of a request, health, metadata, explanations, labels, metrics."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
from scipy.special import expit

from tests.serve import model_directories
from tests.serve.conftest import SECRET, Replica, Starter

X = np.array([[1.0, 2.0, 3.0], [0.5, -1.0, 0.25]])
TRUTH = 1.0 + X @ [1.0, 2.0, 3.0]


def encoded(rows: np.ndarray = X, **more: object) -> dict[str, object]:
    tensor = {"name": "x", "shape": list(rows.shape), "datatype": "FP64", "data": rows.ravel().tolist()}
    return {"inputs": [tensor], **more}


def column(name: str, values: list[object], datatype: str = "FP64") -> dict[str, object]:
    return {"name": name, "shape": [len(values)], "datatype": datatype, "data": values}


def test_encoded_features_are_answered(regression: Replica) -> None:
    response = regression.infer(encoded(id="a7"))
    assert response.status_code == 200
    assert (response.headers["x-model-name"], response.headers["x-model-version"]) == ("toy", "1")
    told = response.json()
    assert (told["id"], told["model_name"], told["model_version"]) == ("a7", "toy", "1")
    (output,) = told["outputs"]
    assert (output["name"], output["datatype"], output["shape"]) == ("prediction", "FP64", [2])
    np.testing.assert_allclose(output["data"], TRUTH, rtol=1e-15)


@pytest.mark.parametrize(
    "body",
    [
        encoded() | {"parameters": {}},
        {"inputs": [encoded()["inputs"][0] | {"data": X.tolist()}]},  # type: ignore[index]
        {"inputs": [encoded()["inputs"][0] | {"datatype": "FP32"}]},  # type: ignore[index]
        {"inputs": [column(f"f{j}", X[:, j].tolist()) for j in (2, 0, 1)]},
        {"inputs": [column(f"f{j}", X[:, j].tolist()) | {"shape": [2, 1]} for j in range(3)]},
        encoded(outputs=[{"name": "prediction"}]),
    ],
    ids=["parameters", "nested", "float32", "columns", "column matrices", "outputs"],
)
def test_every_shape_of_a_request_has_the_same_answer(regression: Replica, body: dict[str, object]) -> None:
    answers = regression.infer(body).json()["outputs"][0]["data"]
    assert answers == regression.infer(encoded()).json()["outputs"][0]["data"]
    assert answers != regression.infer(encoded(X + 1)).json()["outputs"][0]["data"]


def test_whole_numbers_and_versions(regression: Replica) -> None:
    body = {"inputs": [{"name": "x", "shape": [1, 3], "datatype": "INT32", "data": [1, 2, 3]}]}
    path = f"{regression.model}/versions/1/infer"
    assert regression.client.post(path, json=body).json()["outputs"][0]["data"] == [15.0]
    assert regression.client.post(path.replace("/1/", "/2/"), json=body).status_code == 404


def test_raw_columns_of_people(people: Replica) -> None:
    inputs = [
        column("age", [41.0, None]),
        column("sex", ["f", "other"], "BYTES"),
        column("weight", [70, 80], "INT64"),
    ]
    told = people.infer({"inputs": inputs}).json()
    margin = np.array([-2 + 4.1 - 0.5 - 1.4, -2 + 4.0 - 1.6])  # a missing age is 40
    labels, chances = told["outputs"]
    assert labels["data"] == ["yes" if m > 0 else "no" for m in margin]
    np.testing.assert_allclose(np.reshape(chances["data"], (2, 2))[:, 1], expit(margin), rtol=1e-13)


def test_contributions_add_up(people: Replica) -> None:
    X = np.array([[41.0, 1.0, 0.0, 60.0], [70.0, 0.0, 1.0, 90.0]])
    plain = people.infer(encoded(X)).json()["outputs"]
    told = people.infer(encoded(X, parameters={"explain": True})).json()["outputs"]
    assert told[:2] == plain
    assert told[2]["shape"] == [2, 1, 4]
    chances = np.reshape(plain[1]["data"], (2, 2))[:, 1]
    mean = np.array([50.0, 0.5, 0.5, 70.0]) @ [0.1, -0.5, 0.5, -0.02] - 2.0
    margins = np.log(chances / (1 - chances))
    np.testing.assert_allclose(
        np.sum(np.reshape(told[2]["data"], (2, 4)), axis=1), margins - mean, rtol=1e-10
    )


def test_explain_says_it_in_words(people: Replica) -> None:
    response = people.client.post(f"{people.model}/explain", json=encoded(np.array([[80.0, 1.0, 0.0, 70.0]])))
    told, headers = response.json(), response.headers
    assert (headers["x-model-name"], headers["x-model-version"]) == (
        told["model_name"],
        told["model_version"],
    )
    assert told["features"] == ["age", "sex=f", "sex=m", "weight"]
    (words,) = told["explanations"]
    assert "raised mainly by age (+3)" in words
    assert "lowered by" in words


def test_tritonclient_is_a_client(regression: Replica, people: Replica) -> None:
    headers = {"authorization": f"Bearer {SECRET}"}
    for binary in (False, True):
        client = triton.InferenceServerClient(regression.url.removeprefix("http://"))
        assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("toy")
        assert client.get_server_metadata(headers)["name"] == "daskml_dist"
        assert client.get_model_metadata("toy", headers=headers)["outputs"][0]["name"] == "prediction"
        assert client.get_model_repository_index(headers)[0]["state"] == "READY"
        given = triton.InferInput("x", list(X.shape), "FP64")
        given.set_data_from_numpy(X, binary_data=binary)
        wanted = [triton.InferRequestedOutput("prediction", binary_data=binary)]
        result = client.infer("toy", [given], outputs=wanted, request_id="9", headers=headers)
        np.testing.assert_allclose(result.as_numpy("prediction"), TRUTH)
        assert result.get_response()["id"] == "9"
        client.close()
    client = triton.InferenceServerClient(people.url.removeprefix("http://"))
    sex = triton.InferInput("sex", [1], "BYTES")
    sex.set_data_from_numpy(np.array(["m"], dtype=object))
    numbers = [triton.InferInput(name, [1], "FP32") for name in ("age", "weight")]
    for tensor, value in zip(numbers, (30.0, 75.0), strict=True):
        tensor.set_data_from_numpy(np.array([value], dtype=np.float32))
    result = client.infer("toy", [sex, *numbers], headers=headers)
    assert result.as_numpy("prediction").tolist() == [b"no"]
    client.close()


def test_a_plain_client_is_refused(regression: Replica) -> None:
    for headers in ({}, {"authorization": "Bearer nonsense"}, {"authorization": SECRET}):
        for path in ("/v2", "/metrics", "/openapi.json", "/v2/models/toy", "/v2/models/toy/drift"):
            assert httpx.get(regression.url + path, headers=headers).status_code == 401
        response = httpx.post(f"{regression.model}/infer", json=encoded(), headers=headers)
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
    assert httpx.get(f"{regression.url}/v2/health/ready").json()["ready"] is True


def test_metrics_count_what_came(start_replica: Starter, tmp_path: Path) -> None:
    replica = start_replica(model_directories.regression(tmp_path / "toy"))
    for _ in range(3):
        replica.infer(encoded())
    replica.infer(b"{")
    replica.infer({"inputs": [column("f0", ["a"])]})
    text = replica.client.get(f"{replica.url}/metrics").text
    labels = 'model="toy",version="1"'
    assert f'daskml_requests_total{{code="200",{labels}}} 3.0' in text
    assert f"daskml_rows_total{{{labels}}} 6.0" in text
    assert 'rejected_total{column="",model="toy",reason="json",version="1"} 1.0' in text
    assert f"daskml_request_seconds_count{{{labels}}} 5.0" in text
    counts = np.array(replica.client.get(f"{replica.model}/drift").json()["counts"])
    assert counts.sum(axis=1).tolist() == [6, 6, 6, 6]  # three features and the margin


def test_labels_come_back(people: Replica, regression: Replica) -> None:
    body = {"probability": [[0.2, 0.8], [0.9, 0.1]], "label": ["yes", "yes"]}
    assert people.client.post(f"{people.model}/feedback", json=body).json() == {"rows": 2}
    (hour,) = people.client.get(f"{people.model}/quality").json()["hours"]
    assert (hour["rows"], hour["accuracy"]) == (2, 0.5)
    np.testing.assert_allclose(hour["log_loss"], -np.log([0.8, 0.1]).mean())
    for wrong in ([2.0, -1.0], [0.2, 0.2], [0.9, 0.9]):
        refused = people.client.post(
            f"{people.model}/feedback", json=body | {"probability": [[0.4, 0.6], wrong]}
        )
        assert refused.status_code == 422 and "row 1: probabilities" in refused.json()["error"]
    refused = people.client.post(f"{people.model}/feedback", json=body | {"label": ["secret", "yes"]})
    assert refused.status_code == 422
    assert "secret" not in refused.text
    body = {"prediction": [1.0, 2.0], "label": [1.5, 2]}
    assert regression.client.post(f"{regression.model}/feedback", json=body).json() == {"rows": 2}


def test_a_replica_imports_little() -> None:
    heavy = ("dask", "distributed", "sklearn", "pandas", "xarray", "scipy", "bokeh", "pickle5", "cloudpickle")
    code = f"import sys, daskml_dist.serve.replica; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def fails_to_start(model: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "daskml_dist.serve.replica", "--model", str(model), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 3
    told = json.loads(done.stdout)
    assert told["ready"] is False
    return str(told["why"])


def test_a_damaged_model_is_not_served(tmp_path: Path) -> None:
    wrong = model_directories.regression(tmp_path / "wrong", golden_error=0.1)
    assert "golden" in fails_to_start(wrong)
    flipped = model_directories.regression(tmp_path / "flipped")
    weights = flipped / "weights.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))
    assert "damaged" in fails_to_start(flipped)
    assert fails_to_start(tmp_path / "nothing")


def test_a_taken_port_is_said(regression: Replica, tmp_path: Path) -> None:
    port = regression.url.rpartition(":")[2]
    why = fails_to_start(model_directories.regression(tmp_path / "toy"), "--port", port)
    assert f"cannot listen on 127.0.0.1:{port}" in why


def test_a_replica_ends_with_its_lease(start_replica: Starter, tmp_path: Path) -> None:
    replica = start_replica(model_directories.regression(tmp_path / "toy"), "--lease", "2")
    for _ in range(6):
        replica.client.get(f"{replica.url}/v2/health/ready")  # bears the token
        time.sleep(0.5)
    assert replica.process.poll() is None
    assert replica.process.wait(30) == 0


def test_a_replica_ends_with_a_signal(start_replica: Starter, tmp_path: Path) -> None:
    replica = start_replica(model_directories.regression(tmp_path / "toy"))
    replica.client.get(f"{replica.url}/v2/health/ready")
    os.kill(replica.process.pid, signal.SIGTERM)
    assert replica.process.wait(15) in (0, -signal.SIGTERM)


def test_the_token_is_not_an_argument(regression: Replica) -> None:
    with open(f"/proc/{regression.process.pid}/cmdline", "rb") as file:
        assert SECRET.encode() not in file.read()
