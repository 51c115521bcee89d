"""Where, how often and how many states of a training are kept, and whether a fit goes on from them."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any, Literal, final

from daskml_dist.errors import UnsupportedParameter


@final
@dataclass(frozen=True)
class Checkpoint:
    """Where states of a training are kept, how often, and whether a fit goes on from the newest one.

    What a fit knows at the end of a pass is written as one sealed file. A fit of the same estimator on the
    same data goes on from the newest valid one; see docs/faults.md.

    Parameters
    ----------
    url : folder of this training alone; a path or any URL that fsspec knows.
    every_passes : a state is kept once that many passes have been made since the last one, at least 1.
    every_seconds : but not before that many seconds have gone by since the last one.
    every_steps : keep one also after that many questions, where states differ between passes (the rounds of
        stochastic gradients); None for passes alone.
    keep : how many of the newest are kept, at least 1.
    resume : "auto" to go on if there is one of this training, and to begin otherwise; True to require one;
        False to begin anew (the older ones stay until newer ones take their place).

    Raises
    ------
    UnsupportedParameter
        A value is out of range.

    Examples
    --------
    >>> Checkpoint("runs/adult", every_passes=2, keep=5).keep
    5
    >>> Checkpoint("runs/adult", every_passes=0)
    Traceback (most recent call last):
        ...
    daskml_dist.errors.UnsupportedParameter: Checkpoint(every_passes=0): expected a whole number, 1 or more.
    """

    url: str | os.PathLike[str]
    every_passes: int = 1
    every_seconds: float = 0.0
    every_steps: int | None = None
    keep: int = 3
    resume: Literal["auto"] | bool = "auto"

    def __post_init__(self) -> None:
        if not isinstance(self.url, str | os.PathLike) or not os.fspath(self.url):
            _refuse("url", self.url, "a directory, or a URL that fsspec knows")
        object.__setattr__(self, "url", os.fspath(self.url))
        for name in ("every_passes", "keep"):
            if not _is_count(getattr(self, name)):
                _refuse(name, getattr(self, name), "a whole number, 1 or more")
        if self.every_steps is not None and not _is_count(self.every_steps):
            _refuse("every_steps", self.every_steps, "a whole number, 1 or more, or None")
        seconds = self.every_seconds
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0.0 <= seconds < 1e9:
            _refuse("every_seconds", seconds, "a number of seconds, 0 or more")
        resume: Any = self.resume
        if not (isinstance(resume, bool) or resume == "auto"):
            _refuse("resume", resume, "'auto', True or False")

    @classmethod
    def of(cls, given: Checkpoint | str | os.PathLike[str] | None) -> Checkpoint | None:
        """What an estimator was given: a folder stands for ``Checkpoint(folder)``."""
        return given if given is None or isinstance(given, Checkpoint) else cls(given)

    def inside(self, name: str, *, first: bool) -> Checkpoint:
        """The same for a part of a training, in a folder of its own; only the first part must be there."""
        resume = "auto" if self.resume is True and not first else self.resume
        return replace(self, url=f"{os.fspath(self.url).rstrip('/')}/{name}", resume=resume)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _refuse(name: str, given: Any, expected: str) -> None:
    raise UnsupportedParameter(f"Checkpoint({name}={given!r}): expected {expected}.")
