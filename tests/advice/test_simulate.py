"""The simulation: closed forms, the cost model, and what has no formula."""

from __future__ import annotations

import pytest

from daskml_dist.advice import Machine, simulate
from daskml_dist.advice._cost import break_even, pass_cost
from daskml_dist.advice._simulate import fastest
from daskml_dist.errors import UnsupportedParameter
from daskml_dist.partition import Plan
from tests.advice.works import machine, work


def test_one_worker_takes_latency_a_task_and_its_rows() -> None:
    there = machine(row=1e-3, latency=5.0, task=2.0)
    found = simulate(work(), there)
    assert found.seconds == pytest.approx(5.0 + 2.0 + 64.0)
    assert found.tasks == 2 and found.busy == pytest.approx(64.0 / 71.0)


def test_a_tree_of_two_levels_takes_its_hops_one_after_the_other() -> None:
    there = machine(workers=512, hop=1.0, latency=10.0)
    assert simulate(work(chunks=(1,) * 512), there).seconds == pytest.approx(10.0 + 2.0)


def test_the_scheduler_serves_one_task_after_the_other() -> None:
    there = machine(workers=64, task=1.0)
    found = simulate(work(), there)
    assert found.tasks == 64 + 8 + 1
    assert found.seconds == pytest.approx(64.0 + 8.0)  # joins wait their turn behind the shards


@pytest.mark.parametrize("workers", [1, 2, 7, 64, 500, 10_000])
@pytest.mark.parametrize("threads", [1, 4])
def test_formula_and_simulation_agree(workers: int, threads: int) -> None:
    there = Machine(workers=workers, threads=threads)
    data = work(chunks=(20_000,) * 40_000, features=50)
    simulated, formula = simulate(data, there).seconds, pass_cost(data, there).seconds
    assert simulated == pytest.approx(formula, rel=0.1)


def test_formula_and_simulation_do_not_agree_on_another_machine() -> None:
    data, there = work(chunks=(20_000,) * 4_000), Machine(workers=64)
    lie = Machine(workers=64, element=2 * there.element)
    assert simulate(data, lie).seconds != pytest.approx(pass_cost(data, there).seconds, rel=0.1)


def test_the_fastest_is_near_the_break_even() -> None:
    there, data = Machine(workers=2), work(chunks=(20_000,) * 4_000, features=20)
    formula, simulated = break_even(data, there), fastest(data, there)
    there_seconds = simulate(data, there, round(formula)).seconds
    assert simulate(data, there, simulated).seconds <= there_seconds * (1 + 1e-12)
    assert simulate(data, there, simulated).seconds >= 0.9 * there_seconds


def test_stragglers_make_passes_longer_and_the_same_seed_the_same() -> None:
    there, data = machine(workers=64, row=1e-3), work()
    steady = simulate(data, there, passes=20)
    slow = simulate(data, there, passes=20, spread=0.5, seed=3)
    assert slow.seconds > 1.5 * steady.seconds
    assert slow.seconds == simulate(data, there, passes=20, spread=0.5, seed=3).seconds
    assert slow.seconds != simulate(data, there, passes=20, spread=0.5, seed=4).seconds


def test_failures_cost_the_work_again() -> None:
    there, data = machine(workers=64, row=1e-3), work()
    found = simulate(data, there, passes=10, failures=0.1)
    assert found.failures > 0
    assert found.seconds > simulate(data, there, passes=10).seconds + 10.0
    assert found.tasks == 10 * 73 + found.failures


def test_a_placement_is_kept_to() -> None:
    data, there = work(chunks=(10, 20, 30)), machine(workers=2, row=1.0)
    assert simulate(data, there, placement=Plan(((0, 1, 2), ()), ("a", "b"))).seconds == pytest.approx(60.0)


def test_threads_of_one_process_send_nothing() -> None:
    there = Machine(threads=4, in_process=True, latency=1e-3, task=1e-4)
    assert simulate(work(), there).seconds == pytest.approx(pass_cost(work(), there).seconds, rel=0.1)
    assert simulate(work(), there, 8).workers == 8


@pytest.mark.parametrize(
    "wrong",
    [{"workers": 0}, {"workers": 10_001}, {"passes": 0}, {"spread": -1.0}, {"failures": float("inf")}],
)
def test_numbers_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UnsupportedParameter, match=next(iter(wrong))):
        simulate(work(), machine(), **wrong)  # type: ignore[arg-type]
