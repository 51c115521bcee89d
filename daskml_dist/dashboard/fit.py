"""What is known of one fit."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from math import isfinite, nan
from typing import Any, final

from daskml_dist.dashboard.series import Series

STEP = (
    "passes",
    "seconds",
    "objective",
    "gap",
    "gap_kind",
    "gradient_norm",
    "step_size",
    "tasks",
    "partial_bytes",
)
WORK = ("passes", "seconds", "wall", "asked", "slowest", "busy", "nbytes")
SCORE = ("passes", "seconds", "score", "error")
TOLD = ("passes", "seconds", "named")
_TOLD = 0.05  # of the time of workers: less is not all that they did
_RECENT = 20  # tellings of work that the lanes add up
_MOST_LISTED = 500  # decisions and commands that are kept
_MOST_TOLD = 400  # of coefficients, each of which has many numbers

STATES = {
    "converged": "finished",
    "stopped": "stopped",
    "interrupted": "stopped",
    "failed": "failed",
}


@final
class Fit:
    """What the messages of a fit have told; ``take`` raises where one makes no sense.

    Attributes
    ----------
    state : "running", "paused", "stopping", "finished", "stopped", "failed" or "lost" (its client is gone).
    info, end : the fields of the messages that began and ended it; empty before.
    steps : one row a step, see STEP.
    work : seconds for which workers computed and waited, and bytes that they sent.
    recent : the newest messages of it, worker by worker.
    scores : on held-out rows.
    told : coefficients by name.
    errors, error_source : standard errors of the newest ones that have some, and what they come from, or why
        there are none.
    groups, stale, layout, candidates : the newest message of each; empty where there was none.
    events : decisions and commands, in order.
    """

    def __init__(self, fit_id: str, began: float) -> None:
        self.id, self.began = fit_id, began
        self.client = ""
        self.state = "running"
        self.info: Mapping[str, Any] = {}
        self.end: Mapping[str, Any] = {}
        self.steps = Series(STEP, "passes", "gap")
        self.work = Series(WORK, "passes", "busy")
        self.scores = Series(SCORE, "passes", "score")
        self.told = Series(TOLD, "passes", "seconds", most=_MOST_TOLD)
        self.errors: Mapping[str, float] = {}
        self.error_source = ""
        self.recent: deque[Mapping[str, Any]] = deque(maxlen=_RECENT)
        self.totals = dict.fromkeys(("wall", "asked", "slowest", "busy", "nbytes"), 0.0)
        self.groups: Mapping[str, Any] = {}
        self.stale: Mapping[str, Any] = {}
        self.layout: Mapping[str, Any] = {}
        self.candidates: Mapping[str, Any] = {}
        self.events: deque[Mapping[str, Any]] = deque(maxlen=_MOST_LISTED)
        self.version = 0

    @property
    def over(self) -> bool:
        """Whether nothing is to come, as far as is known."""
        return self.state in ("finished", "stopped", "failed", "lost")

    @property
    def name(self) -> str:
        """What it is called on the page."""
        return str(self.info.get("estimator", "a fit that was begun before")) + f" {self.id[:6]}"

    @property
    def seconds(self) -> float:
        """How long it has taken, as far as messages tell."""
        return float(self.end.get("seconds", self.steps.last("seconds") or 0.0))

    def take(self, event: str, message: Mapping[str, Any]) -> None:
        """Take a message in.

        Raises
        ------
        KeyError, TypeError, ValueError
            It has not what it should have.
        """
        _TAKE[event](self, message)
        self.client = str(message.get("client", self.client))
        self.version += 1

    def lost(self) -> None:
        """Its client is gone."""
        self.state = "lost"
        self.version += 1

    # -- what each event means -------------------------------------------------------------------

    def _began(self, message: Mapping[str, Any]) -> None:
        self.info = {
            **{name: str(message[name]) for name in ("estimator", "solver")},
            **{name: int(message[name]) for name in ("rows", "features", "max_passes")},
            "tol": float(message["tol"]),
        }

    def _stepped(self, message: Mapping[str, Any]) -> None:
        row = {name: float(message[name]) for name in STEP if name != "gap_kind"}
        self.steps.add({**row, "gap_kind": str(message["gap_kind"])})

    def _ended(self, message: Mapping[str, Any]) -> None:
        self.state = STATES[message["status"]]
        self.end = {
            "status": message["status"],
            "message": str(message["message"]),
            "passes": int(message["passes"]),
            "seconds": float(message["seconds"]),
        }

    def _worked(self, message: Mapping[str, Any]) -> None:
        busy = [float(seconds) for seconds in message["busy"]]
        workers = tuple(map(str, message["workers"]))
        if len(workers) != len(busy):
            raise ValueError(f"{len(workers)} workers and {len(busy)} times")
        row = {name: float(message[name]) for name in WORK if name != "busy"} | {"busy": sum(busy)}
        self.work.add(row)
        for name in self.totals:
            self.totals[name] += row[name]
        self.recent.append({**row, "each": dict(zip(workers, busy, strict=True))})

    def _scored(self, message: Mapping[str, Any]) -> None:
        self.scores.add({name: float(message[name]) for name in SCORE})

    def _largest(self, message: Mapping[str, Any]) -> None:
        names, values = list(map(str, message["names"])), map(float, message["values"])
        named = dict(zip(names, values, strict=True))
        errors = list(map(float, message.get("errors", ())))
        if len(errors) > len(names):
            raise ValueError(f"{len(names)} coefficients and {len(errors)} standard errors")
        row = {name: float(message[name]) for name in ("passes", "seconds")}
        if row["passes"] >= (self.told.last("passes") or 0.0):  # a message may come late
            self.errors = dict(zip(names, errors, strict=False))
            self.error_source = str(message.get("source", ""))
        self.told.add({**row, "named": named})

    def _grouped(self, message: Mapping[str, Any]) -> None:
        self.groups = {
            "names": tuple(map(str, message["names"])),
            "losses": tuple(map(float, message["losses"])),
            "weights": tuple(map(float, message["weights"])),
        }

    def _delayed(self, message: Mapping[str, Any]) -> None:
        numbers = {name: tuple(map(int, message[name])) for name in ("staleness", "pulls")}
        self.stale = {**numbers, **{name: int(message[name]) for name in ("pushes", "nbytes")}}

    def _placed(self, message: Mapping[str, Any]) -> None:
        counts = {name: tuple(map(int, message[name])) for name in ("rows", "nbytes")}
        numbers = {name: int(message[name]) for name in ("chunks", "threads")}
        owners = tuple(map(str, message["owners"]))
        self.layout = {**counts, **numbers, "owners": owners, "streamed": bool(message["streamed"])}

    def _searched(self, message: Mapping[str, Any]) -> None:
        self.candidates = {
            "metric": str(message["metric"]),
            "names": tuple(map(str, message["names"])),
            "means": tuple(map(float, message["means"])),
            "errors": tuple(map(float, message["errors"])),
            "best": int(message["best"]),
        }

    def _decided(self, message: Mapping[str, Any]) -> None:
        number = int(message["decision"])
        told = {
            "decision": number,
            "seconds": float(message["seconds"]),
            "kind": str(message["kind"]),
            "chunks": len(message["chunks"]),
            "why": str(message["why"]),
            "target": str(message["target"]),
            "outcome": str(message["outcome"]),
        }
        for place, known in enumerate(self.events):
            if known.get("decision") == number:
                self.events[place] = told
                return
        self.events.append(told)

    def _steered(self, message: Mapping[str, Any]) -> None:
        command, value = str(message["command"]), message["value"]
        told = {"command": command, "time": float(message["time"]), "value": nan}
        self.events.append(told | ({} if value is None else {"value": float(value)}))
        if not self.over and command in ("pause", "resume", "stop"):
            self.state = {"pause": "paused", "resume": "running", "stop": "stopping"}[command]

    # -- facts for panels ------------------------------------------------------------------------

    def lanes(self) -> dict[str, tuple[float, float, float]]:
        """Of each worker, in the newest passes: seconds of computing, of waiting for others, and of the rest.

        A worker with several threads counts as one of them: its seconds are those of a mean thread.
        """
        threads: dict[str, int] = {}
        for owner in self.layout.get("owners", ()):
            threads[owner] = threads.get(owner, 0) + 1
        slowest = sum(one["slowest"] for one in self.recent)
        rest = sum(one["wall"] for one in self.recent) - slowest
        computed: dict[str, float] = dict.fromkeys(threads, 0.0)
        for one in self.recent:
            for worker, seconds in one["each"].items():
                computed[worker] = computed.get(worker, 0.0) + seconds / max(threads.get(worker, 1), 1)
        return {
            worker: (seconds, max(slowest - seconds, 0.0), max(rest, 0.0))
            for worker, seconds in computed.items()
        }

    @property
    def times_told(self) -> bool:
        """Whether workers told what they did; nodes of a parameter server do not."""
        most = self.totals["wall"] * int(self.layout.get("threads", 0))
        return not self.stale or self.totals["busy"] > _TOLD * most

    @property
    def proven(self) -> bool:
        """Whether the newest gap is a proof."""
        gap = self.steps.last("gap")
        return gap is not None and isfinite(gap) and self.steps.last("gap_kind") != "estimate"


_TAKE: dict[str, Callable[[Fit, Mapping[str, Any]], None]] = {
    "begin": Fit._began,
    "step": Fit._stepped,
    "end": Fit._ended,
    "work": Fit._worked,
    "held_out": Fit._scored,
    "coefficients": Fit._largest,
    "groups": Fit._grouped,
    "stale": Fit._delayed,
    "placed": Fit._placed,
    "candidates": Fit._searched,
    "decision": Fit._decided,
    "control": Fit._steered,
}
