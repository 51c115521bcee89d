"""States of a training on disk, and back."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from daskml_dist.cluster import Hands
from daskml_dist.errors import CheckpointInvalid
from daskml_dist.fit.training import Training
from daskml_dist.kernels import Glimpse, GlimpseAnswer, Point, Question
from daskml_dist.solvers import Problem, Solver, State
from daskml_dist.storage import Checkpoints
from daskml_dist.types import Table


def digest(hands: Hands) -> dict[str, Any]:
    """A fingerprint of X from a few of its rows."""
    glimpse: GlimpseAnswer = hands.answer(Question(Glimpse(16)))
    return {"a few rows of X": hashlib.sha256(glimpse.x_mean.tobytes()).hexdigest()[:16]}


def fingerprint(training: Training, table: Table, problem: Problem, solver: Solver) -> dict[str, Any]:
    """What must be the same for a state to be gone on from."""
    return {
        "estimator": training.name,
        "solver": solver.mark,
        "loss": problem.loss.name,
        "penalty": repr(problem.penalty),
        "intercept": problem.intercept,
        "rows": problem.rows,
        "features": problem.features,
        "weight_sum": problem.weight_sum,
        "mean": [float(mean) for mean in problem.mean],
        "dtype": str(table.X.dtype),
    }


def keep(store: Checkpoints, state: State, mark: dict[str, Any]) -> str:
    """Write the state as a checkpoint; where it was written."""
    assert state.point is not None and state.progress is not None
    point = state.point
    arrays = {f"memory.{name}": array for name, array in state.arrays.items()}
    arrays |= {"w": point.w, "b": point.b, "centre": point.centre}
    arrays |= {} if point.scale is None else {"scale": point.scale}
    meta = {
        "mark": mark,
        "passes": state.passes,
        "joint": point.joint,
        "numbers": dict(state.numbers),
        "progress": vars(state.progress),
    }
    return store.save(arrays, meta)


def keeper(store: Checkpoints | None, mark: dict[str, Any]) -> Callable[[State], None]:
    """What writes each state that is worth it, once: many rounds of questions may have the same one."""
    written: list[State] = []

    def kept(state: State) -> None:
        known = state.point is not None and state.progress is not None
        if store is not None and known and not (written and written[0] is state):
            keep(store, state, mark)
            written[:] = [state]

    return kept


def resumed(store: Checkpoints | None, mark: dict[str, Any]) -> State | None:
    """The newest state, if there is one; refuses the state of another training."""
    found = None if store is None else store.newest()
    if found is None:
        return None
    arrays, meta = found
    differ = [name for name, value in mark.items() if meta["mark"].get(name, value) != value]
    if differ:
        given = "; ".join(f"{name} was {meta['mark'].get(name)!r} and is {mark[name]!r}" for name in differ)
        raise CheckpointInvalid(
            f"The checkpoint belongs to another training: {given}. Give another checkpoint directory, or "
            "remove it."
        )
    memory = {
        name.removeprefix("memory."): array for name, array in arrays.items() if name.startswith("memory.")
    }
    point = Point(
        arrays["w"], arrays["b"], arrays["centre"], mark["intercept"], arrays.get("scale"), meta["joint"]
    )
    return State(meta["passes"], point, None, memory, meta["numbers"])
