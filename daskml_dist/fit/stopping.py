"""What is left of a training that was stopped by request."""

from __future__ import annotations

from typing import NoReturn

from daskml_dist.errors import FitStopped
from daskml_dist.solvers import State


def known(state: State) -> State:
    """The state, where it has a model.

    Raises
    ------
    FitStopped
        It has none yet.
    """
    if state.point is None:
        raise FitStopped(
            "The fit was stopped before it had a model, so there is nothing to keep. Stop it later: "
            "run.model is None until then."
        )
    return state


def refuse_to_keep(what: str) -> NoReturn:
    """Complain that a training has nothing to keep until its end."""
    raise FitStopped(f"The fit was stopped. {what} has no model before its end, so nothing was kept.")
