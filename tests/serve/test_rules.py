"""The pure rules: routing, retries, back-off, and rolling updates on a machine that fails."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daskml_dist.serve import rolling
from daskml_dist.serve.desired import Desired, StateInvalid, assign
from daskml_dist.serve.figures import EDGES, Seconds
from daskml_dist.serve.patience import Budget, Patience
from daskml_dist.serve.restarts import MOST, Restarts
from daskml_dist.serve.routing import Router, point_of


class Machine:
    """Replicas as counts; fails the steps that it is told to fail, and checks what must hold at each."""

    def __init__(self, number: int, counts: dict[str, int], failing: set[int], good: str) -> None:
        self.number, self.counts, self.failing, self.good = number, dict(counts), failing, good
        self.steps = 0
        self.shares: dict[str, float] = {}

    def run(self, conversation: rolling.Conversation) -> str | None:
        outcome: str | None = None
        started = sum(self.counts.values()) >= self.number
        try:
            step = next(conversation)
            while True:
                outcome = self.do(step)
                if started:
                    assert sum(self.counts.values()) >= self.number, (step, self.counts)
                assert sum(self.counts.values()) <= 2 * self.number
                assert all(self.counts.get(version, 0) > 0 for version, share in self.shares.items() if share)
                step = conversation.send(outcome)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    def do(self, step: rolling.Step) -> str | None:
        self.steps += 1
        fails = self.steps in self.failing and isinstance(step, rolling.Raise | rolling.Guard)
        if isinstance(step, rolling.Weigh):
            self.shares = dict(step.shares)
        if isinstance(step, rolling.Raise) and not fails:
            self.counts[step.version] = max(step.count, self.counts.get(step.version, 0))
        if isinstance(step, rolling.Lower):
            self.counts[step.version] = min(step.count, self.counts.get(step.version, 0))
        return "bad" if fails else None


NUMBERS = st.integers(1, 6)
FAILURES = st.sets(st.integers(1, 15), max_size=2)


@given(NUMBERS, FAILURES)
def test_a_roll_never_goes_below_n_and_stops_at_the_first_failure(number: int, failing: set[int]) -> None:
    machine = Machine(number, {"1": number}, failing, "1")
    why = machine.run(rolling.roll(number, {"1": number}, "2"))
    left = {version: count for version, count in machine.counts.items() if count}
    if why is None:
        assert left == {"2": number}
    elif len(failing) < 2:  # the old ones could be started again
        assert left == {"1": number}


@given(NUMBERS)
def test_a_roll_that_fails_at_once_leaves_the_old_ones_alone(number: int) -> None:
    for failing in (2, 3):  # the first replica does not start, or does not answer well
        machine = Machine(number, {"1": number}, {failing}, "1")
        assert machine.run(rolling.roll(number, {"1": number}, "2")) == "bad"
        assert {v: c for v, c in machine.counts.items() if c} == {"1": number}


@given(NUMBERS, st.lists(st.sampled_from([0.0, 1.0, 5.0, 50.0, 100.0]), max_size=4), FAILURES)
def test_canaries_keep_the_base_until_they_are_complete(
    number: int, percents: list[float], failing: set[int]
) -> None:
    machine = Machine(number, {"1": number}, failing, "1")
    for percent in percents:
        running = {version: count for version, count in machine.counts.items() if count}
        if "1" not in running:
            break
        why = machine.run(rolling.canary(number, running, "2", percent))
        if why is not None or percent == 0.0:
            assert machine.shares == {} and not machine.counts.get("2")
            assert machine.counts["1"] == number
        elif percent < 100.0:
            assert machine.shares == {"2": percent / 100, "1": 1 - percent / 100}
            assert machine.counts["1"] == number
        else:
            assert {v: c for v, c in machine.counts.items() if c} == {"2": number}


def test_the_first_version_starts_at_once() -> None:
    machine = Machine(3, {}, set(), "1")
    assert machine.run(rolling.roll(3, {}, "1")) is None
    assert machine.counts == {"1": 3}
    assert rolling.canary(2, {"1": 2}, "1", 10.0) is not None
    assert Machine(2, {"1": 2}, set(), "1").run(rolling.canary(2, {"1": 2}, "1", 10.0))


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("12")), min_size=1), st.data())
@settings(deadline=None)
def test_requests_go_to_the_least_busy(names: list[tuple[str, str]], data: st.DataObject) -> None:
    router = Router()
    for place, (name, version) in enumerate(names):
        target = router.add(name, version, "h", place)
        target.outstanding = data.draw(st.integers(0, 3))
        target.lost, target.draining = data.draw(st.booleans()), data.draw(st.booleans())
        target.misses = data.draw(st.integers(0, 3))
    healthy = [target for target in router.targets.values() if target.healthy]
    chosen = router.choose(())
    if healthy:
        assert chosen in healthy
        assert chosen is not None and chosen.outstanding == min(target.outstanding for target in healthy)
    else:
        assert chosen is None or not (chosen.draining or chosen.lost)
    if chosen is not None and len(healthy) > 1:
        assert router.choose([chosen]) is not chosen


def test_equals_take_turns_and_shares_hold() -> None:
    router = Router()
    for name in "abcd":
        router.add(name, "1" if name < "c" else "2", "h", ord(name))
    assert Counter(t.id for _ in range(400) if (t := router.choose(()))) == dict.fromkeys("abcd", 100)
    router.weigh({"2": 0.1, "1": 0.9})
    points = [point_of(b"user%d" % i) for i in range(20_000)]
    versions = [t.version for point in points if (t := router.choose((), point))]
    assert 0.08 < versions.count("2") / len(versions) < 0.12
    first = {point for point, version in zip(points, versions, strict=True) if version == "2"}
    router.weigh({"2": 0.5, "1": 0.5})
    assert all((t := router.choose((), point)) and t.version == "2" for point in first)  # nobody goes back
    with pytest.raises(ValueError, match="add up"):
        router.weigh({"2": 0.5, "1": 0.6})


def test_retries_have_a_budget() -> None:
    budget = Budget(share=0.2, most=10.0)
    assert [budget.take() for _ in range(6)] == [True] * 5 + [False]
    for _ in range(10):
        budget.request()
    assert [budget.take() for _ in range(3)] == [True, True, False]


@given(st.lists(st.tuples(st.floats(0.1, 100), st.floats(0, 20)), min_size=1, max_size=30))
def test_back_off_is_bounded_and_rests_after_five(deaths: list[tuple[float, float]]) -> None:
    restarts, now, quick = Restarts(), 0.0, []
    for after, served in deaths:
        now += after
        wait = restarts.died(now, served)
        quick = [] if served >= 5.0 else [at for at in quick if now - at < 60.0] + [now]
        assert restarts.crashed == (len(quick) >= 5)
        assert wait == 60.0 if restarts.crashed else 0.1 <= wait <= MOST
    assert restarts.number == len(deaths)


@given(st.lists(st.floats(1e-5, 3.0), min_size=1), st.sampled_from([0.5, 0.99]))
def test_quantiles_are_upper_bounds_within_a_factor_of_two(times: list[float], share: float) -> None:
    seconds = Seconds()
    for time in times:
        seconds.add(time)
    exact = sorted(times)[max(0, -int(-share * len(times) // 1) - 1)]
    found = seconds.quantile(share)
    assert found is not None and exact <= found <= max(2 * exact, EDGES[0])


def test_patience_grows_with_what_is_usual() -> None:
    patience = Patience()
    for _ in range(500):
        patience.answered(0.001)
    assert patience.timeout(0) == 1.0
    assert patience.timeout(3) == 8.0


def test_missing_replicas_are_spread() -> None:
    found = assign({"1": 4, "2": 1}, {}, {}, {"a", "b"}, ())
    assert Counter(agent for _, agent in found) in ({"a": 3, "b": 2}, {"a": 2, "b": 3})
    assert assign({"1": 1}, {"r": "1"}, {"r": "a"}, {"a"}, {"r"}) == [("1", "a")]
    assert assign({"1": 1}, {}, {}, (), ()) == []


def test_what_is_wanted_is_kept(tmp_path: object) -> None:
    from pathlib import Path

    path = Path(str(tmp_path)) / "state.json"
    assert Desired.load(path) is None
    desired = Desired("toy", "toy@champion", 2, counts={"1": 2})
    desired.tell("roll", {"version": "1"})
    desired.save(path)
    assert Desired.load(path) == desired
    assert path.stat().st_mode & 0o077 == 0
    for damaged in ("{", "[]", '{"model": "toy", "unknown": 1}'):
        path.write_text(damaged)
        with pytest.raises(StateInvalid):
            Desired.load(path)
