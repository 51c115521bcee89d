"""Tokens and scopes: who gets in, who does not, and what is on the disk."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest

from daskml_dist.security import Forbidden, Token, Tokens, Unauthorized
from daskml_dist.security.files import FileBusy, FileInsecure, hold
from daskml_dist.security.tokens import TokensInvalid

SCOPE = "predict:claims"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json"


class Clock:
    """What time says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_800_000_000.0
        monkeypatch.setattr("daskml_dist.security.tokens.time.time", lambda: self.now)
        monkeypatch.setattr("daskml_dist.security.tokens.time.monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_a_token_opens_what_it_is_for_and_nothing_else(path: Path) -> None:
    tokens = Tokens(path)
    id, secret = tokens.create([SCOPE, "metrics"], note="shop")
    assert tokens.check(secret, SCOPE).id == id
    assert tokens.check(secret, "metrics").note == "shop"
    for scope in ("predict:other", "predict:*", "explain:claims", "deploy", "admin"):
        with pytest.raises(Forbidden, match=scope.replace("*", r"\*")) as complaint:
            tokens.check(secret, scope)
        assert secret not in str(complaint.value)


@pytest.mark.parametrize(
    ("held", "asked", "good"),
    [
        ("predict:*", "predict:anything", True),
        ("predict:*", "explain:anything", False),
        ("admin", "deploy", True),
        ("admin", "predict:claims", True),
        ("deploy", "admin", False),
        ("metrics", "metrics", True),
        ("predict:claims", "predict:claims2", False),
    ],
)
def test_scopes(held: str, asked: str, good: bool) -> None:
    token = Token("a", frozenset([held]))
    if good:
        token.demand(asked)
    else:
        with pytest.raises(Forbidden):
            token.demand(asked)


def test_the_file_has_no_secret_and_is_for_its_owner_alone(path: Path) -> None:
    _, secret = Tokens(path).create([SCOPE])
    text = path.read_text()
    assert secret not in text
    assert sha256(secret.encode()).hexdigest() in text
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(secret.removeprefix("dml_")) == 43  # 256 bits


@pytest.mark.parametrize("secret", ["", "dml_", "x" * 100_000, "\udcff", "Bearer", "dml_" + "A" * 43])
def test_the_unknown_are_nobody(path: Path, secret: str) -> None:
    tokens = Tokens(path)
    with pytest.raises(Unauthorized):
        tokens.check(secret, SCOPE)
    tokens.create([SCOPE])
    with pytest.raises(Unauthorized):
        tokens.check(secret, SCOPE)


def test_the_digest_is_no_secret(path: Path) -> None:
    """Who reads the file cannot ask with what is in it."""
    tokens = Tokens(path)
    _, secret = tokens.create([SCOPE])
    with pytest.raises(Unauthorized):
        tokens.check(sha256(secret.encode()).hexdigest(), SCOPE)


def test_a_token_expires(path: Path, clock: Clock) -> None:
    tokens = Tokens(path)
    _, secret = tokens.create([SCOPE], expires=60.0)
    clock.now += 59.9
    tokens.check(secret, SCOPE)
    clock.now += 0.1
    with pytest.raises(Unauthorized, match="expired"):
        tokens.check(secret, SCOPE)


def test_another_process_revokes_within_a_second(path: Path, clock: Clock) -> None:
    here, there = Tokens(path), Tokens(path)
    id, secret = there.create([SCOPE])
    assert here.check(secret, SCOPE).id == id
    there.revoke(id)
    with pytest.raises(Unauthorized, match="revoked"):
        there.check(secret, SCOPE)
    clock.now += 1.0
    with pytest.raises(Unauthorized, match="revoked"):
        here.check(secret, SCOPE)
    assert [token.revoked is not None for token in here.list()] == [True]
    with pytest.raises(KeyError, match="no token 'zz'"):
        here.revoke("zz")


@pytest.mark.parametrize("damage", ["removed", "garbage", "open to others"])
def test_a_file_that_cannot_be_read_lets_nobody_in(
    path: Path, clock: Clock, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = Tokens(path)
    _, secret = tokens.create([SCOPE])
    tokens.check(secret, SCOPE)
    if damage == "removed":
        path.unlink()
    elif damage == "garbage":
        path.write_text("{")
    else:
        path.chmod(0o644)
    clock.now += 1.0
    with caplog.at_level(logging.ERROR), pytest.raises(Unauthorized):
        tokens.check(secret, SCOPE)
    assert "no token is accepted" in caplog.text


def test_a_file_that_others_can_read_is_refused(path: Path) -> None:
    Tokens(path).create([SCOPE])
    path.chmod(0o640)
    with pytest.raises(FileInsecure, match="chmod 600"):
        Tokens(path)


def _changed(path: Path, **changes: object) -> str:
    content = json.loads(path.read_text())
    content["tokens"][0].update(changes)
    return json.dumps(content)


@pytest.mark.parametrize(
    "changes",
    [
        {"scopes": ["everything"]},
        {"scopes": []},
        {"sha256": "00"},
        {"expires": "never"},
        {"more": 1},
    ],
)
def test_a_damaged_file_is_refused(path: Path, changes: dict[str, object]) -> None:
    Tokens(path).create([SCOPE])
    path.write_text(_changed(path, **changes))
    with pytest.raises(TokensInvalid, match="no file of tokens"):
        Tokens(path)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": "other", "format_version": 1, "tokens": []}', "3"]
)
def test_a_foreign_file_is_refused(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(TokensInvalid, match="no file of tokens"):
        Tokens(path)


def test_bad_arguments(path: Path) -> None:
    tokens = Tokens(path)
    for scope in ("predict:../x", "Predict:a", "predict:", "predict", "admin ", ""):
        with pytest.raises(ValueError, match="no scope"):
            tokens.create([scope])
    with pytest.raises(ValueError, match="may do nothing"):
        tokens.create([])
    with pytest.raises(ValueError, match="give a list"):
        tokens.create("admin")
    with pytest.raises(ValueError, match="expires=0"):
        tokens.create([SCOPE], expires=0)
    assert not path.exists()


CREATES = """
import sys
import time
from daskml_dist.security import Tokens
for _ in range(5):
    Tokens(sys.argv[1]).create(["metrics"])
"""


def test_several_processes_lose_no_token(path: Path) -> None:
    processes = [subprocess.Popen([sys.executable, "-c", CREATES, str(path)]) for _ in range(4)]
    assert [process.wait(100) for process in processes] == [0] * 4
    assert len(Tokens(path).list()) == 20
    assert sorted(os.listdir(path.parent)) == [".tokens.json.lock", "tokens.json"]


def test_a_lock_is_not_waited_for_for_ever(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daskml_dist.security.files._WAIT", 0.05)
    first, second = (os.open(path, os.O_RDWR | os.O_CREAT) for _ in range(2))
    hold(first, path)
    with pytest.raises(FileBusy, match="another process"):
        hold(second, path)
    os.close(first)
    hold(second, path)
    os.close(second)


def test_digests_are_of_the_tokens_that_are_good(path: Path) -> None:
    tokens = Tokens(path)
    assert tokens.digests("predict:toy") == frozenset()
    made = {
        name: tokens.create(scopes, expires=expires)
        for name, scopes, expires in (
            ("good", ["predict:toy"], None),
            ("all", ["predict:*"], 60.0),
            ("admin", ["admin"], None),
            ("other", ["explain:toy", "predict:other"], None),
            ("revoked", ["predict:toy"], None),
            ("brief", ["predict:toy"], 1e-3),
        )
    }
    tokens.revoke(made["revoked"][0])
    time.sleep(0.01)
    listed = {entry["id"]: entry["sha256"] for entry in json.loads(path.read_text())["tokens"]}
    assert tokens.digests("predict:toy") == {listed[made[name][0]] for name in ("good", "all", "admin")}
