"""The scheduler is killed while a fit lasts: the fit goes on, or says where what it reached is kept."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from distributed import Client

from daskml_dist.cluster import Blockwise
from daskml_dist.cluster.scheduler_internals import reconnect_for
from daskml_dist.errors import ClusterGaveUp
from daskml_dist.linear_model import LogisticRegression
from tests.cluster.kinds import KINDS, told
from tests.cluster.machines import Machines, machines
from tests.cluster.nemesis import PATIENT, at_question, bits, seeded, train

pytestmark = [
    pytest.mark.timeout(600),
    # sockets of a client whose scheduler was killed are closed by the garbage collector
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

SEEDS = int(os.environ.get("CHAOS_KILLS", "20"))
PASSES = 9  # of the fit that is disturbed, and as many questions and more


def connected(there: Machines) -> Client:
    """A client that is not the default one."""
    client = Client(there.address, timeout=120, set_as_default=False)
    client.wait_for_workers(2, timeout=120)
    return client


def test_a_scheduler_dies_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Data are made anew from their graph, and the state was never there but with the client."""
    X, labels, _ = seeded()
    expected = bits(train("threads", X, labels))
    with machines() as there, connected(there) as client:
        before = reconnect_for(client, 25.0)
        hands = at_question(random.Random(0).randint(3, PASSES), there.restart, monkeypatch)
        assert bits(train(client, X, labels)) == expected
        assert hands[0].supervisor.repairs
        assert reconnect_for(client, before) == 25.0, "a client is left as it was found"


@pytest.mark.slow
def test_a_scheduler_stays_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fit does not hang, and another one goes on from what it had reached, to the same bits."""
    X, labels, _ = seeded()
    expected = bits(train("threads", X, labels))
    with machines() as there, connected(there) as client, monkeypatch.context() as patched:
        at_question(6, there.kill_scheduler, patched)
        with pytest.raises(ClusterGaveUp, match="is gone and did not come back within 2 s.*kept in") as error:
            train(client, X, labels, patience=replace(PATIENT, no_scheduler=2.0), checkpoint=str(tmp_path))
        assert there.address in str(error.value) and str(tmp_path) in str(error.value)
    assert bits(train("threads", X, labels, checkpoint=str(tmp_path))) == expected


@pytest.mark.slow
def test_coefficients_on_the_workers_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Model-parallel training says so and does not hang."""
    X, labels, _ = seeded()
    asked = []
    answer = Blockwise.answer

    def disturbed(self: Blockwise, question: Any) -> Any:
        asked.append(question)
        if len(asked) == 4:
            there.restart()
        return answer(self, question)

    monkeypatch.setattr(Blockwise, "answer", disturbed)
    model = LogisticRegression(solver="model-parallel", verbose=0)
    with machines() as there, connected(there) as client:
        with pytest.raises(ClusterGaveUp, match="The data were lost.*when the scheduler does"):
            model.set_params(scheduler=client).fit(X.rechunk((-1, 3)), labels)


@pytest.mark.chaos
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ["logistic", "three classes", "averaged models", "sparse logistic"])
def test_many_schedulers_die(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One client and one address, and a scheduler that is killed at another question in each fit."""
    kind = KINDS[name]
    expected = told(kind("threads", 6_000))
    with machines() as there, connected(there) as client:
        for seed in range(SEEDS):
            with monkeypatch.context() as patched:
                question = random.Random(seed).randint(1, PASSES)
                at_question(question, there.restart, patched)
                assert told(kind(client, 6_000)) == expected, (seed, question)


@pytest.mark.chaos
@pytest.mark.timeout(3600)
def test_many_fits_go_on_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scheduler that stays away, and a new one with a new client for the rest of the fit."""
    X, labels, _ = seeded()
    expected = bits(train("threads", X, labels))
    hasty: Any = replace(PATIENT, no_scheduler=0.5)
    for seed in range(SEEDS):
        kept = str(tmp_path / str(seed))
        with machines() as first, connected(first) as client, monkeypatch.context() as patched:
            at_question(random.Random(seed).randint(5, PASSES), first.kill_scheduler, patched)
            with pytest.raises(ClusterGaveUp, match="kept in"):
                train(client, X, labels, patience=hasty, checkpoint=kept)
        with machines() as second, connected(second) as client:
            assert bits(train(client, X, labels, checkpoint=kept)) == expected, seed
