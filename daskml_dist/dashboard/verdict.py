"""What a fit needs, in a sentence or two."""

from __future__ import annotations

from math import isfinite

from daskml_dist.dashboard.fit import Fit
from daskml_dist.dashboard.words import short, size, span

_ENOUGH = 0.7  # of the time of workers: computing for that long is fine
_LEAST = 0.2  # seconds of passes before anything is said of their time
_CHUNK = 20e6  # bytes of a chunk below which it may be too small
_FLAT = 6  # steps without progress


def verdict(fit: Fit) -> str:
    """How it ended or stands, and what wastes the most time, if anything does."""
    return " ".join(part for part in (_standing(fit), _time(fit)) if part)


def _standing(fit: Fit) -> str:
    passes = int(fit.steps.last("passes") or fit.end.get("passes", 0))
    if fit.state == "failed":
        why = str(fit.end.get("message") or "no reason was told").rstrip(".")
        return f"Failed after {_passes(passes)}: {why}."
    if fit.state == "lost":
        return "Its client is gone: nothing more will be heard of it."
    if not len(fit.steps):
        return (
            "" if fit.over else "Nothing is known yet: the data are being placed, or the first pass goes on."
        )
    gap, tol = float(fit.steps.last("gap")), float(fit.info.get("tol", 0.0))
    if not isfinite(gap):
        told = "How far from the optimum it is, is not known yet."
    elif fit.proven:
        told = f"Proven to be within {gap:.1e} of the optimum ({fit.steps.last('gap_kind')})."
    else:
        told = f"Within {gap:.1e} of the optimum by an estimate, which is no proof."
    if fit.state == "stopped":
        kept = "The model of that moment is kept."
        return f"{told} It ended before the tolerance of {tol:g} was reached. {kept}" if gap > tol else told
    return told + _progress(fit)


def _progress(fit: Fit) -> str:
    """Whether a running fit has stopped getting better."""
    gaps = fit.steps.columns["gap"][-_FLAT:]
    if fit.over or len(gaps) < _FLAT or not all(map(isfinite, gaps)):
        return ""
    return " It has not come closer in the last passes." if min(gaps[1:]) >= gaps[0] else ""


def _time(fit: Fit) -> str:
    """Where the time of workers goes."""
    totals, threads = fit.totals, int(fit.layout.get("threads", 0))
    wall = totals["wall"]
    if not threads or totals["busy"] <= 0.0 or totals["asked"] < _LEAST or not fit.times_told:
        return ""
    computed = min(totals["busy"] / (threads * wall), 1.0)
    if computed >= _ENOUGH:
        return f"Workers compute {computed:.0%} of the time: more of them would help."
    losses = {
        "solver": max(wall - totals["asked"], 0.0) / wall,
        "messages": max(totals["asked"] - totals["slowest"], 0.0) / wall,
        "balance": max(totals["slowest"] / wall - computed, 0.0),
    }
    worst = max(losses, key=losses.__getitem__)
    return f"{1.0 - computed:.0%} of worker time is idle: {_cause(fit, worst, losses[worst])}"


def _cause(fit: Fit, worst: str, share: float) -> str:
    """Why, and what to do."""
    layout = fit.layout
    if worst == "solver":
        return f"for {share:.0%} of it the solver itself computes; more workers will not help."
    shards, threads = len(layout["rows"]), layout["threads"]
    if worst == "messages":
        chunk = sum(layout["nbytes"]) / max(layout["chunks"], 1)
        a_pass = fit.totals["asked"] / max(float(fit.steps.last("passes") or 1), 1.0)
        if 0.0 < chunk < _CHUNK:
            return f"chunks of {size(chunk)} are too small (aim for 50 to 100 MB), or the data are."
        return f"messages and transfers take most of a pass of {span(a_pass)}; fewer workers may be as fast."
    if shards < threads:
        held = "1 shard" if shards == 1 else f"{shards} shards"
        return f"{held} for {threads} threads: use more and smaller chunks."
    lanes = fit.lanes()
    slowest = max(lanes, key=lambda worker: lanes[worker][0], default="")
    return f"the others wait for {short(slowest)}; balance the partitions, or drop that worker."


def _passes(passes: int) -> str:
    return "1 pass" if passes == 1 else f"{passes} passes"
