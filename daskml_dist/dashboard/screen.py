"""A deployment as text: what `daskml-dist top` shows. No bokeh."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from daskml_dist.dashboard.looks import Look

_BARS = " ▁▂▃▄▅▆▇█"
_EVENTS, _COLUMNS = 6, 8


def screen(looks: Sequence[Look], width: int = 100) -> str:
    """The latest look in lines of at most so many characters.

    Parameters
    ----------
    looks : the oldest first; at least one.
    width : of the terminal.
    """
    last = looks[-1]
    told = next((look.state for look in reversed(looks) if look.state is not None), None)
    lines = [] if told is None else list(_lines(told, looks))
    if last.state is None:
        lines.insert(0, f"NOT REACHABLE since {clock(_lost(looks))}: {last.why}")
    return "\n".join(_cut(line, width) for line in lines)


def _lines(told: Mapping[str, Any], looks: Sequence[Look]) -> Iterator[str]:
    last = looks[-1]
    current = "" if told.get("current") is None else f", version {told['current']}"
    yield f"{told['name']}: {told['state']}{current} at {told['url']}    {clock(last.at)}"
    if told["rolling"] is not None:
        yield f"  {told['rolling']['what']} to version {told['rolling']['version']} is under way"
    yield ""
    requests = told["requests"]
    yield (
        f"requests  {_rate(last.per_second)}  errors {_rate(last.errors_per_second)}  "
        f"total {requests['total']:,}  errors {requests['errors']:,}  rejected {requests['rejected']:,}  "
        f"retries {requests['retries']:,}"
    )
    if bars := _bars([look.per_second for look in looks[-60:]]):
        yield f"          {bars}"
    shares = {"50 %": "p50", "99 %": "p99", "99.9 %": "p999"}
    yield "answered  " + "  ".join(
        f"{share} in {_ms(last.milliseconds(name))}" for share, name in shares.items()
    )
    yield from _versions(told["versions"])
    yield from _replicas(told["replicas"])
    yield from _silent(told["agents"])
    yield from _drift(told["drift"])
    yield from _events(told["events"])


def _versions(versions: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    rows = [
        (
            version,
            "-" if facts["weight"] is None else f"{100 * facts['weight']:g} %",
            f"{facts['ready']}/{facts['wanted']}",
            "" if facts["failed"] is None else f"failed: {facts['failed']}",
        )
        for version, facts in versions.items()
    ]
    yield from _table(("version", "requests", "ready", ""), rows)


def _replicas(replicas: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    names = ("id", "version", "state", "outstanding", "restarts", "address", "agent", "why")
    rows = [[str(_or(replica.get(name), "-")) for name in names] for replica in replicas]
    yield from _table(("replica", "version", "state", "under way", "restarts", "address", "agent", ""), rows)


def _silent(agents: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for agent in agents:
        if not agent.get("alive", True):
            yield f"agent {agent['name']} is silent"


def _drift(judged: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The columns that are furthest from the training, those in alarm first."""
    rows = [
        (
            one["column"],
            str(one["version"]),
            f"{one['psi']:.3f}",
            f"{one['threshold']:.3f}",
            f"{one['rows']:,}",
            "DRIFT" if one["drifted"] else "",
        )
        for one in furthest(judged)[:_COLUMNS]
    ]
    yield from _table(("drift", "version", "PSI", "threshold", "rows", ""), rows)


def furthest(judged: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The columns in alarm, then the others; those furthest from the training first."""
    return sorted(judged, key=lambda one: (not one["drifted"], -one["psi"] / max(one["threshold"], 1e-12)))


def _events(events: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if events:
        yield ""
    for event in events[-_EVENTS:]:
        facts = "  ".join(f"{name} {value}" for name, value in event.items() if name not in ("at", "what"))
        yield f"{clock(event['at'])}  {event['what']}  {facts}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if not rows:
        return
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    yield ""
    for row in (head, *rows):
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _bars(rates: Sequence[float | None]) -> str:
    most = max((rate for rate in rates if rate is not None), default=0.0)
    if most <= 0:
        return ""
    steps = len(_BARS) - 1
    return "".join(" " if rate is None else _BARS[round(steps * rate / most)] for rate in rates)


def _lost(looks: Sequence[Look]) -> float:
    """When the deployment was first not reached, of the looks up to now."""
    at = looks[-1].at
    for look in reversed(looks):
        if look.state is not None:
            break
        at = look.at
    return at


def _rate(rate: float | None) -> str:
    return "-/s" if rate is None else f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g} ms"


def clock(at: float) -> str:
    """The time of day, here."""
    return time.strftime("%H:%M:%S", time.localtime(at))


def _or(value: object, other: object) -> object:
    return other if value is None else value


def _cut(line: str, width: int) -> str:
    """A line of printable characters, no longer than the terminal is wide."""
    plain = "".join(character if character.isprintable() else "?" for character in line)
    return plain if len(plain) <= width else plain[: width - 1] + "…"
