"""The cost model: closed forms, units, and what grows with what."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from daskml_dist.advice import Machine, Tree
from daskml_dist.advice._cost import break_even, fit_cost, memory, pass_cost, streamed
from daskml_dist.errors import UnsupportedParameter
from daskml_dist.kernels import Point, Question, Sweep, partial_answer
from daskml_dist.losses import Logistic
from daskml_dist.partition import Plan
from daskml_dist.types import Chunk
from tests.advice.works import machine, work


@pytest.mark.parametrize(
    ("shards", "joins", "depth", "last"),
    [(1, 0, 0, 1), (8, 0, 0, 8), (9, 2, 1, 2), (64, 8, 1, 8), (65, 9 + 2, 2, 2), (4096, 512 + 64 + 8, 3, 8)],
)
def test_a_tree_has_joins_of_eight(shards: int, joins: int, depth: int, last: int) -> None:
    tree = Tree.of(shards)
    assert (tree.joins, tree.depth, tree.last, tree.tasks) == (joins, depth, last, shards + joins + 1)


@pytest.mark.parametrize(
    ("constant", "kind", "seconds"),
    [
        ({"chunk": 2.0}, "gradient", 2.0 * 16),  # 64 chunks on 4 threads
        ({"row": 1e-3}, "gradient", 16.0),
        ({"element": 1e-3}, "gradient", 16.0 * 10),
        ({"product": 1e-3}, "gradient", 0.0),
        ({"product": 1e-3}, "hessian", 16.0 * 55),
        ({"latency": 3.0}, "gradient", 3.0),
        ({"task": 3.0}, "gradient", 12.0),  # 4 shards; the task that finishes is in the latency
        ({"hop": 3.0}, "gradient", 0.0),
        ({"number": 1.0}, "gradient", 16 * 13 + 3 * 13),  # q + 2 numbers of each chunk, and of 3 joined
        ({"number": 1.0}, "hessian", 19 * (13 + 66)),
    ],
)
def test_each_constant_costs_what_it_says(constant: dict[str, float], kind: str, seconds: float) -> None:
    there = machine(workers=2, threads=2, **constant)
    found = pass_cost(work(), there, "hessian" if kind == "hessian" else "gradient")
    assert found.seconds == pytest.approx(seconds, rel=1e-9, abs=1e-9)


def test_bytes_are_those_of_partial_sums_and_of_the_point() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((20, 10)), np.ones(20)
    at = Point(np.zeros((1, 10)), np.zeros(1), np.zeros(10), True)
    question = Question(Sweep(Logistic(), at))
    hessian = Question(Sweep(Logistic(), at, hessian=True))
    for kind, asked in (("gradient", question), ("hessian", hessian)):
        truth = partial_answer(asked.kernel, [Chunk(0, X, y)]).nbytes
        assert work().partial_bytes("hessian" if kind == "hessian" else "gradient") == pytest.approx(truth)
    found = pass_cost(work(), machine(workers=4))
    assert found.bytes == pytest.approx(4 * (work().partial_bytes("gradient") + 8 * (11 + 10)))
    assert found.tasks == 5


def test_sending_takes_bytes_over_bandwidth() -> None:
    one = work()
    up, down = one.partial_bytes("gradient"), one.state_bytes
    found = pass_cost(one, machine(workers=64, bandwidth=100.0))
    assert found.transfer == pytest.approx((7 * up + 7 * up + 64 * down) / 100.0)


def test_loading_takes_bytes_over_the_rate_of_a_worker() -> None:
    there = machine(workers=2, threads=4, memory=1e6, load=1e3)
    data = work(held=False)
    assert streamed(data, there) and not streamed(work(held=True), there)
    assert pass_cost(data, there).load == pytest.approx(64_000 * 88 / (2 * 1e3))
    assert fit_cost(replace(data, sample_rows=10), there).sample_pass
    assert fit_cost(data, replace(there, memory=1e12)).loading == pytest.approx(64_000 * 88 / (2 * 1e3))


def test_the_slowest_shard_counts() -> None:
    there, data = machine(workers=2, row=1.0, chunk=1.0), work(chunks=(10, 20, 30))
    placement = Plan(((0, 1), (2,)), ("a", "b"))
    found = pass_cost(data, there, "gradient", placement)
    assert found.kernel == pytest.approx(32.0)  # two chunks of 30 rows against one of 30
    assert found.imbalance == pytest.approx(32.0 / 31.5)
    assert pass_cost(data, machine(workers=3, row=1.0), "gradient").kernel == pytest.approx(30.0)


def test_more_workers_take_less_memory_and_send_more() -> None:
    data, there = work(), Machine(memory=1e9)
    costs = [fit_cost(data, there.at(workers)) for workers in (1, 2, 4, 8, 16, 32, 64)]
    assert all(a.memory > b.memory for a, b in zip(costs, costs[1:], strict=False))
    assert all(a.bytes < b.bytes for a, b in zip(costs, costs[1:], strict=False))


@pytest.mark.parametrize("name", ["element", "row", "product", "chunk", "number", "task", "latency", "hop"])
def test_a_slower_machine_is_slower(name: str) -> None:
    there, data = Machine(workers=16), work(hessians=1)
    slower = replace(there, **{name: 10 * getattr(there, name)})
    assert fit_cost(data, slower).seconds > fit_cost(data, there).seconds


def test_a_streamed_shard_needs_two_chunks_a_thread() -> None:
    there = machine(workers=2, threads=2, memory=1e6)
    data = work(held=False)
    resident = memory(work(held=True), there)
    assert resident - memory(data, there) == pytest.approx(32_000 * 88 - 4 * 1000 * 88)


@pytest.mark.parametrize("hop", [0.0, 2e-3])
@pytest.mark.parametrize("threads", [1, 4])
def test_break_even_is_where_the_formula_is_least(hop: float, threads: int) -> None:
    there = machine(workers=2, threads=threads, row=1e-6, task=1e-4, hop=hop)
    data = work(chunks=(1000,) * 4096)

    def seconds(workers: float) -> float:
        slots = threads * workers
        return 4096e-3 / slots + 1e-4 * (1 + 1 / 7) * slots + hop * float(np.log(slots)) / float(np.log(8))

    best = minimize_scalar(seconds, bounds=(0.1, 1e4), method="bounded", options={"xatol": 1e-9}).x
    assert break_even(data, there) == pytest.approx(best, rel=1e-5)


def test_nothing_that_grows_has_no_break_even() -> None:
    assert break_even(work(), replace(machine(row=1.0), bandwidth=float("inf"))) == float("inf")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"workers": 0}, "whole number from 1 up"),
        ({"threads": 1.5}, "whole number from 1 up"),
        ({"latency": -1.0}, "from 0 up; seconds, bytes"),
        ({"hop": float("nan")}, "from 0 up"),
        ({"bandwidth": 0}, "above 0"),
        ({"task": "fast"}, "from 0 up"),
    ],
)
def test_an_impossible_machine_is_refused(wrong: dict[str, float], told: str) -> None:
    with pytest.raises(UnsupportedParameter, match=told):
        Machine(**wrong)
