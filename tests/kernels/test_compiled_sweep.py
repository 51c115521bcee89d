"""The compiled loops say what NumPy says, on every layout of the rows, and the same bits each time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from daskml_dist.errors import NonFiniteData
from daskml_dist.kernels import Point, Question, Sweep, answer, compiled_sweep
from daskml_dist.kernels.compiled_sweep import LOSSES, CompiledSums, block_rows
from daskml_dist.kernels.sweep import COMPILED_LOSSES
from daskml_dist.losses import Logistic, Loss, Poisson, Squared
from daskml_dist.types import Chunk, FloatArray
from tests.losses.examples import KNOWN

every_loss = pytest.mark.parametrize("loss", [Squared(), Logistic(), Poisson()], ids=lambda loss: loss.name)


def data(n: int, p: int, *, extras: bool = True, scale: float = 1.0, seed: int = 0) -> tuple[Chunk, Point]:
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.4).astype(float)
    weight = np.where(rng.random(n) < 0.1, 0.0, rng.random(n)) if extras else None
    chunk = Chunk(0, rng.standard_normal((n, p)), y, weight, rng.standard_normal(n) if extras else None)
    w = scale * rng.standard_normal((1, p)) / np.sqrt(p)
    return chunk, Point(w, rng.standard_normal(1), rng.standard_normal(p), True)


def ask(loss: Loss, at: Point, chunk: Chunk, *, compiled: bool) -> Any:
    return answer(Question(Sweep(loss, at, compiled=compiled)), [chunk], 1)


def close(a: Any, b: Any, digits: float = 1e-13) -> None:
    assert_allclose(a.value, b.value, rtol=digits)
    assert_allclose(a.gradient, b.gradient, atol=20 * digits * np.abs(b.gradient).max(), rtol=0)
    assert (a.rows, a.weight_sum) == (b.rows, b.weight_sum)


def test_the_same_losses_are_named_twice() -> None:
    assert set(LOSSES) == COMPILED_LOSSES <= set(KNOWN)


@every_loss
@pytest.mark.parametrize("extras", [False, True], ids=["plain", "weights and offset"])
@pytest.mark.parametrize(
    "shape", [(1, 1), (3, 5), (4, 8), (127, 33), (128, 2), (1001, 100), (600, 300), (9, 6000)]
)
def test_it_agrees_with_numpy(loss: Loss, shape: tuple[int, int], extras: bool) -> None:
    chunk, at = data(*shape, extras=extras)
    close(ask(loss, at, chunk, compiled=True), ask(loss, at, chunk, compiled=False))


@every_loss
def test_margins_of_any_size(loss: Loss) -> None:
    chunk, at = data(3000, 4, scale=150.0)
    close(ask(loss, at, chunk, compiled=True), ask(loss, at, chunk, compiled=False), 1e-12)


def test_exponential_and_logarithm_are_right_to_two_ulps() -> None:
    v = np.concatenate([np.linspace(-708, 709.78, 400_001), np.linspace(-1, 1, 20_001), [0.0, -0.0]])
    found, bits = v.copy(), np.empty(v.size, np.int64)
    compiled_sweep._exp(found, v.size, bits)
    assert np.abs(found / np.exp(v) - 1.0).max() < 4.5e-16
    a = np.concatenate([np.linspace(0.0, 1.0, 20_001)[1:], np.logspace(-300, 0, 2_001)])
    logarithms = np.array([compiled_sweep._log1p(x) for x in a])
    assert np.abs(logarithms / np.log1p(a) - 1.0).max() < 4.5e-16
    assert compiled_sweep._log1p(0.0) == 0.0


def test_the_ends_of_the_exponential() -> None:
    v = np.array([709.9, np.inf, -np.inf, -800.0, np.nan])
    compiled_sweep._exp(v, v.size, np.empty(v.size, np.int64))
    assert_array_equal(v[:2], np.inf)
    assert (v[2:4] >= 0.0).all() and (v[2:4] < 1e-300).all()
    assert np.isnan(v[4])


def layouts(X: FloatArray) -> dict[str, FloatArray]:
    unaligned = np.frombuffer(b"x" + X.tobytes(), dtype=np.uint8)[1:].view(np.float64).reshape(X.shape)
    assert not unaligned.flags.aligned
    frozen = X.copy()
    frozen.flags.writeable = False
    return {
        "columns first": np.asfortranarray(X),
        "every second row": np.repeat(X, 2, axis=0)[::2],
        "unaligned": unaligned,
        "read-only": frozen,
        "the other byte order": X.astype(X.dtype.newbyteorder()),
    }


@every_loss
def test_the_layout_of_the_rows_does_not_change_a_bit(loss: Loss) -> None:
    chunk, at = data(5003, 37)  # several pieces, the last one short
    assert chunk.X is not None
    expected = ask(loss, at, chunk, compiled=True)
    for name, X in layouts(chunk.X).items():
        found = ask(loss, at, Chunk(0, X, chunk.y, chunk.weight, chunk.offset), compiled=True)
        assert_array_equal(found.gradient, expected.gradient, name)
        assert_array_equal(found.value, expected.value, name)


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.uint8, np.bool_, np.float16])
def test_other_numbers(dtype: Any) -> None:
    chunk, at = data(700, 9)
    assert chunk.X is not None
    X = (chunk.X > 0).astype(dtype) if dtype in (np.bool_, np.uint8) else (8 * chunk.X).astype(dtype)
    rows = [Chunk(0, part, chunk.y, chunk.weight, chunk.offset) for part in (X, X.astype(np.float64))]
    for piece in (rows[0], Chunk(0, np.asfortranarray(X), chunk.y, chunk.weight, chunk.offset)):
        close(ask(Logistic(), at, piece, compiled=True), ask(Logistic(), at, rows[1], compiled=False))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@every_loss
def test_a_bad_value_is_refused_and_never_lost(loss: Loss, bad: float) -> None:
    for row in (0, 130, 299):
        chunk, at = data(300, 7)
        assert chunk.X is not None
        chunk.X[row, 3] = bad
        with pytest.raises(NonFiniteData, match="column"):
            ask(loss, at, chunk, compiled=True)


def test_an_offset_without_end_is_seen() -> None:
    for bad in (np.nan, np.inf):
        chunk, at = data(300, 7)
        assert chunk.offset is not None and chunk.weight is not None
        chunk.offset[5], chunk.weight[5] = bad, 1.0
        sums = CompiledSums("logistic", at.w[0], 0.0)
        assert chunk.X is not None and chunk.y is not None
        chunk.y[5] = 0.0
        sums.add(chunk.X, chunk.y, chunk.weight, chunk.offset)
        assert not np.isfinite(sums.value)


@every_loss
def test_a_zero_weight_silences_infinity(loss: Loss) -> None:
    chunk, at = data(64, 3)
    assert chunk.offset is not None and chunk.weight is not None
    chunk.offset[5], chunk.weight[5] = 1e300, 0.0
    found = ask(loss, at, chunk, compiled=True)
    assert np.isfinite(found.value).all() and np.isfinite(found.gradient).all()


def test_a_point_too_far_gives_infinity() -> None:
    chunk, at = data(64, 3, scale=1e4, extras=False)
    assert ask(Poisson(), at, chunk, compiled=True).value == np.inf


def test_many_rows_lose_no_digits() -> None:
    n = 2_000_003
    chunk = Chunk(0, np.full((n, 2), 0.1), np.zeros(n))
    at = Point(np.zeros((1, 2)), np.ones(1), np.zeros(2), True)
    found = ask(Squared(), at, chunk, compiled=True)
    assert_allclose(found.gradient[0], n * np.array([0.1, 0.1, 1.0]), rtol=1e-12)
    assert_allclose(found.value, 0.5 * n, rtol=1e-12)


def test_blocks_are_multiples_of_four() -> None:
    for p in range(1, 20_000):
        assert block_rows(p) % 4 == 0 and 4 <= block_rows(p) <= 128


def test_only_plain_questions_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    chunk, at = data(100, 3)
    monkeypatch.setattr(compiled_sweep, "CompiledSums", None)  # whoever calls it fails
    answer(Question(Sweep(Logistic(), at, hessian=True, compiled=True)), [chunk], 1)
    answer(Question(Sweep(Logistic(), at, np.ones((1, 4)), (1.0,), compiled=True)), [chunk], 1)
    with pytest.raises(TypeError):
        ask(Logistic(), at, chunk, compiled=True)
