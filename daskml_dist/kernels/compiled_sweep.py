"""Value and gradient of one problem in compiled loops, for data that are much larger than the cache.

NumPy reads a block of rows twice and calls a dozen functions in between, each of which gives up the
interpreter's lock and takes it again: on two threads a pass then takes three to four times as long as
reading the rows does. Here a block that fits the cache is multiplied, goes through the loss, and is
multiplied again, while the next block is being fetched (docs/decisions/0007).

Importing this module imports Numba, which takes half a second; that is why sweep.py does so late.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from daskml_dist.types import AnyArray, FloatArray

F = TypeVar("F", bound=Callable[..., Any])
IntArray = NDArray[np.int64]

LOSSES = {"squared": 0, "logistic": 1, "poisson": 2}  # COMPILED_LOSSES of sweep.py

_BLOCK_BYTES = 1 << 17
_LINE_BYTES = 64
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # of fdlibm's exp
_LOG2_E = 1.4426950408889634
_LARGEST = 709.782712893384  # exp overflows beyond
_SMALLEST = -708.0  # and is denormal below


def _elementwise(function: F) -> F:
    """Compile; runs without the interpreter's lock."""
    return _compiled(function, {"contract"})


def _summing(function: F) -> F:
    """Compile; the addends of a sum may be regrouped, in the same way each time. NaN stays NaN."""
    return _compiled(function, {"reassoc", "contract", "nsz"})


def _compiled(function: F, allowed: set[str]) -> F:
    options: Any = {"nogil": True, "fastmath": allowed, "error_model": "numpy"}
    try:
        return cast(F, numba.njit(cache=True, **options)(function))
    except RuntimeError:  # there is nowhere to write the cache: compile in each process
        return cast(F, numba.njit(**options)(function))


@intrinsic
def _prefetch(_context: Any, array: Any, index: Any) -> Any:
    """Begin to fetch array[index] into the cache; an index beyond the end does no harm."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view = context.make_array(signature.args[0])(context, builder, arguments[0])
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        address = builder.bitcast(builder.gep(view.data, [arguments[1]]), byte)
        kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        declare: Any = cgutils.get_or_insert_function
        function = declare(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [address, word(0), word(3), word(1)])  # for reading, to be kept, data
        return context.get_dummy_value()

    return types.void(array, types.intp), emit


def block_rows(n_features: int) -> int:
    """Rows of a block, a multiple of four."""
    return int(np.clip(_BLOCK_BYTES // (8 * max(n_features, 1)) // 4 * 4, 4, 128))


class CompiledSums:
    """Running sums over pieces of a chunk: the value, and its gradient in w and in the intercept.

    Every piece but the last one must have a multiple of ``block_rows`` rows; then the sums do not depend
    on where the pieces end.
    """

    def __init__(self, loss: str, w: FloatArray, shift: float) -> None:
        self._loss, self._w, self._shift = LOSSES[loss], np.ascontiguousarray(w), float(shift)
        self._block = block_rows(w.size)
        self._totals = np.zeros(2)
        self.gradient = np.zeros(w.size)

    @property
    def value(self) -> float:
        """Sum of the weighted losses."""
        return float(self._totals[0])

    @property
    def slopes(self) -> float:
        """Sum of the weighted slopes."""
        return float(self._totals[1])

    def add(self, x: AnyArray, y: FloatArray, weight: FloatArray | None, offset: FloatArray | None) -> None:
        """Add rows: x (B, p) float32 or float64 in C order; y, weight and offset (B,)."""
        none = np.empty(0)
        _sweep(
            _read_only(x.reshape(-1)),
            _read_only(y),
            _read_only(none if weight is None else weight),
            _read_only(none if offset is None else offset),
            self._w,
            self._shift,
            self._loss,
            self._block,
            self.gradient,
            self._totals,
        )


def prepare() -> None:
    """Compile now, and keep it in Numba's cache, so that the first large fit does not wait for it."""
    for dtype in (np.float64, np.float32):
        CompiledSums("squared", np.zeros(1), 0.0).add(np.zeros((1, 1), dtype=dtype), np.zeros(1), None, None)


def _read_only(values: AnyArray) -> AnyArray:
    """A view that cannot be written to: Numba compiles anew for those that can."""
    dtype = values.dtype if values.dtype == np.float32 else np.dtype(np.float64)
    view = np.require(values, dtype=dtype, requirements=["C", "A"]).view()
    view.flags.writeable = False
    return view


@_summing
def _sweep(
    x: AnyArray,
    y: FloatArray,
    weight: FloatArray,
    offset: FloatArray,
    w: FloatArray,
    shift: float,
    loss: int,
    block: int,
    gradient: FloatArray,
    totals: FloatArray,
) -> None:
    """Add rows, x flat, to the gradient (p,) and to the totals (value, slopes)."""
    n, p = y.size, w.size
    z, value, slope = np.empty(block), np.empty(block), np.empty(block)
    bits = np.empty(block, np.int64)
    part = np.empty(p)
    for first in range(0, n, block):
        rows = min(block, n - first)
        _margins(x, first, rows, w, shift, z)
        if offset.size:
            for i in range(rows):
                z[i] += offset[first + i]
        target = y[first : first + rows]
        if loss == 1:
            _logistic(target, z, value, slope, bits)
        elif loss == 2:
            _poisson(target, z, value, slope, bits)
        else:
            _squared(target, z, value, slope)
        if weight.size:
            for i in range(rows):
                s = weight[first + i]
                value[i] = 0.0 if s == 0.0 else s * value[i]  # a zero weight silences infinity
                slope[i] = 0.0 if s == 0.0 else s * slope[i]
        _products(x, first, rows, block, slope, part)
        for c in range(p):
            gradient[c] += part[c]  # block by block, which rounds less than row by row
        totals[0] += value[:rows].sum()
        totals[1] += slope[:rows].sum()


@_summing
def _margins(x: AnyArray, first: int, rows: int, w: FloatArray, shift: float, z: FloatArray) -> None:
    """z = x @ w + shift for some rows; four at a time, so that w is loaded once for them."""
    p = w.size
    for i in range(0, rows - rows % 4, 4):
        at = (first + i) * p
        x0, x1 = x[at : at + p], x[at + p : at + 2 * p]
        x2, x3 = x[at + 2 * p : at + 3 * p], x[at + 3 * p : at + 4 * p]
        z0, z1, z2, z3 = 0.0, 0.0, 0.0, 0.0
        for c in range(p):
            z0 += x0[c] * w[c]
            z1 += x1[c] * w[c]
            z2 += x2[c] * w[c]
            z3 += x3[c] * w[c]
        z[i], z[i + 1], z[i + 2], z[i + 3] = z0 + shift, z1 + shift, z2 + shift, z3 + shift
    for i in range(rows - rows % 4, rows):
        at = (first + i) * p
        z0 = 0.0
        for c in range(p):
            z0 += x[at + c] * w[c]
        z[i] = z0 + shift


@_summing
def _products(x: AnyArray, first: int, rows: int, block: int, slope: FloatArray, part: FloatArray) -> None:
    """part = slope @ x for some rows, while the rows one block further on are fetched."""
    p = part.size
    line = _LINE_BYTES // x.itemsize
    part[:] = 0.0
    for i in range(0, rows - rows % 4, 4):
        at = (first + i) * p
        for ahead in range(0, 4 * p, line):
            _prefetch(x, at + block * p + ahead)  # type: ignore[call-arg]
        x0, x1 = x[at : at + p], x[at + p : at + 2 * p]
        x2, x3 = x[at + 2 * p : at + 3 * p], x[at + 3 * p : at + 4 * p]
        s0, s1, s2, s3 = slope[i], slope[i + 1], slope[i + 2], slope[i + 3]
        for c in range(p):
            part[c] += s0 * x0[c] + s1 * x1[c] + s2 * x2[c] + s3 * x3[c]
    for i in range(rows - rows % 4, rows):
        at = (first + i) * p
        for c in range(p):
            part[c] += slope[i] * x[at + c]


@_elementwise
def _squared(y: FloatArray, z: FloatArray, value: FloatArray, slope: FloatArray) -> None:
    for i in range(y.size):
        slope[i] = z[i] - y[i]
        value[i] = 0.5 * slope[i] * slope[i]


@_elementwise
def _logistic(y: FloatArray, z: FloatArray, value: FloatArray, slope: FloatArray, bits: IntArray) -> None:
    """With m = (1 - 2 y) z: log(1 + exp(m)) and its slope, from exp(-|m|) as in losses/logistic.py."""
    for i in range(y.size):
        sign = 1.0 - 2.0 * y[i]
        z[i] = sign * z[i]
        value[i] = -abs(z[i])
    _exp(value, y.size, bits)
    for i in range(y.size):
        sign, m, a = 1.0 - 2.0 * y[i], z[i], value[i]
        value[i] = _log1p(a) + (0.0 if m < 0.0 else m)
        slope[i] = sign * ((a if m < 0.0 else 1.0) / (1.0 + a))


@_elementwise
def _poisson(y: FloatArray, z: FloatArray, value: FloatArray, slope: FloatArray, bits: IntArray) -> None:
    """y log(y) - y - y z + exp(z), never below zero."""
    for i in range(y.size):
        value[i] = z[i]
    _exp(value, y.size, bits)
    for i in range(y.size):
        mean = value[i]
        constant = y[i] * math.log(y[i]) - y[i] if y[i] > 0.0 else 0.0
        loss = constant - y[i] * z[i] + mean
        value[i] = 0.0 if loss < 0.0 else loss
        slope[i] = mean - y[i]


@_elementwise
def _exp(v: FloatArray, n: int, bits: IntArray) -> None:
    """exp(v) in place, to an ulp or two; written out, since a call of libm would not be vectorised.

    exp(v) = 2^k exp(r) with |r| <= log(2) / 2, where 13 terms of Taylor's series are enough. The terms
    stand in lines of their own because a loop over them is not vectorised either.
    """
    power = bits.view(np.float64)
    for i in range(n):
        clipped = _SMALLEST if v[i] < _SMALLEST else v[i]
        k = np.rint((_LARGEST if clipped > _LARGEST else clipped) * _LOG2_E)
        bits[i] = (np.int64(k) + 1022) << 52  # 2^(k - 1), which does not overflow
        r = (clipped - k * _LN2_HIGH) - k * _LN2_LOW
        q = 1.0 / 6227020800.0
        q = q * r + 1.0 / 479001600.0
        q = q * r + 1.0 / 39916800.0
        q = q * r + 1.0 / 3628800.0
        q = q * r + 1.0 / 362880.0
        q = q * r + 1.0 / 40320.0
        q = q * r + 1.0 / 5040.0
        q = q * r + 1.0 / 720.0
        q = q * r + 1.0 / 120.0
        q = q * r + 1.0 / 24.0
        q = q * r + 1.0 / 6.0
        q = q * r + 0.5
        q = q * r + 1.0
        q = q * r + 1.0
        v[i] = np.inf if clipped > _LARGEST else 2.0 * q
    for i in range(n):
        v[i] *= power[i]


@_elementwise
def _log1p(a: float) -> float:
    """log(1 + a) for 0 <= a <= 1: twice the area tangent of s = a / (2 + a) <= 1 / 3, by its series."""
    s = a / (2.0 + a)
    t = s * s
    q = 1.0 / 33.0
    q = q * t + 1.0 / 31.0
    q = q * t + 1.0 / 29.0
    q = q * t + 1.0 / 27.0
    q = q * t + 1.0 / 25.0
    q = q * t + 1.0 / 23.0
    q = q * t + 1.0 / 21.0
    q = q * t + 1.0 / 19.0
    q = q * t + 1.0 / 17.0
    q = q * t + 1.0 / 15.0
    q = q * t + 1.0 / 13.0
    q = q * t + 1.0 / 11.0
    q = q * t + 1.0 / 9.0
    q = q * t + 1.0 / 7.0
    q = q * t + 1.0 / 5.0
    q = q * t + 1.0 / 3.0
    q = q * t + 1.0
    return 2.0 * s * q
