"""States of a training on disk, and back."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
import warnings
from dataclasses import replace
from importlib.metadata import version
from typing import Any, final

from daskml_dist.cluster import Hands
from daskml_dist.errors import CheckpointInvalid, CheckpointMissing, ClusterGaveUp
from daskml_dist.fit.training import Training
from daskml_dist.kernels import Glimpse, GlimpseAnswer, Point, Question
from daskml_dist.solvers import Problem, Solver, State
from daskml_dist.storage import Checkpoint, Checkpoints
from daskml_dist.types import Table

LAYOUT = 2
"""Of what a state consists; another one belongs to another version of this library."""


class CheckpointNotKept(UserWarning):
    """A state could not be written; the fit goes on, and the checkpoints from before are still there."""


@final
class Keeper:
    """Keeps the states of one training, as often as its checkpoint asks for, and finds the newest again.

    Parameters
    ----------
    training : whose checkpoint counts; without one nothing is kept unless ``give_up`` asks for it.
    mark : what must be the same for a state to be gone on from.
    """

    def __init__(self, training: Training, mark: dict[str, Any]) -> None:
        self._policy = Checkpoint.of(training.checkpoint)
        self._mark = mark
        self._store = None if self._policy is None else _store(self._policy)
        self._kept = State()
        self._turns = 0
        self._at = time.monotonic()
        self._warned = False
        if self._store is not None:
            self._store.refuse_unwritable()

    def resumed(self) -> State | None:
        """The newest state, if there is one and the fit is to go on from it.

        Raises
        ------
        CheckpointInvalid
            The state of another training or version, or one that is damaged; it stays where it is.
        CheckpointMissing
            There is none, and ``resume=True`` requires one.
        """
        if self._policy is None or self._store is None or self._policy.resume is False:
            return None
        found = self._store.newest()
        if found is None:
            if self._policy.resume is True:
                raise CheckpointMissing(
                    "Checkpoint(resume=True) goes on from a checkpoint, and there is none in "
                    f"{self._store.url}. Check the directory, or use resume='auto' to begin without one."
                )
            return None
        self._kept = _state_of(*found, self._mark, self._store.url)
        return self._kept

    def __call__(self, state: State) -> None:
        """Keep the state if it is due; a disk that is full does not end the fit."""
        self._turns += 1
        if self._store is None or not self._is_due(state):
            return
        self._kept, self._turns, self._at = state, 0, time.monotonic()
        self._try(self._store, state)

    def interrupted(self, state: State) -> None:
        """Keep the last state, which may not have been due."""
        if self._store is not None and state.point is not None and state is not self._kept:
            self._try(self._store, state)

    def give_up(self, state: State, error: ClusterGaveUp) -> None:
        """Keep the last state, somewhere else if need be, and add to the complaint where it is.

        Raises
        ------
        ClusterGaveUp
            Wherever there is a state to keep.
        """
        if state.point is None:
            return
        store = self._store
        if store is None or not self._try(store, state):
            store = Checkpoints(tempfile.mkdtemp(prefix="daskml-dist-"))
            store.save(*_packed(state, self._mark))
        raise ClusterGaveUp(
            f"{error} The state after {state.passes} passes is kept in {store.url}; fit again with "
            f"checkpoint={store.url!r} to go on from it."
        ) from error

    def _try(self, store: Checkpoints, state: State) -> bool:
        try:
            store.save(*_packed(state, self._mark))
        except OSError as error:
            if not self._warned:
                self._warned = True
                warnings.warn(
                    f"The state after {state.passes} passes could not be kept in {store.url} ({error}). The "
                    "fit goes on and tries again; what was kept before is still there.",
                    CheckpointNotKept,
                    stacklevel=2,
                )
            return False
        return True

    def _is_due(self, state: State) -> bool:
        assert self._policy is not None
        kept, policy = self._kept, self._policy
        if state.point is None or state is kept or time.monotonic() - self._at < policy.every_seconds:
            return False
        # what a solver has learned since, and no pass made: the state that was kept is incomplete
        amended = state.passes == kept.passes and state.numbers != kept.numbers
        by_steps = policy.every_steps is not None and self._turns >= policy.every_steps
        return amended or by_steps or state.passes - kept.passes >= policy.every_passes


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


def _store(policy: Checkpoint) -> Checkpoints:
    return Checkpoints(os.fspath(policy.url), policy.keep)


def _packed(state: State, mark: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A state as arrays and JSON values."""
    assert state.point is not None
    point = state.point
    arrays = {f"memory.{name}": array for name, array in state.arrays.items()}
    arrays |= {"w": point.w, "b": point.b, "centre": point.centre}
    arrays |= {} if point.scale is None else {"scale": point.scale}
    meta = {
        "layout": LAYOUT,
        "version": version("daskml_dist"),
        "mark": mark,
        "passes": state.passes,
        "joint": point.joint,
        "numbers": dict(state.numbers),
        "progress": None if state.progress is None else vars(state.progress),
    }
    return arrays, meta


def _state_of(arrays: dict[str, Any], meta: dict[str, Any], mark: dict[str, Any], url: str) -> State:
    """The state that was kept; refuses that of another training, of another version, and what is none."""
    cure = "Give another checkpoint directory, or remove it."
    if not isinstance(meta.get("mark"), dict):
        raise CheckpointInvalid(f"The file in {url} is no state of a training. {cure}")
    if meta.get("layout") != LAYOUT:
        raise CheckpointInvalid(
            f"The checkpoint in {url} was written by daskml_dist {meta.get('version', '0')}, with states of "
            f"layout {meta.get('layout', 1)}; this version reads layout {LAYOUT}. Go on with that one. {cure}"
        )
    differ = [name for name, value in mark.items() if meta["mark"].get(name, value) != value]
    if differ:
        given = "; ".join(f"{name} was {meta['mark'].get(name)!r} and is {mark[name]!r}" for name in differ)
        raise CheckpointInvalid(f"The checkpoint belongs to another training: {given}. {cure}")
    memory = {
        name.removeprefix("memory."): array for name, array in arrays.items() if name.startswith("memory.")
    }
    point = Point(
        arrays["w"], arrays["b"], arrays["centre"], mark["intercept"], arrays.get("scale"), meta["joint"]
    )
    return replace(State(meta["passes"], point), arrays=memory, numbers=meta["numbers"])
