"""The history of a fit as a small picture: inline SVG without scripts, for notebooks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import final

WIDTH, HEIGHT = 480, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 14, 14, 34
_MOST = 400  # points that are drawn
_DOTS = 40  # of them those that the mouse finds
_BLUE = "#0072B2"  # Okabe and Ito's

Points = Sequence[tuple[int, float]]


def gap_picture(passes: Sequence[int], gaps: Sequence[float], tol: float) -> str:
    """The relative gap against passes, on a logarithmic axis, with a line where the fit ends.

    Parameters
    ----------
    passes, gaps : of each step; steps whose gap is no positive finite number are left out.
    tol : the gap to reach; 0 for no line.

    Returns
    -------
    An ``<svg>`` element in the colour of the text around it; a sentence where there is nothing to draw.

    Examples
    --------
    >>> gap_picture([1, 2], [0.1, 1e-7], 1e-6).startswith("<svg")
    True
    """
    points = [(p, g) for p, g in zip(passes, gaps, strict=True) if 0.0 < g < math.inf]
    if not points:
        return "<p>No gap is known yet.</p>"
    plane = _Plane.of(points, tol)
    (first, before), (last, now) = points[0], points[-1]
    told = escape(f"relative gap: {before:.2g} after pass {first}, {now:.2g} after pass {last}")
    return (
        f'<svg role="img" aria-label="{told}" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" style="max-width:100%" font-size="11" font-family="sans-serif" '
        f'fill="currentColor">{plane.axes()}{plane.level(tol)}{plane.curve(_thinned(points))}</svg>'
    )


@final
@dataclass(frozen=True)
class _Plane:
    """Passes from left to right, and powers of ten from bottom to top."""

    first: int
    last: int
    low: int
    high: int

    @classmethod
    def of(cls, points: Points, tol: float) -> _Plane:
        """One with room for all points and the tolerance."""
        powers = [math.log10(gap) for _, gap in points] + ([math.log10(tol)] if tol > 0.0 else [])
        low, high = math.floor(min(powers)), math.ceil(max(powers))
        first = points[0][0]
        return cls(first, max(points[-1][0], first + 1), low, max(high, low + 1))

    def x(self, passes: float) -> float:
        """Of so many passes."""
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * (passes - self.first) / (self.last - self.first)

    def y(self, gap: float) -> float:
        """Of a gap."""
        share = (self.high - math.log10(gap)) / (self.high - self.low)
        return _TOP + (HEIGHT - _TOP - _BOTTOM) * share

    def axes(self) -> str:
        """Lines and numbers."""
        bottom, right = HEIGHT - _BOTTOM, WIDTH - _RIGHT
        every = max(math.ceil((self.high - self.low) / 5), 1)
        drawn = []
        for power in range(self.high, self.low - 1, -every):
            y = self.y(10.0**power)
            drawn += [_line(y, 'opacity="0.15"'), _text(_LEFT - 6, y + 4, f"1e{power}", "end")]
        for passes in sorted({self.first, self.last, round((self.first + self.last) / 2)}):
            drawn.append(_text(self.x(passes), bottom + 15, str(passes), "middle"))
        drawn.append(_text((_LEFT + right) / 2, HEIGHT - 4, "passes over the data", "middle"))
        upright = _text(-(_TOP + bottom) / 2, 12, "relative gap", "middle")
        return "".join(drawn) + f'<g transform="rotate(-90)">{upright}</g>'

    def level(self, tol: float) -> str:
        """Where the fit ends."""
        if not tol > 0.0:
            return ""
        y = self.y(tol)
        return _line(y, 'stroke-dasharray="5 4"') + _text(_LEFT + 4, y - 4, "tol", "start")

    def curve(self, points: Points) -> str:
        """The gaps."""
        line = " ".join(f"{self.x(p):.1f},{self.y(gap):.1f}" for p, gap in points)
        dots = "".join(
            f'<circle cx="{self.x(p):.1f}" cy="{self.y(gap):.1f}" r="3">'
            f"<title>pass {p}: gap {gap:.2g}</title></circle>"
            for p, gap in points[-_DOTS:]
        )
        curve = f'<polyline points="{line}" fill="none" stroke="{_BLUE}" stroke-width="2"/>'
        return f'{curve}<g fill="{_BLUE}">{dots}</g>'


def _line(y: float, style: str) -> str:
    """From the left to the right."""
    return (
        f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="currentColor" {style}/>'
    )


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'


def _thinned(points: Points) -> Points:
    """At most so many of them, the last one among them."""
    every = math.ceil(len(points) / _MOST)
    return points[(len(points) - 1) % every :: every]
