"""A series of checkpoints: the newest valid one is always there."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
import warnings
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest

from daskml_dist.errors import CheckpointInvalid
from daskml_dist.storage import Checkpoints, CheckpointSkipped, _folder
from tests.storage.damage import flips

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=["path", "file://", "memory://"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh folder on each kind of file system."""
    if request.param == "memory://":
        return f"memory://tests/{uuid.uuid4().hex}/run"
    return str(tmp_path / "deep" / "run") if request.param == "path" else f"file://{tmp_path}/deep/run"


def _save(checkpoints: Checkpoints, passes: int) -> str:
    return checkpoints.save({"w": np.full(3, float(passes))}, {"passes": passes})


def _passes(checkpoints: Checkpoints) -> int:
    found = checkpoints.newest()
    assert found is not None
    arrays, meta = found
    assert np.array_equal(arrays["w"], np.full(len(arrays["w"]), float(meta["passes"])))
    return int(meta["passes"])


def test_the_newest_counts_and_the_last_three_stay(url: str) -> None:
    checkpoints = Checkpoints(url)
    assert checkpoints.newest() is None
    addresses = [_save(checkpoints, passes) for passes in range(1, 6)]
    assert len(set(addresses)) == 5
    assert _passes(checkpoints) == 5
    assert _passes(Checkpoints(url)) == 5
    fs, root = fsspec.core.url_to_fs(url)
    assert len(fs.ls(root)) == 3
    with fsspec.open(addresses[-1], "rb") as file:
        assert file.read(4) == b"\x93DML"


def test_damaged_ones_are_passed_over_with_a_warning(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    oldest, middle, newest = (Path(_save(checkpoints, passes)) for passes in (1, 2, 3))
    newest.write_bytes(next(flips(newest.read_bytes(), 1)))
    with pytest.warns(CheckpointSkipped, match=newest.name):
        assert _passes(checkpoints) == 2
    middle.write_bytes(b"")
    with pytest.warns(CheckpointSkipped) as caught:
        assert _passes(checkpoints) == 1
    assert len(caught) == 2
    assert {warning.filename for warning in caught} == {__file__}
    oldest.write_bytes(oldest.read_bytes()[:-9])
    with pytest.raises(CheckpointInvalid, match="nothing was changed.*remove them.*empty.*truncated"):
        checkpoints.newest()
    assert sorted(tmp_path.iterdir()) == [oldest, middle, newest]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for old in (newest, middle, oldest):
            old.unlink()
        _save(checkpoints, 4)
        assert _passes(checkpoints) == 4


def test_other_files_are_neither_read_nor_removed(tmp_path: Path) -> None:
    others = [tmp_path / name for name in ("notes.txt", "999999999999-zz.ckpt", ".hidden", "1.ckpt")]
    for other in others:
        other.write_text("mine")
    checkpoints = Checkpoints(tmp_path, keep=1)
    for passes in (1, 2):
        _save(checkpoints, passes)
    assert _passes(checkpoints) == 2
    assert all(other.read_text() == "mine" for other in others)
    assert len(list(tmp_path.iterdir())) == len(others) + 1


@pytest.mark.parametrize("keep", [0, -1, 1.0, True, "3"])
def test_keep_is_a_whole_number(tmp_path: Path, keep: Any) -> None:
    with pytest.raises(ValueError, match="keep="):
        Checkpoints(tmp_path, keep=keep)


@pytest.mark.parametrize(
    ("call", "code"),
    [("fsync", errno.ENOSPC), ("replace", errno.EROFS), ("fsync", errno.EIO), ("replace", errno.EACCES)],
)
def test_a_save_that_fails_leaves_the_old_ones_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    checkpoints = Checkpoints(tmp_path)
    _save(checkpoints, 1)
    before = sorted(tmp_path.iterdir())

    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(OSError, match=os.strerror(code)) as caught:
            _save(checkpoints, 2)
    assert caught.value.errno == code
    assert sorted(tmp_path.iterdir()) == before
    assert _passes(checkpoints) == 1


FULL_DISK = """
import errno, os, subprocess, sys
import numpy as np
from daskml_dist.storage import Checkpoints
folder, state = sys.argv[1:]
checkpoints = Checkpoints(folder)
checkpoints.save({"w": np.full(100, 1.0)}, {"passes": 1})
before = sorted(os.listdir(folder))
if state == "read-only":
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
try:
    checkpoints.save({"w": np.zeros(100_000)}, {"passes": 2})
except OSError as error:
    print(errno.errorcode[error.errno])
assert sorted(os.listdir(folder)) == before, os.listdir(folder)
assert checkpoints.newest()[1] == {"passes": 1}
"""


@pytest.mark.parametrize(
    ("state", "code"), [("full", "ENOSPC"), pytest.param("read-only", "EROFS", marks=pytest.mark.slow)]
)
def test_a_real_file_system_that_is_full_or_read_only(tmp_path: Path, state: str, code: str) -> None:
    mount = f'mount -t tmpfs -o size=64k none "{tmp_path}"'
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rm", "sh", "-c", mount]).returncode:
        pytest.skip("no user namespaces here: a small file system cannot be mounted")
    command = f'{mount} && exec "{sys.executable}" -c "$0" "{tmp_path}" {state}'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", command, FULL_DISK],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == code


ENDLESS = """
import sys
import numpy as np
from daskml_dist.storage import Checkpoints
checkpoints = Checkpoints(sys.argv[1])
found = checkpoints.newest()
passes = 0 if found is None else found[1]["passes"]
while True:
    passes += 1
    checkpoints.save({"w": np.full(20_000, float(passes))}, {"passes": passes})
    print(passes, flush=True)
"""


def _kill_while_saving(folder: Path, after: float) -> int:
    """The last pass that a process said it had saved before it was killed."""
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", ENDLESS, str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        time.sleep(after)
        process.send_signal(signal.SIGKILL)
        said += process.stdout.read()
    complete = [line for line in said.splitlines(keepends=True) if line.endswith("\n")]
    return int(complete[-1])


@pytest.mark.slow
def test_killed_while_saving_a_newest_one_always_loads(tmp_path: Path) -> None:
    dice = np.random.default_rng(0)
    for _ in range(3):
        said = _kill_while_saving(tmp_path, after=float(dice.uniform(0.0, 0.03)))
        assert _passes(Checkpoints(tmp_path)) in (said, said + 1)


def test_litter_of_killed_processes_goes_after_an_hour_and_not_before(tmp_path: Path) -> None:
    old, fresh = tmp_path / ".000000000001-00000000.ckpt.aaaaaaaa.tmp", tmp_path / ".b.bbbbbbbb.tmp"
    for path in (old, fresh):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 4000,) * 2)
    _save(Checkpoints(tmp_path), 1)
    assert not old.exists() and fresh.exists()


@pytest.mark.slow
def test_two_writers_and_a_reader_do_not_harm_each_other(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", ENDLESS, str(tmp_path)]
    writers = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) for _ in range(2)]
    try:
        for writer in writers:
            assert writer.stdout is not None
            writer.stdout.readline()
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            assert _passes(Checkpoints(tmp_path)) > 0  # warnings are errors here: none is ever damaged
        assert all(writer.poll() is None for writer in writers)
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()
    assert _passes(Checkpoints(tmp_path)) > 0


def test_files_that_cannot_be_read_are_not_the_same_as_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = Checkpoints(tmp_path)
    _save(checkpoints, 1)

    def refuse(self: object, name: str) -> bytes:
        raise PermissionError(errno.EACCES, "refused")

    monkeypatch.setattr(_folder.Folder, "read", refuse)
    with pytest.raises(PermissionError, match="refused"):
        checkpoints.newest()
