"""The commands as a shell runs them: exit codes, streams, signals, workers; and what is left behind."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from daskml_dist import __version__, load
from daskml_dist.cli import Encoding

COMMAND = [sys.executable, "-m", "daskml_dist.cli"]


def _shell(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=240, check=False
    )


def test_version(run: Callable) -> None:
    assert run("--version").out == f"daskml-dist {__version__}\n"


@pytest.mark.parametrize("arguments", [["--help"], ["fit", "--help"], ["show", "--help"], ["demo", "--help"]])
def test_help(arguments: list[str], run: Callable) -> None:
    ran = run(*arguments)
    assert ran.code == 0
    assert ran.out.startswith("usage: daskml-dist")


def test_no_command(refused: Callable) -> None:
    assert "required: COMMAND (see daskml-dist --help)" in refused()


def test_a_shell(csv: Path, tmp_path: Path) -> None:
    done = _shell("fit", csv, "--target", "label", "--out", tmp_path / "model")
    assert (done.returncode, done.stderr) == (0, "")
    assert "model        logistic (since label has two values, no and yes)" in done.stdout


def test_quiet(csv: Path, tmp_path: Path, run: Callable) -> None:
    ran = run("fit", csv, "--target", "label", "--out", tmp_path / "model", "--quiet")
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert (tmp_path / "model" / "manifest.json").exists()


@pytest.mark.slow
def test_two_workers(csv: Path, table: pd.DataFrame, tmp_path: Path) -> None:
    """The same bits as without a cluster."""
    arguments = ("fit", csv, "--target", "label", "--blocksize", "4kB")
    here = _shell(*arguments, "--out", tmp_path / "here")
    there = _shell(*arguments, "--out", tmp_path / "there", "--workers", 2, "--memory-limit", "1GiB")
    assert (there.returncode, there.stderr) == (0, "")
    assert "2 workers, dashboard http://" in there.stdout
    assert "held out  " in here.stdout
    assert (
        here.stdout.split("held out  ")[1].split("saved")[0]
        == there.stdout.split("held out  ")[1].split("saved")[0]
    )
    one, two = load(str(tmp_path / "here")), load(str(tmp_path / "there"))
    assert one.coef_.tobytes() == two.coef_.tobytes()
    assert Encoding.load(str(tmp_path / "here")) == Encoding.load(str(tmp_path / "there"))


def test_show(csv: Path, tmp_path: Path, run: Callable) -> None:
    run("fit", csv, "--target", "label", "--drop", "price", "--C", 0.5, "--out", tmp_path / "model")
    ran = run("show", tmp_path / "model")
    assert ran.code == 0
    for part in (
        "LogisticRegression in",
        "C=0.5",
        "classes      no, yes",
        "features     8: age, height, city=Bonn",
        "trained on   label from age, height, city, count",
        "passes       ",
        "gap          ",
        "made         2",
        "numpy ",
    ):
        assert part in ran.out


def test_show_of_a_model_saved_from_python(tmp_path: Path, run: Callable) -> None:
    from daskml_dist import save
    from daskml_dist.linear_model import Ridge

    save(Ridge(verbose=0).fit(np.eye(3), [1.0, 2.0, 3.0]), str(tmp_path / "model"))
    ran = run("show", tmp_path / "model")
    assert ran.code == 0
    assert "features     3\n" in ran.out


def test_a_saved_model_predicts_the_same(
    csv: Path, table: pd.DataFrame, tmp_path: Path, run: Callable
) -> None:
    ran = run(
        "fit", csv, "--target", "price", "--drop", "label", "--test-size", 0.5, "--out", tmp_path / "model"
    )
    model, encoding = load(str(tmp_path / "model")), Encoding.load(str(tmp_path / "model"))
    from daskml_dist.cli.heldout import HeldOut

    test = table[HeldOut(0.5, 0).draw(0, len(table))]
    assert f"{model.score(encoding.features(test), test['price']):.4f}" in ran.out


def test_unfinished_training_says_so(csv: Path, run: Callable) -> None:
    ran = run("fit", csv, "--target", "label", "--tol", 0, "--max-iter", 2)
    assert ran.code == 0
    assert "did not reach tol=0 within max_iter=2" in " ".join(ran.out.split())


@pytest.mark.slow
def test_a_reader_that_leaves(csv: Path) -> None:
    """``| head -1``."""
    with subprocess.Popen(
        [*COMMAND, "fit", str(csv), "--target", "label"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.wait(timeout=120) == 0
        assert process.stderr.read() == ""


IMPATIENT = """
import os, signal, sys
from daskml_dist.cli import main
from daskml_dist.monitor import Listener, discovery

class Impatient(Listener):
    def begin(self, info): pass
    def hear(self, step):
        os.killpg(os.getpgrp(), signal.SIGINT)
    def end(self, outcome): pass

discovery._factories = lambda: (("impatient", Impatient),)
sys.exit(main(sys.argv[1:]))
"""
"""Ctrl-C when the first pass is heard of, sent as a terminal sends it: to all processes."""


@pytest.mark.parametrize(
    "workers",
    [[], pytest.param(["--workers", "2"], marks=pytest.mark.slow)],
    ids=["threads", "cluster"],
)
def test_ctrl_c_keeps_the_model(workers: list[str], csv: Path, tmp_path: Path, run: Callable) -> None:
    out = tmp_path / "model"
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            IMPATIENT,
            "fit",
            csv,
            "--target",
            "label",
            "--tol",
            "1e-13",
            *workers,
            "--out",
            str(out),
        ],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        start_new_session=True,
    )
    assert (done.returncode, done.stderr) == (130, "daskml-dist: interrupted\n")
    assert "interrupted after " in done.stdout
    assert f"saved in {out}" in done.stdout
    assert load(str(out)).n_passes_ in (1, 2)
    assert "passes       " in run("show", out).out


@pytest.mark.slow
def test_ctrl_c_without_out(csv: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPATIENT, "fit", csv, "--target", "label", "--tol", "1e-13"],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        start_new_session=True,
    )
    assert (done.returncode, done.stderr) == (130, "daskml-dist: interrupted\n")
    assert "nothing was saved, since there was no --out" in done.stdout


@pytest.mark.slow
def test_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    done = _shell("demo", "--rows", 200_000)
    assert (done.returncode, done.stderr) == (0, "")
    assert "the same coefficients to" in done.stdout
    assert "yes: all 51 coefficients, to the last bit" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("daskml")] == []
