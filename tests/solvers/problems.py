"""Problems of seven kinds, conversations held by hand, and optima by SciPy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.linalg import qr, solve_triangular
from scipy.optimize import minimize
from scipy.special import expit

from daskml_dist.kernels import Kernel, Point, answer
from daskml_dist.losses import Logistic, Loss, Poisson, Squared
from daskml_dist.penalties import L2, Penalty, Unpenalised
from daskml_dist.solvers import Conversation, Problem, Solution, State, Turn
from daskml_dist.types import AnyArray, Chunk, FloatArray

LOSSES: dict[str, Loss] = {"logistic": Logistic(), "poisson": Poisson(), "squared": Squared()}
PENALTIES: dict[str, Penalty] = {"none": Unpenalised(), "ridge": L2(1e-3)}

Rng = np.random.Generator


def _correlated(rng: Rng, n: int, p: int) -> AnyArray:
    return np.cumsum(rng.standard_normal((n, p)), axis=1) + 1e-2 * rng.standard_normal((n, p))


def _scaled(rng: Rng, n: int, p: int) -> AnyArray:
    return rng.standard_normal((n, p)) * np.logspace(-4, 4, p)


def _shifted(rng: Rng, n: int, p: int) -> AnyArray:
    return rng.standard_normal((n, p)) + 1e3


def _collinear(rng: Rng, n: int, p: int) -> AnyArray:
    X = rng.standard_normal((n, p))
    X[:, -1] = X[:, 0] - 2.0 * X[:, 1]
    X[:, -2] = X[:, 0] + 1e-5 * X[:, -2]
    return X


def _heavy(rng: Rng, n: int, p: int) -> AnyArray:
    return rng.standard_t(4, (n, p))


def _iid(rng: Rng, n: int, p: int) -> AnyArray:
    return rng.standard_normal((n, p))


FAMILIES: dict[str, Callable[[Rng, int, int], AnyArray]] = {
    "iid": _iid,
    "correlated": _correlated,
    "scaled": _scaled,
    "imbalanced": _iid,
    "collinear": _collinear,
    "heavy-tailed": _heavy,
    "shifted": _shifted,
}


@dataclass(frozen=True)
class Task:
    """A problem and its rows."""

    problem: Problem
    X: FloatArray
    y: FloatArray
    weight: FloatArray | None

    @property
    def chunks(self) -> list[Chunk]:
        """Seven chunks of different lengths."""
        n = len(self.y)
        cuts = [0, n // 20, n // 9, n // 3, n // 2, n // 2 + 1, 3 * n // 4, n]
        parts = list(zip(cuts[:-1], cuts[1:], strict=True))
        s = self.weight
        return [
            Chunk(i, self.X[a:b], self.y[a:b], None if s is None else s[a:b])
            for i, (a, b) in enumerate(parts)
        ]

    def objective(self, at: Point) -> float:
        """F, in plain NumPy."""
        z = (self.X - at.centre) @ at.w[0] + at.b[0]
        s = np.ones(len(z)) if self.weight is None else self.weight
        value = float(s @ self.problem.loss.value(self.y, z) / s.sum())
        return value + float(self.problem.penalty.value(at.w[0]))


def task(
    family: str,
    loss: str,
    penalty: str,
    n: int = 3000,
    p: int = 8,
    *,
    weighted: bool = False,
    intercept: bool = True,
    **settings: Any,
) -> Task:
    """Data of a family with a target that fits the loss."""
    rng = np.random.default_rng([n, p, sum(family.encode())])
    X = FAMILIES[family](rng, n, p)
    beta = rng.standard_normal(p) / np.sqrt(p)
    z = np.clip((X - X.mean(axis=0)) / X.std(axis=0) @ beta, -4, 4)
    y = _target(rng, loss, z - 4.5 if family == "imbalanced" else z)
    weight = rng.integers(0, 4, n) / 2.0 if weighted else None
    s = np.ones(n) if weight is None else weight
    events = int((y > 0).sum()) if loss != "squared" else 0
    problem = Problem(
        loss=LOSSES[loss],
        penalty=PENALTIES[penalty],
        intercept=intercept,
        rows=n,
        features=p,
        targets=1,
        weight_sum=float(s.sum()),
        events=events,
        mean=np.atleast_1d(s @ y / s.sum()),
        **settings,
    )
    return Task(problem, X, y, weight)


def _target(rng: Rng, loss: str, z: AnyArray) -> FloatArray:
    if loss == "logistic":
        return (rng.random(len(z)) < expit(z)).astype(np.float64)
    if loss == "poisson":
        return rng.poisson(np.exp(z)).astype(np.float64)
    return z + 0.5 * rng.standard_normal(len(z))


def minimum(t: Task) -> float:
    """min F by SciPy's trust region, in coordinates in which the rows are orthonormal."""
    loss, p = t.problem.loss, t.problem.features
    ridge = float(np.max(t.problem.penalty.curvature(np.zeros(p))))
    Q, back = _orthonormal(t, ridge > 0.0)
    s = np.ones(len(Q)) if t.weight is None else t.weight
    s = s / s.sum()

    def value(u: AnyArray) -> float:
        return float(s @ loss.value(t.y, Q @ u)) + 0.5 * ridge * float(np.square(back @ u).sum())

    def gradient(u: AnyArray) -> AnyArray:
        return Q.T @ (s * loss.value_slope(t.y, Q @ u)[1]) + ridge * back.T @ (back @ u)

    def hessian(u: AnyArray) -> AnyArray:
        curvature = s * loss.value_slope_curvature(t.y, Q @ u)[2]
        return Q.T @ (curvature[:, None] * Q) + ridge * back.T @ back

    start, options = np.zeros(Q.shape[1]), {"gtol": 1e-9}
    u = minimize(value, start, jac=gradient, hess=hessian, method="trust-exact", options=options).x
    for _ in range(3):
        u = u - np.linalg.lstsq(hessian(u), gradient(u))[0]
    return value(u)


def _orthonormal(t: Task, ridge: bool) -> tuple[AnyArray, AnyArray]:
    """(n, r) rows Q in new coordinates u, and the (p, r) map from u to w without its null directions."""
    p, n = t.problem.features, len(t.X)
    rows = t.X - t.X.mean(axis=0) if t.problem.intercept else t.X
    scales = np.sqrt(np.square(rows).mean(axis=0))
    rows = rows / scales
    if t.problem.intercept:
        rows = np.column_stack([rows, np.ones(n)])
    Q, R, order = qr(rows, mode="economic", pivoting=True)
    rank = int((np.abs(np.diag(R)) > 1e-11 * abs(R[0, 0])).sum())
    if ridge and rank < len(R):  # exactly collinear, and the penalty decides: the plain coordinates will do
        return rows, np.eye(p, rows.shape[1]) / scales[:, None]
    back = np.zeros((rows.shape[1], rank))
    back[order[:rank]] = solve_triangular(R[:rank, :rank] / np.sqrt(n), np.eye(rank))
    return Q[:, :rank] * np.sqrt(n), back[:p] / scales[:, None]


@lru_cache(maxsize=64)
def known_minimum(family: str, loss: str, penalty: str, n: int = 3000, p: int = 8) -> float:
    """min F of a task without weights, once for all solvers."""
    return minimum(task(family, loss, penalty, n, p))


def relative_excess(t: Task, at: Point, best: float) -> float:
    """(F - min F) / max(F, F_null / 1000), the unit of ``tol``."""
    p = t.problem.features
    link = t.problem.loss.link(t.problem.mean) if t.problem.intercept else np.zeros(1)
    null = t.objective(Point(np.zeros((1, p)), link, np.zeros(p), t.problem.intercept))
    return (t.objective(at) - best) / max(t.objective(at), 1e-3 * null)


@dataclass
class Talk:
    """A conversation that was held: what was asked in each turn, and how it ended."""

    turns: list[Turn]
    solution: Solution

    @property
    def kernels(self) -> list[Kernel[Any]]:
        """The questions, in order."""
        return [turn.question.kernel for turn in self.turns]

    @property
    def names(self) -> list[str]:
        """The kinds of question, in order."""
        return [type(kernel).__name__ for kernel in self.kernels]

    @property
    def point(self) -> Point:
        """The end."""
        assert self.solution.state.point is not None
        return self.solution.state.point


def hold(conversation: Conversation, chunks: list[Chunk]) -> Talk:
    """Drive a conversation by hand, and write down each turn."""
    turns: list[Turn] = []
    reply: Any = None
    while True:
        try:
            turn = conversation.send(reply)
        except StopIteration as stop:
            return Talk(turns, stop.value)
        turns.append(turn)
        reply = answer(turn.question, chunks, len(chunks))


def states_with_a_point(talk: Talk) -> Iterator[State]:
    """What can be gone on from."""
    seen: list[State] = []
    for turn in talk.turns:
        if turn.state.point is not None and turn.state not in seen:
            seen.append(turn.state)
            yield turn.state
