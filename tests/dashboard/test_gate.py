"""Updates wait for a browser that draws, and not for one that never was there or sleeps."""

from __future__ import annotations

import pytest

from daskml_dist.dashboard import gate as room
from daskml_dist.dashboard.gate import Gate


def test_nobody_watches_and_nothing_waits() -> None:
    gate = Gate()
    for _ in range(3):
        assert gate.is_open
        gate.passed()


def test_the_next_update_waits_until_this_one_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(room.time, "monotonic", lambda: now)
    gate = Gate()
    sent, seen = gate.root.children
    gate.passed()
    seen.text = sent.text  # what the browser does
    assert gate.is_open
    gate.passed()
    assert not gate.is_open
    seen.text = sent.text
    assert gate.is_open
    gate.passed()
    now += 5.1  # a tab in the background
    assert gate.is_open
