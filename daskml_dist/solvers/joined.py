"""Several problems over the same rows, reported as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from daskml_dist.kernels import Point
from daskml_dist.solvers._base import Progress, centred


def joined_point(points: Sequence[Point]) -> Point:
    """The coefficients and intercepts of all points, at the centre of the first one."""
    alike = [centred(point, points[0].centre) for point in points]
    return replace(
        points[0],
        w=np.concatenate([point.w for point in alike]),
        b=np.concatenate([point.b for point in alike]),
    )


def joined_progress(reports: Sequence[Progress]) -> Progress:
    """The sum of all objectives, and the largest gap; an estimate where one of them is."""
    widest = max(reports, key=lambda report: report.gap)
    guessed = [report.gap_kind for report in reports if report.gap_kind == "estimate"]
    return replace(
        widest,
        objective=sum(report.objective for report in reports),
        gap_kind=guessed[0] if guessed else widest.gap_kind,
        gradient_norm=float(np.linalg.norm([report.gradient_norm for report in reports])),
    )
