"""Schemathesis makes requests from the server's own description; none of them may be the server's fault."""

from __future__ import annotations

import os

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.serve.conftest import Replica

SHORT, FULL = 60, 10_000


def run(replica: Replica, cases: int) -> int:
    """Send so many cases; how many were sent."""
    document = replica.client.get(f"{replica.url}/openapi.json").json()
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
        body = case.as_transport_kwargs(base_url=replica.url)
        # without a good token nothing but the refusal would be tested; the client has it
        body["headers"] = {
            n: v for n, v in (body.get("headers") or {}).items() if n.lower() == "content-type"
        }
        for name in ("cookies", "allow_redirects", "verify", "stream"):
            body.pop(name, None)
        response = replica.client.request(**body)
        sent += 1
        assert response.status_code < 500, response.text

    check()
    return sent


@pytest.mark.parametrize(
    "cases", [SHORT, pytest.param(FULL, marks=[pytest.mark.serving, pytest.mark.timeout(3600)])]
)
@pytest.mark.filterwarnings("ignore")
def test_no_case_is_the_servers_fault(regression: Replica, people: Replica, cases: int) -> None:
    cases = int(os.environ.get("SERVING_CASES", cases)) if cases == FULL else cases
    for replica in (regression, people):
        assert run(replica, cases // 2) >= cases // 4
        assert replica.client.get(f"{replica.url}/v2/health/ready").status_code == 200
