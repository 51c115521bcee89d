"""Workers come and are killed while models are fitted: the bits and the number of passes must not change."""

from __future__ import annotations

import os
from itertools import count

import pytest
from distributed import Client

from tests.cluster.kinds import KINDS, told
from tests.cluster.nemesis import Nemesis, own_cluster, until, whole

KILLS = int(os.environ.get("CHAOS_KILLS", "20"))
FEW, MANY = 6_000, 60_000
#: near relatives of others are left to ``make chaos``
RELATIVES = {
    "poisson",
    "ridge",
    "ridge, rows left out",
    "tube",
    "ridge classes search",
    "tweedie",
    "l1 logistic",
    "huber",
    "hinge",
    "quantile",
    "bounds",
    "ridge classes",
}


@pytest.mark.timeout(600)
def test_workers_and_deaths_leave_no_trace_in_any_kind() -> None:
    """The bits of threads on 1 worker, and on 3 of which one is killed again and again.

    Two workers are what every other test of both backends has.
    """
    kinds = {name: kind for name, kind in KINDS.items() if name not in RELATIVES}
    expected = {name: told(kind("threads", FEW)) for name, kind in kinds.items()}
    assert len(set(expected.values())) == len(kinds) == len(KINDS) - len(RELATIVES)
    with own_cluster(1) as cluster, Client(cluster) as client:
        for name, kind in kinds.items():
            assert told(kind(client, FEW)) == expected[name], name
        assert until(lambda: whole(cluster, client, 3), seconds=200)
        with Nemesis(client, 0, 0.1, 0.8, workers=3) as nemesis:
            for turn in count():
                for name, kind in kinds.items():
                    assert told(kind(client, FEW)) == expected[name], (name, turn, nemesis.kills)
                if nemesis.kills >= 2:
                    break


@pytest.mark.chaos
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", KINDS)
def test_many_deaths_leave_no_trace(name: str, seed: int) -> None:
    """Fit again and again until that many workers were killed."""
    kind = KINDS[name]
    expected = told(kind("threads", MANY))
    with own_cluster() as cluster, Client(cluster) as client:
        assert told(kind(client, MANY)) == expected, "undisturbed"
        with Nemesis(client, f"{name}, {seed}", 0.2, 1.5) as nemesis:  # each kind at moments of its own
            fits = 0
            while nemesis.kills < max(KILLS // 2, 1):
                assert told(kind(client, MANY)) == expected, (fits, nemesis.kills)
                fits += 1
