"""Every partition is a plan with each chunk exactly once; it is balanced, and the same for the same facts."""

from __future__ import annotations

import inspect
import pickle
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daskml_dist import partition
from daskml_dist.partition import Plan, in_place, longest_first, sequential, together

Facts = tuple[tuple[int, ...], tuple[str | None, ...], tuple[str, ...]]

WORKERS = ("tcp://a", "tcp://b", "tcp://c")


@st.composite
def facts(draw: st.DrawFn) -> Facts:
    """Rows of each chunk, where each is (a worker with a slot, one without, or nowhere), and the slots."""
    rows = draw(st.lists(st.integers(0, 1000), min_size=1, max_size=60))
    threads = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    slots = [w for w, n in zip(WORKERS[: len(threads)], threads, strict=True) for _ in range(n)]
    places = st.sampled_from([*WORKERS[: len(threads)], None, "tcp://gone"])
    where = draw(st.lists(places, min_size=len(rows), max_size=len(rows)))
    return tuple(rows), tuple(where), tuple(slots)


#: each rule as a function of all facts
RULES: dict[str, Callable[[Facts], Plan]] = {
    "in_place": lambda known: in_place(*known),
    "longest_first": lambda known: longest_first(
        known[0], known[2], dict(zip(WORKERS, (1.0, 0.3, 2.0), strict=True))
    ),
    "sequential": lambda known: sequential(known[0], known[2]),
}
every_rule = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
examples = settings(max_examples=150, deadline=None)


def check_each_chunk_is_in_one_shard(rule: Callable[[Facts], Plan], known: Facts) -> None:
    plan = rule(known)
    assert sorted(i for shard in plan.shards for i in shard) == list(range(len(known[0])))


def check_owners_have_as_many_shards_as_threads(rule: Callable[[Facts], Plan], known: Facts) -> None:
    plan, threads = rule(known), Counter(known[2])
    assert len(plan.owners) == len(plan.shards)
    assert all(count <= threads[owner] for owner, count in Counter(plan.owners).items())


def check_shards_are_ascending_and_not_empty(rule: Callable[[Facts], Plan], known: Facts) -> None:
    for shard in rule(known).shards:
        assert shard
        assert list(shard) == sorted(shard)


def check_the_same_facts_give_the_same_plan(rule: Callable[[Facts], Plan], known: Facts) -> None:
    first = rule(known)
    assert rule(pickle.loads(pickle.dumps(known))) == first


CHECKS = {name: check for name, check in list(globals().items()) if name.startswith("check_")}


@pytest.mark.thinned(2)
@every_rule
@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_every_partition_keeps_the_contract(
    check: Callable[[Callable[[Facts], Plan], Facts], None], rule: Callable[[Facts], Plan]
) -> None:
    @examples
    @given(facts())
    def holds(known: Facts) -> None:
        check(rule, known)

    holds()


def test_every_rule_is_asked() -> None:
    exported = {name: getattr(partition, name) for name in partition.__all__}
    functions = {name: rule for name, rule in exported.items() if inspect.isfunction(rule)}
    plans = {name for name, rule in functions.items() if rule.__annotations__["return"] == "Plan"}
    assert plans - {"together"} == set(RULES)  # that one is given shards, and makes none


@examples
@given(facts())
def test_sequential_shards_are_runs_in_order_and_balanced(known: Facts) -> None:
    rows, _, slots = known
    plan = sequential(rows, slots)
    assert [i for shard in plan.shards for i in shard] == list(range(len(rows)))
    fair = sum(rows) / len(slots)
    assert all(sum(rows[i] for i in shard) <= fair + max(rows) for shard in plan.shards)


@examples
@given(facts())
def test_in_place_moves_nothing_that_has_a_place(known: Facts) -> None:
    rows, where, slots = known
    plan = in_place(rows, where, slots)
    owner = {i: plan.owners[s] for s, shard in enumerate(plan.shards) for i in shard}
    assert all(owner[i] == place for i, place in enumerate(where) if place in slots)


@examples
@given(facts())
def test_in_place_cuts_a_worker_evenly(known: Facts) -> None:
    rows, where, slots = known
    plan, threads = in_place(rows, where, slots), Counter(slots)
    held: dict[str, list[int]] = {}
    for shard, owner in zip(plan.shards, plan.owners, strict=True):
        held.setdefault(owner, []).append(sum(rows[i] for i in shard))
    for owner, sizes in held.items():
        assert max(sizes) <= sum(sizes) / threads[owner] + max(rows)


@pytest.mark.parametrize("chunks", [1, 2, 7, 64])
def test_homeless_chunks_go_where_there_is_room(chunks: int) -> None:
    plan = in_place((100,) * chunks, (None,) * chunks, ("a", "b", "b", "b"))
    loads = Counter(dict.fromkeys(("a", "b"), 0))
    for shard, owner in zip(plan.shards, plan.owners, strict=True):
        loads[owner] += len(shard)
    assert abs(loads["b"] - 3 * loads["a"]) <= 4
    lopsided = in_place((10,) * 8, ("a",) * 6 + (None, "gone"), ("a", "b"))
    assert lopsided.shards == ((0, 1, 2, 3, 4, 5), (6, 7))
    assert lopsided.owners == ("a", "b")


def test_more_threads_than_chunks_leave_threads_idle() -> None:
    assert sequential((5, 5), ("a", "a", "b")).shards == ((0,), (1,))
    assert in_place((5,), ("b",), ("a", "b", "b")) == Plan(((0,),), ("b",))


def test_chunks_without_rows_are_kept() -> None:
    assert sequential((0, 0, 0), ("a", "b")).shards == ((0, 1), (2,))
    assert sorted(i for s in in_place((0, 0), (None, None), ("a", "b")).shards for i in s) == [0, 1]


def test_a_wrong_plan_is_refused() -> None:
    with pytest.raises(AssertionError, match="each chunk in exactly one shard"):
        Plan(((0, 1), (1, 2)), ("a", "b"))
    with pytest.raises(AssertionError, match="each chunk in exactly one shard"):
        Plan(((0,), (2,)), ("a", "b"))
    with pytest.raises(AssertionError, match="owner for each shard"):
        Plan(((0,), (1,)), ("a",))


# --------------------------------------------------------------------------------- the lies

_calls = iter(range(10**6))
LIES: list[tuple[Callable[[Callable[[Facts], Plan], Facts], None], Callable[[Facts], Plan]]] = [
    (check_each_chunk_is_in_one_shard, lambda known: Plan(((0,),), ("a",))),
    (check_owners_have_as_many_shards_as_threads, lambda known: Plan(((0,), (1,), (2,)), ("a", "a", "a"))),
    (check_shards_are_ascending_and_not_empty, lambda known: Plan(((2, 1, 0),), ("a",))),
    (check_the_same_facts_give_the_same_plan, lambda known: Plan(((0, 1, 2),), (f"{next(_calls)}",))),
]


@pytest.mark.parametrize(("check", "rule"), LIES, ids=[check.__name__ for check, _ in LIES])
def test_a_lie_is_seen(
    check: Callable[[Callable[[Facts], Plan], Facts], None], rule: Callable[[Facts], Plan]
) -> None:
    with pytest.raises(AssertionError):
        check(rule, ((1, 2, 3), (None, None, None), ("a", "b")))


def test_the_same_shards_follow_their_chunks() -> None:
    shards = ((0, 3), (1,), (2, 4, 5))
    plan = together(shards, ("a", "gone", "b", "a", "c", "b"), ("a", "b", "c"))
    assert plan == Plan(shards, ("a", "b", "b"))
    assert together(shards, (), ("a", "b")).owners == ("a", "b", "a")
