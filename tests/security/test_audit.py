"""The audit log: whatever is done to it afterwards is found, and nothing keeps lines from being written."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from daskml_dist.security import AuditBroken, AuditLog, verify_audit


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def write(path: Path, lines: int = 5) -> AuditLog:
    log = AuditLog(path)
    for version in range(lines):
        assert (
            log.append(who="9f31", what="promote", result="ok", model="claims", version=version)
            == version + 1
        )
    return log


def test_lines_are_json_and_each_names_the_one_before(path: Path) -> None:
    write(path)
    lines = path.read_bytes().splitlines(keepends=True)
    records = [json.loads(line) for line in lines]
    assert [record["line"] for record in records] == [1, 2, 3, 4, 5]
    assert [record["prev"] for record in records] == [
        "0" * 64,
        *(sha256(line).hexdigest() for line in lines[:-1]),
    ]
    assert records[2]["who"] == "9f31"
    assert records[2]["at"].endswith("Z")
    assert verify_audit(path) == 5
    assert path.stat().st_mode & 0o777 == 0o600


Change = Callable[[list[bytes]], list[bytes]]
CHANGES: dict[str, tuple[Change, int]] = {
    "edited": (lambda lines: [lines[0], lines[1].replace(b"claims", b"frauds"), *lines[2:]], 3),
    "edited last": (lambda lines: [*lines[:-1], lines[-1].replace(b"claims", b"frauds")], 5),
    "removed": (lambda lines: [lines[0], *lines[2:]], 2),
    "first removed": (lambda lines: lines[1:], 1),
    "last removed": (lambda lines: lines[:-1], 5),
    "last two removed": (lambda lines: lines[:-2], 4),
    "swapped": (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], 2),
    "repeated": (lambda lines: [*lines[:2], lines[1], *lines[2:]], 3),
    "last repeated": (lambda lines: [*lines, lines[-1]], 6),
    "put in": (lambda lines: [*lines[:2], b'{"what":"x"}\n', *lines[2:]], 3),
    "garbage": (lambda lines: [*lines[:2], b"\xff\n", *lines[3:]], 3),
    "not an object": (lambda lines: [*lines[:2], b"[]\n", *lines[3:]], 3),
    "empty line": (lambda lines: [*lines[:2], b"\n", *lines[2:]], 3),
    "emptied": (lambda lines: [], 1),
    "space": (lambda lines: [*lines[:2], lines[2].replace(b",", b", ", 1), *lines[3:]], 4),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_is_changed_is_found(path: Path, change: str) -> None:
    write(path)
    edit, first = CHANGES[change]
    path.write_bytes(b"".join(edit(path.read_bytes().splitlines(keepends=True))))
    with pytest.raises(AuditBroken) as complaint:
        verify_audit(path)
    assert complaint.value.line == first


@pytest.mark.parametrize("change", CHANGES)
def test_lines_written_afterwards_hide_no_change(path: Path, change: str) -> None:
    log = write(path)
    edit, _ = CHANGES[change]
    path.write_bytes(b"".join(edit(path.read_bytes().splitlines(keepends=True))))
    for _ in range(3):
        log.append(who="a", what="b", result="ok")
    with pytest.raises(AuditBroken):
        verify_audit(path)


def test_every_flipped_bit_is_found(path: Path) -> None:
    write(path)
    intact = path.read_bytes()
    rng = random.Random(20261122)
    for at in rng.sample(range(len(intact)), 200):
        data = bytearray(intact)
        data[at] ^= 1 << rng.randrange(8)
        path.write_bytes(data)
        with pytest.raises(AuditBroken):
            verify_audit(path)
    path.write_bytes(intact)
    assert verify_audit(path) == 5


def test_a_chain_made_anew_is_found_by_a_head_kept_elsewhere(path: Path, tmp_path: Path) -> None:
    log = write(path)
    head = log.head()
    log.append(who="a", what="b", result="ok")
    assert verify_audit(path, head=head) == 6
    forged = tmp_path / "forged.jsonl"
    write(forged, 6)
    os.replace(forged, path)
    os.replace(f"{forged}.head", f"{path}.head")
    assert verify_audit(path) == 6  # consistent in itself: a chain is no signature
    with pytest.raises(AuditBroken) as complaint:
        verify_audit(path, head=head)
    assert complaint.value.line == 5


@pytest.mark.parametrize("left", [1, 20, -1])
def test_a_line_cut_off_by_a_crash_is_told_and_stops_nobody(path: Path, left: int) -> None:
    log = write(path, 3)
    intact = path.read_bytes()
    head = Path(f"{path}.head").read_bytes()
    log.append(who="a", what="b", result="ok")
    last = path.read_bytes()[len(intact) :]
    path.write_bytes(intact + last[:left])
    Path(f"{path}.head").write_bytes(head)  # the crash came before the head
    with pytest.raises(AuditBroken, match="cut off") as complaint:
        verify_audit(path)
    assert complaint.value.line == 4
    assert log.append(who="c", what="d", result="ok") == 6
    assert "cut off" in json.loads(path.read_bytes().splitlines()[4])["what"]
    assert verify_audit(path) == 6
    assert log.append(who="e", what="f", result="ok") == 7
    assert verify_audit(path) == 7


def test_a_crash_between_a_line_and_its_head_is_no_change(path: Path) -> None:
    log = write(path, 3)
    head = Path(f"{path}.head").read_bytes()
    log.append(who="a", what="b", result="ok")
    Path(f"{path}.head").write_bytes(head)
    assert verify_audit(path) == 4
    assert log.append(who="a", what="b", result="ok") == 5
    assert verify_audit(path) == 5


def test_a_missing_head_is_told(path: Path) -> None:
    log = write(path)
    Path(f"{path}.head").unlink()
    with pytest.raises(AuditBroken, match="nobody knows"):
        verify_audit(path)
    log.append(who="a", what="b", result="ok")
    with pytest.raises(AuditBroken, match="changed"):
        verify_audit(path)


APPENDS = """
import sys
from daskml_dist.security import AuditLog
log = AuditLog(sys.argv[1])
for turn in range(20):
    log.append(who=sys.argv[2], what="roll", result="ok", turn=turn)
"""


def test_several_processes_append_to_one_chain(path: Path) -> None:
    commands = [[sys.executable, "-c", APPENDS, str(path), str(who)] for who in range(4)]
    processes = [subprocess.Popen(command) for command in commands]
    assert [process.wait(100) for process in processes] == [0] * 4
    assert verify_audit(path) == 80
    told = [(record["who"], record["turn"]) for record in map(json.loads, path.read_bytes().splitlines())]
    assert sorted(told) == [(str(who), turn) for who in range(4) for turn in sorted(range(20))]


def test_a_full_disk_leaves_no_half_line(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = write(path, 2)
    write_bytes, left = os.write, [10]

    def full(descriptor: int, data: bytes) -> int:
        if not left:
            raise OSError(28, "No space left on device")
        return write_bytes(descriptor, data[: left.pop()])

    with monkeypatch.context() as patched:
        patched.setattr("daskml_dist.security.chain.os.write", full)
        with pytest.raises(OSError, match="No space"):
            log.append(who="a", what="b", result="ok")
    assert verify_audit(path) == 2
    log.append(who="a", what="b", result="ok")
    assert verify_audit(path) == 3


def test_facts_that_are_none_are_refused_and_nothing_is_written(path: Path) -> None:
    log = write(path, 1)
    for facts, message in [
        ({"line": 3}, "'line'"),
        ({"model": object()}, "JSON"),
        ({"psi": float("nan")}, "JSON"),
        ({"text": "x" * 70_000}, "at most"),
    ]:
        with pytest.raises(ValueError, match=message):
            log.append(who="a", what="b", result="ok", **facts)
    assert verify_audit(path) == 1
    assert AuditLog(path.with_name("new")).head() == (0, "0" * 64)
