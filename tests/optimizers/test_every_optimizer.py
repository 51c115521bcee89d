"""Every optimizer and schedule that the room exports keeps the contract of ``optimizers/_base.py``.

A new one adds its examples. Each check is fed a lie once, at the end; formulas are held to other people's in
``test_references.py``.
"""

from __future__ import annotations

import inspect
import io
import json
import pickle
from dataclasses import FrozenInstanceError, dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np
import pytest

from daskml_dist import optimizers
from daskml_dist.errors import InvalidData, UnsupportedParameter
from daskml_dist.optimizers import (
    SGD,
    AdaGrad,
    Adam,
    AdamW,
    Averaging,
    Momentum,
    Nesterov,
    Optimizer,
    OptimizerState,
    RMSProp,
    ScheduleFree,
    schedules,
)
from daskml_dist.optimizers.schedules import (
    Adaptive,
    Constant,
    Cosine,
    InverseScaling,
    Optimal,
    Scaled,
    Schedule,
    WarmUp,
)

#: with learning rates at which each of them gets down the bowl of ``check_it_descends``
EXAMPLES: list[Optimizer] = [
    SGD(0.3),
    SGD(Cosine(0.5, steps=200, eta_min=0.1)),
    SGD(Adaptive(0.3, n_iter_no_change=2)),
    Momentum(0.1, 0.8),
    Momentum(WarmUp(Constant(0.1), 10)),
    Nesterov(0.1, 0.8),
    AdaGrad(1.0),
    RMSProp(InverseScaling(0.3, 0.5), decay=0.9),
    Adam(Cosine(0.3, steps=300)),
    AdamW(Cosine(0.3, steps=300), weight_decay=1e-3),
    Averaging(SGD(0.3), start=20),
    Averaging(Nesterov(0.1, 0.8), eta=8.0),
    ScheduleFree(0.4),
    ScheduleFree(WarmUp(Constant(0.4), 5), beta=0.5),
]
SCHEDULES: list[Schedule] = [
    Constant(0.1),
    InverseScaling(0.1, 0.5),
    Optimal(0.01, 1000.0),
    Cosine(0.1, steps=20, eta_min=0.01),
    WarmUp(InverseScaling(0.1), steps=5),
    Scaled(InverseScaling(0.1), 0.3),
    Adaptive(0.1),
]
every_optimizer = pytest.mark.parametrize("optimizer", EXAMPLES, ids=repr)
every_schedule = pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
SHAPES = ((), (7,), (3, 5), (2, 3, 2))


def gradients(shape: tuple[int, ...], steps: int = 12) -> np.ndarray:
    """Gradients of all sizes, with zeros among them."""
    rng = np.random.default_rng([steps, *shape])
    found = rng.standard_normal((steps, *shape)) * 10.0 ** rng.integers(-6, 7, (steps, *shape))
    found[::4] = np.where(rng.random(shape) < 0.5, 0.0, found[::4])
    return found


def start(shape: tuple[int, ...]) -> np.ndarray:
    return np.asarray(np.random.default_rng(1).standard_normal(shape), dtype=np.float64)


def walk(
    optimizer: Optimizer, w: np.ndarray, given: np.ndarray, state: OptimizerState | None = None
) -> tuple[np.ndarray, OptimizerState]:
    """Where given gradients lead; a loss is told now and then."""
    state = optimizer.init(w) if state is None else state
    for gradient in given:
        w, state = optimizer.apply(gradient, state, w)
        if state.step % 3 == 0:
            state = optimizer.told(1.0, state)
    return w, state


def through_files(state: OptimizerState) -> OptimizerState:
    """Through npz and JSON, as a checkpoint goes."""
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **state.arrays)
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        numbers = json.loads(json.dumps({"step": state.step, **state.numbers}))
        return OptimizerState(numbers.pop("step"), dict(arrays), numbers)


# ------------------------------------------------------------------------------- the checks


def check_it_is_pure(optimizer: Optimizer) -> None:
    """Nothing that comes in is written to, and the same in gives the same out."""
    for shape in SHAPES:
        w, given = start(shape), gradients(shape)
        w, state = walk(optimizer, w, given[:5])
        gradient, before = given[5], (w.copy(), {name: a.copy() for name, a in state.arrays.items()})
        for array in (w, gradient, *state.arrays.values()):
            np.asarray(array).setflags(write=False)
        optimizer.at(state, w)
        optimizer.model(state, w)
        first, second = (optimizer.apply(gradient, state, w) for _ in range(2))
        assert first[0].tobytes() == second[0].tobytes()
        assert w.tobytes() == before[0].tobytes()
        assert all(state.arrays[name].tobytes() == array.tobytes() for name, array in before[1].items())
        assert not any(np.shares_memory(gradient, a) for a in (first[0], *first[1].arrays.values()))


def check_states(optimizer: Optimizer) -> None:
    """Steps are counted, arrays are float64 of the shape of w, numbers are floats."""
    for shape in SHAPES:
        w, state = start(shape), optimizer.init(start(shape))
        assert state.step == 0
        for t, gradient in enumerate(gradients(shape), start=1):
            w, state = optimizer.apply(gradient, state, w)
            assert state.step == t
            assert w.shape == shape and w.dtype == np.float64
            assert all(type(a) is np.ndarray and a.dtype == np.float64 for a in state.arrays.values())
            assert all(a.shape == shape for a in state.arrays.values())
            assert all(type(number) is float for number in state.numbers.values())
            for point in (optimizer.at(state, w), optimizer.model(state, w)):
                assert point.shape == shape and point.dtype == np.float64


def check_ranges(optimizer: Optimizer) -> None:
    """A vector that is cut moves as it does in one piece, to the last bit."""
    w, given = start((1001,)), gradients((1001,))
    whole, state = walk(optimizer, w, given)
    for cuts in ((1,), (3, 500), (7, 8, 9, 640, 1000)):
        parts = [
            walk(optimizer, part, rows)
            for part, rows in zip(np.split(w, cuts), np.split(given, cuts, axis=1), strict=True)
        ]
        assert np.concatenate([part for part, _ in parts]).tobytes() == whole.tobytes()
        for look in (optimizer.at, optimizer.model):
            cut = np.concatenate([look(own, part) for part, own in parts])
            assert cut.tobytes() == look(state, whole).tobytes()
        for name, array in state.arrays.items():
            assert np.concatenate([own.arrays[name] for _, own in parts]).tobytes() == array.tobytes()
        assert all(dict(own.numbers) == dict(state.numbers) for _, own in parts)


def check_it_goes_on(optimizer: Optimizer) -> None:
    """From a state that was written and read, to the same bits."""
    w, given = start((4, 3)), gradients((4, 3))
    whole, state = walk(optimizer, w, given)
    half, kept = walk(optimizer, w, given[:6])
    again, resumed = walk(optimizer, half, given[6:], through_files(kept))
    assert again.tobytes() == whole.tobytes()
    assert optimizer.model(resumed, again).tobytes() == optimizer.model(state, whole).tobytes()


def check_it_descends(optimizer: Optimizer) -> None:
    """Down the bowl sum_j h_j (w_j - c_j)^2 / 2, whose gradient is taken where the optimizer says."""
    h, c = np.array([0.3, 1.0, 2.0]), np.array([1.0, -2.0, 0.5])

    def value(w: np.ndarray) -> float:
        return float(0.5 * np.sum(h * np.square(w - c)))

    w = np.zeros(3)
    state = optimizer.init(w)
    for _ in range(300):
        w, state = optimizer.apply(h * (optimizer.at(state, w) - c), state, w)
    assert value(optimizer.model(state, w)) < 1e-3 * value(np.zeros(3))


def check_the_model_starts_where_w_is(optimizer: Optimizer) -> None:
    w = start((5,))
    state = optimizer.init(w)
    np.testing.assert_allclose(optimizer.at(state, w), w, rtol=1e-15)
    assert optimizer.model(state, w).tobytes() == w.tobytes()


CHECKS = [
    check_it_is_pure,
    check_states,
    check_ranges,
    check_it_goes_on,
    check_it_descends,
    check_the_model_starts_where_w_is,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@every_optimizer
def test_every_optimizer(optimizer: Optimizer, check: Any) -> None:
    check(optimizer)


@every_optimizer
def test_it_is_a_frozen_value(optimizer: Optimizer) -> None:
    assert pickle.loads(pickle.dumps(optimizer)) == optimizer
    assert eval(repr(optimizer), {**vars(optimizers), **vars(schedules)}) == optimizer
    first = fields(optimizer)[0].name  # type: ignore[arg-type]
    with pytest.raises(FrozenInstanceError):
        setattr(optimizer, first, 1.0)


@every_schedule
def test_every_schedule(schedule: Schedule) -> None:
    numbers = schedule.init()
    assert all(type(number) is float for number in numbers.values())
    before = dict(numbers)
    rates = [schedule.rate(t, numbers) for t in range(1, 50)]
    assert all(type(rate) is float and 0.0 < rate <= 0.1 for rate in rates)
    assert rates == [schedule.rate(t, numbers) for t in range(1, 50)]
    for loss in (3.0, np.nan, 2.0, np.inf):
        told = schedule.told(loss, numbers)
        assert dict(numbers) == before, "what comes in is not written to"
        assert told == schedule.told(loss, numbers) and told.keys() == before.keys()
        numbers, before = told, dict(told)
    assert pickle.loads(pickle.dumps(schedule)) == schedule


def test_everything_is_asked() -> None:
    for room, base, examples in ((optimizers, Optimizer, EXAMPLES), (schedules, Schedule, SCHEDULES)):
        exported = {getattr(room, name) for name in room.__all__}
        concrete = {c for c in exported if issubclass(c, base) and not inspect.isabstract(c)}
        assert concrete == {type(example) for example in examples}
        assert len({c.name for c in concrete}) == len(concrete)


# ------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: SGD(0.0), r"SGD\(learning_rate=0.0\): expected a finite number > 0, or one of .*schedules"),
        (lambda: SGD(np.nan), "learning_rate=nan"),
        (lambda: SGD(np.inf), "learning_rate=inf"),
        (lambda: SGD("fast"), "learning_rate='fast'"),
        (lambda: SGD(True), "learning_rate=True"),
        (lambda: Momentum(momentum=1.0), r"Momentum\(momentum=1.0\): expected a finite number >= 0 and < 1"),
        (lambda: Nesterov(momentum=-0.1), "momentum=-0.1"),
        (lambda: AdaGrad(epsilon=0.0), r"AdaGrad\(epsilon=0.0\): expected a finite number > 0"),
        (lambda: RMSProp(decay=1.0), "decay=1.0"),
        (lambda: Adam(beta_1=1.0), "beta_1=1.0"),
        (lambda: Adam(beta_2=-1.0), "beta_2=-1.0"),
        (lambda: AdamW(weight_decay=-1.0), "weight_decay=-1.0"),
        (lambda: Averaging(SGD(), start=0), r"Averaging\(start=0\): expected a whole number >= 1"),
        (lambda: Averaging(SGD(), start=1.5), "start=1.5"),
        (lambda: Averaging(SGD(), eta=-1.0), "eta=-1.0"),
        (lambda: Averaging(Averaging(SGD())), "expected an optimizer that does not average"),
        (lambda: ScheduleFree(beta=1.0), "beta=1.0"),
        (lambda: Constant(-1.0), r"Constant\(eta0=-1.0\): expected a finite number > 0"),
        (lambda: InverseScaling(power_t=-0.5), "power_t=-0.5"),
        (lambda: Cosine(0.1, steps=0), "steps=0"),
        (lambda: Cosine(0.1, steps=5, eta_min=0.2), "eta_min must not be above eta0"),
        (lambda: WarmUp(Constant(), steps=0), "steps=0"),
        (lambda: Adaptive(tol=-1.0), "tol=-1.0"),
        (lambda: Adaptive(n_iter_no_change=0), "n_iter_no_change=0"),
    ],
)
def test_what_is_out_of_range_is_refused(make: Any, text: str) -> None:
    with pytest.raises(UnsupportedParameter, match=text) as told:
        make()
    assert isinstance(told.value, ValueError)


@every_optimizer
def test_only_float64_is_taken(optimizer: Optimizer) -> None:
    for w, text in ((np.zeros(3, dtype=np.float32), "float32 array"), ([0.0], "list")):
        with pytest.raises(InvalidData, match=f"was given a {text}; expected a float64 array"):
            optimizer.init(w)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------- the lies


@dataclass(frozen=True)
class _Lie(Optimizer):
    """SGD, wrong in one of many ways."""

    about: str
    learning_rate: float = 0.3
    name: ClassVar[str] = "lie"
    memory: ClassVar[dict[str, float]] = {"calls": 0.0}

    def init(self, w: np.ndarray) -> OptimizerState:
        return OptimizerState(0, {"last": np.zeros_like(w)}, {})

    def model(self, state: OptimizerState, w: np.ndarray) -> np.ndarray:
        return w + 1.0 if self.about == "the start" else w

    def apply(
        self, gradient: np.ndarray, state: OptimizerState, w: np.ndarray
    ) -> tuple[np.ndarray, OptimizerState]:
        self.memory["calls"] += 1.0
        if self.about == "purity":
            w = w + 1e-9 * self.memory["calls"]
        length = 1.0 / (1.0 + np.abs(gradient).max()) if self.about == "ranges" else 1.0
        length = -1.0 if self.about == "descent" else length
        moved = w - self.rate(state) * length * gradient
        if self.about == "going on":
            moved = moved - (1e-3 if self.memory["calls"] % 7 == 0 else 0.0)
        steps = state.step + (2 if self.about == "counting" else 1)
        return np.asarray(moved), replace(state, step=steps)


@pytest.mark.parametrize(
    ("about", "check"),
    [
        ("purity", check_it_is_pure),
        ("counting", check_states),
        ("ranges", check_ranges),
        ("going on", check_it_goes_on),
        ("descent", check_it_descends),
        ("the start", check_the_model_starts_where_w_is),
    ],
)
def test_a_lie_is_seen(about: str, check: Any) -> None:
    check(_Lie("nothing"))
    with pytest.raises(AssertionError):
        check(_Lie(about))
