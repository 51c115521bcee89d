"""Problems of groups of all kinds, and the least risk by SciPy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize

from daskml_dist.losses import Logistic, Loss
from daskml_dist.penalties import L2, Unpenalised
from daskml_dist.risks import Risk, WorstGroup
from daskml_dist.solvers import GroupProblem
from daskml_dist.types import Chunk, FloatArray


@dataclass(frozen=True)
class Groups:
    """A problem with its rows."""

    problem: GroupProblem
    X: FloatArray
    y: FloatArray
    weight: FloatArray
    group: Any

    @property
    def chunks(self) -> list[Chunk]:
        cuts = [0, len(self.y) // 7, len(self.y) // 2, len(self.y)]
        return [
            Chunk(i, self.X[a:b], self.y[a:b], self.weight[a:b], None, self.group[a:b])
            for i, (a, b) in enumerate(zip(cuts, cuts[1:], strict=False))
        ]

    def losses(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(G,) mean losses with shifts and penalty, and (G, q) slopes, in raw coordinates, in plain NumPy."""
        problem, p = self.problem, self.X.shape[1]
        rows = np.column_stack([self.X, np.ones(len(self.y))]) if problem.intercept else self.X
        value, slope = problem.loss.value_slope(self.y, rows @ theta)
        sums = np.stack([self.weight * (self.group == g) for g in range(problem.n_groups)])
        sums /= sums.sum(axis=1, keepdims=True)
        penalty, pull = float(problem.penalty.value(theta[:p])), np.zeros(len(theta))
        pull[:p] = problem.penalty.gradient(theta[:p])
        return sums @ value + problem.shifts + penalty, (sums * slope) @ rows + pull

    def risk(self, talk: Any) -> float:
        point = talk.point
        theta = np.append(point.w[0], point.raw_intercept) if self.problem.intercept else point.w[0]
        return self.problem.risk.value(self.losses(theta)[0], self.problem.shares)


def groups(
    seed: int = 0,
    *,
    loss: Loss | None = None,
    risk: Risk | None = None,
    alpha: float = 1e-2,
    n: int = 400,
    p: int = 3,
    G: int = 4,
    weighted: bool = False,
    intercept: bool = True,
    kind: str = "",
    **settings: Any,
) -> Groups:
    """Groups of unequal sizes that disagree about the coefficients."""
    rng, loss = np.random.default_rng(seed), loss or Logistic()
    X, y, group = _rows(rng, loss, n, p, G, identical=kind == "identical")
    if kind == "one row":
        group[group == 1] = 0
        group[0] = 1
    weight = rng.random(n) + 0.1 if weighted else np.ones(n)
    sums = np.bincount(group, weight, G)
    problem = GroupProblem(
        loss=loss,
        penalty=L2(alpha) if alpha else Unpenalised(),
        intercept=intercept,
        rows=n,
        features=p,
        targets=1,
        weight_sum=float(weight.sum()),
        events=0,
        mean=np.array([weight @ y / weight.sum()]),
        risk=risk or WorstGroup(),
        groups=np.bincount(group, minlength=G),
        shares=sums / sums.sum(),
        shifts=np.append(np.zeros(G - 1), 5.0 if kind == "dominating" else 0.0),
        **settings,
    )
    return Groups(problem, X, y, weight, group)


def _rows(rng: Any, loss: Loss, n: int, p: int, G: int, *, identical: bool) -> tuple[Any, Any, Any]:
    """Features on raw scales, a target that fits the loss, and groups; each row once in each if identical."""
    copies = np.arange(n) // G if identical else np.arange(n)
    group = np.concatenate([np.arange(G), rng.choice(G, n - G, p=rng.dirichlet(np.full(G, 3.0)))])
    X = rng.standard_normal((n, p)) * 10.0 ** rng.uniform(-1, 1, p) + rng.standard_normal(p)
    beta = rng.standard_normal((G, p)) + 0.5
    own = beta[0] if identical else beta[group]
    X, group = X[copies], np.arange(n) % G if identical else group
    z = np.sum((X - X.mean(axis=0)) / X.std(axis=0) * own, axis=1)
    uniform, noise = rng.random(n)[copies], rng.standard_normal(n)[copies]
    y = {
        "logistic": lambda: (uniform < 1 / (1 + np.exp(-z))).astype(float),
        "poisson": lambda: np.floor(np.exp(0.3 * z) + uniform),
        "squared": lambda: z + noise,
    }[loss.name]()
    return X, y, group


def least(t: Groups) -> float:
    """The least loss of the worst group, by SciPy on the epigraph."""
    G, q = t.problem.n_groups, t.problem.parameters
    scale = np.append(t.X.std(axis=0), 1.0)[:q]
    start = np.append(np.zeros(q), t.losses(np.zeros(q))[0].max())
    found = minimize(
        lambda u: u[-1],
        start,
        jac=lambda u: np.append(np.zeros(q), 1.0),
        constraints={
            "type": "ineq",
            "fun": lambda u: u[-1] - t.losses(u[:-1] / scale)[0],
            "jac": lambda u: np.column_stack([-t.losses(u[:-1] / scale)[1] / scale, np.ones(G)]),
        },
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 1000},
    )
    return float(t.losses(found.x[:-1] / scale)[0].max())
