"""Schemathesis makes requests from the server's own description; none of them may be the server's fault."""

from __future__ import annotations

import os

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from daskml_dist.serve import openapi
from tests.serve.conftest import Deployment, Replica

schemathesis = pytest.importorskip("schemathesis", reason="makes the cases; pip install schemathesis")

SHORT, FULL = 25, 10_000
CASES = [SHORT, pytest.param(FULL, marks=[pytest.mark.serving, pytest.mark.timeout(3600)])]
pytestmark = pytest.mark.filterwarnings("ignore")  # of generated cases, and of the tool that makes them


def run(url: str, client: httpx.Client, cases: int) -> int:
    """Send so many cases that fit the description of a server, and such that do not; how many were sent."""
    document = client.get(f"{url}/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document)
    operations = [operation.ok() for operation in schema.get_all_operations()]
    modes = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
    cases_of = st.one_of([o.as_strategy(generation_mode=mode) for o in operations for mode in modes])
    sent = 0

    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(cases_of)
    def check(case: schemathesis.Case) -> None:
        nonlocal sent
        body = case.as_transport_kwargs(base_url=url)
        # without a good token nothing but the refusal would be tested; the client has it
        body["headers"] = {
            n: v for n, v in (body.get("headers") or {}).items() if n.lower() == "content-type"
        }
        for name in ("cookies", "allow_redirects", "verify", "stream"):
            body.pop(name, None)
        response = client.request(**body)
        sent += 1
        assert response.status_code < 500, response.text
        assert response.status_code == 200 or isinstance(response.json()["error"], str)

    check()
    return sent


def asked(cases: int) -> int:
    return int(os.environ.get("SERVING_CASES", cases)) if cases == FULL else cases


@pytest.mark.parametrize("cases", CASES)
def test_no_case_is_the_replicas_fault(regression: Replica, people: Replica, cases: int) -> None:
    cases = asked(cases)
    for replica in (regression, people):
        assert run(replica.url, replica.client, cases // 2) >= cases // 4
        assert replica.client.get(f"{replica.url}/v2/health/ready").status_code == 200


@pytest.mark.parametrize("cases", CASES)
def test_no_case_is_the_gateways_fault(deployment: Deployment, cases: int) -> None:
    cases, url = asked(cases), deployment.told["url"]
    with httpx.Client(headers={"authorization": f"Bearer {deployment.token}"}, timeout=30) as client:
        assert run(url, client, cases) >= cases // 2
        assert client.get(f"{url}/v2/health/ready").status_code == 200
    status = deployment.status()
    assert status["requests"]["errors"] == 0
    assert {replica["restarts"] for replica in status["replicas"]} == {0}


@pytest.mark.parametrize("lie", ["500", "mute"])
def test_the_check_finds_a_server_at_fault(lie: str) -> None:
    column = {"name": "f0", "datatype": "FP64", "shape": [-1, 1]}
    document = openapi.document({"name": "toy", "versions": ["1"], "inputs": [column]}, "0")

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/openapi.json":
            return httpx.Response(200, json=document)
        if b"binary_data_size" in request.content:  # rare
            return httpx.Response(500 if lie == "500" else 400, json={})
        return httpx.Response(400, json={"error": "no"})

    with (
        httpx.Client(transport=httpx.MockTransport(answer)) as client,
        pytest.raises((AssertionError, KeyError)),
    ):
        run("http://server", client, 2000)
