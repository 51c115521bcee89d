"""``Checkpoint``: how often states are kept, whether a fit goes on from them, and what spoils them."""

from __future__ import annotations

import errno
import os
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

import daskml_dist
from daskml_dist import Checkpoint
from daskml_dist.cluster.in_process import InProcess
from daskml_dist.errors import (
    CheckpointInvalid,
    CheckpointMissing,
    UnsupportedCombination,
    UnsupportedParameter,
)
from daskml_dist.fit import states
from daskml_dist.linear_model import (
    LinearSVC,
    LogisticRegression,
    MinimaxClassifier,
    PoissonRegressor,
    SGDClassifier,
    SGDRegressor,
)
from daskml_dist.storage import Checkpoints, seal, sealed, unseal
from tests.linear_model.problems import chunked, data
from tests.linear_model.truth import theta_of
from tests.storage.damage import flips

DATA = data()
THREADS: dict[str, Any] = {"scheduler": "threads", "verbose": 0}
LBFGS: dict[str, Any] = {**THREADS, "solver": "lbfgs", "C": 100.0, "tol": 1e-9}


def fitted(model: Any, y: Any = None) -> Any:
    return model.fit(chunked(DATA.X, 5), chunked(DATA.labels if y is None else y, 5))


def kept(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.ckpt"))


def cut_short(model: Any, question: int, y: Any = None) -> None:
    """Ctrl-C at that question."""
    asked = 0
    answer = InProcess.answer

    def interrupted(self: Any, given: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked == question:
            raise KeyboardInterrupt
        return answer(self, given)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(InProcess, "answer", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fitted(model, y)


# ------------------------------------------------------------------------------------ the value


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"url": ""}, "url=''"),
        ({"url": 3}, "url=3"),
        ({"every_passes": 0}, "every_passes=0"),
        ({"every_passes": True}, "every_passes=True"),
        ({"every_seconds": -1.0}, "every_seconds=-1.0"),
        ({"every_seconds": float("nan")}, "every_seconds=nan"),
        ({"every_steps": 1.5}, "every_steps=1.5"),
        ({"keep": 0}, "keep=0"),
        ({"resume": "maybe"}, "resume='maybe'"),
        ({"resume": 1}, "resume=1"),
    ],
)
def test_what_is_out_of_range_is_said(given: dict[str, Any], told: str) -> None:
    with pytest.raises(UnsupportedParameter, match=rf"Checkpoint\({told}\): expected"):
        Checkpoint(**{"url": "here", **given})


@pytest.mark.parametrize("estimator", [LogisticRegression, SGDClassifier])
def test_what_is_no_checkpoint_is_refused(estimator: Any) -> None:
    with pytest.raises(UnsupportedParameter, match="checkpoint=3.*a Checkpoint, or None"):
        fitted(estimator(checkpoint=3))


def test_models_with_a_checkpoint_are_copied_pickled_and_saved(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "states", every_passes=2, resume=False)
    assert checkpoint == Checkpoint(str(tmp_path / "states"), every_passes=2, resume=False)
    model = fitted(LogisticRegression(checkpoint=checkpoint, **THREADS))
    assert clone(model).checkpoint == checkpoint
    assert "every_passes=2" in repr(model)
    assert pickle.loads(pickle.dumps(model)).checkpoint == checkpoint
    daskml_dist.save(model, str(tmp_path / "model"))
    assert daskml_dist.load(str(tmp_path / "model")).get_params() == model.get_params()
    model.set_params(checkpoint=tmp_path / "states")
    daskml_dist.save(model, str(tmp_path / "model"), overwrite=True)
    assert daskml_dist.load(str(tmp_path / "model")).checkpoint == str(tmp_path / "states")


def test_partial_fit_goes_on_from_the_model() -> None:
    with pytest.raises(UnsupportedCombination, match="partial_fit goes on from the model itself"):
        SGDRegressor(checkpoint="here", **THREADS).partial_fit(DATA.X, DATA.counts)


# ------------------------------------------------------------------------------------ how often


@pytest.mark.parametrize(("every", "keep", "files"), [(1, 100, 7), (3, 100, 2), (1, 2, 2)])
def test_every_so_many_passes(every: int, keep: int, files: int, tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path, every_passes=every, keep=keep)
    model = fitted(LogisticRegression(checkpoint=checkpoint, **{**LBFGS, "tol": 1e-12}))
    passes = [unseal(file.read_bytes())[1]["passes"] for file in kept(tmp_path)]
    assert set(np.diff(passes)) <= {every}
    assert len(passes) == min((model.n_passes_ - 1) // every, keep)


def test_not_before_so_many_seconds(tmp_path: Path) -> None:
    fitted(LogisticRegression(checkpoint=Checkpoint(tmp_path, every_seconds=1e6), **LBFGS))
    assert kept(tmp_path) == []
    cut_short(LogisticRegression(checkpoint=Checkpoint(tmp_path, every_seconds=1e6), **LBFGS), 6)
    assert len(kept(tmp_path)) == 1, "what was reached before an interruption is kept all the same"


def test_every_so_many_steps(tmp_path: Path) -> None:
    """States of stochastic gradients differ within an epoch."""
    options = {"max_iter": 1, "tol": None, "batch_size": 10, **THREADS}
    counts = []
    for name, every in (("passes", None), ("steps", 5)):
        checkpoint = Checkpoint(tmp_path / name, every_steps=every, keep=1000)
        fitted(SGDClassifier(checkpoint=checkpoint, **options))
        counts.append(len(kept(tmp_path / name)))
    assert counts[0] <= 2 < counts[1]


# ------------------------------------------------------------------------------------ going on

ENDED: dict[str, tuple[Any, Any]] = {
    "lbfgs": (LogisticRegression(**LBFGS), DATA.labels),
    "newton": (LogisticRegression(**{**LBFGS, "solver": "newton", "tol": 1e-12}), DATA.labels),
    "newton-cg": (LogisticRegression(**{**LBFGS, "solver": "newton-cg"}), DATA.labels),
    "gradient descent": (LogisticRegression(**{**LBFGS, "solver": "gradient_descent"}), DATA.labels),
    "default": (PoissonRegressor(alpha=1e-3, tol=1e-12, **THREADS), DATA.counts),
    "l1": (LogisticRegression(C=0.5, l1_ratio=1.0, tol=1e-12, **THREADS), DATA.labels),
    "three classes": (LogisticRegression(tol=1e-12, **THREADS), np.minimum(DATA.counts, 2)),
    "each against the rest": (LinearSVC(tol=1e-10, **THREADS), np.minimum(DATA.counts, 2)),
    "minimax": (MinimaxClassifier(tol=1e-13, **THREADS), DATA.labels),
    "sgd": (SGDClassifier(max_iter=4, batch_size=50, early_stopping=True, **THREADS), DATA.labels),
    "averaged": (SGDRegressor(strategy="model_averaging", max_iter=3, tol=None, **THREADS), DATA.counts),
}


@pytest.mark.thinned(3)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", ENDED)
def test_a_fit_that_was_cut_short_ends_with_the_same_bits(name: str, tmp_path: Path) -> None:
    """Cut at each question in turn, until there are no more."""
    model, y = ENDED[name]

    def new(**changes: Any) -> Any:
        return type(model)(**{**model.get_params(), **changes})

    questions = 0
    answer = InProcess.answer

    def counted(self: Any, question: Any) -> Any:
        nonlocal questions
        questions += 1
        return answer(self, question)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(InProcess, "answer", counted)
        # the states of several classes are kept when they are solved one by one
        whole = theta_of(fitted(new(checkpoint=tmp_path / "whole"), y))
    cuts = range(3, questions + 1) if questions < 12 else np.linspace(3, questions, 6).astype(int).tolist()
    for cut in cuts:
        folder = tmp_path / str(cut)
        cut_short(new(checkpoint=folder), cut, y)
        assert theta_of(fitted(new(checkpoint=folder), y)).tobytes() == whole.tobytes(), cut


def test_resume_requires_one_or_begins_anew(tmp_path: Path) -> None:
    required = LogisticRegression(checkpoint=Checkpoint(tmp_path, resume=True), **LBFGS)
    with pytest.raises(CheckpointMissing, match=f"there is none in {tmp_path}.*resume='auto'"):
        fitted(required)
    cut_short(LogisticRegression(checkpoint=tmp_path, **LBFGS), 7)
    older = kept(tmp_path)
    assert older
    whole = fitted(LogisticRegression(**LBFGS))
    resumed = fitted(LogisticRegression(checkpoint=Checkpoint(tmp_path, resume=True), **LBFGS))
    assert len(resumed.history_) < len(whole.history_)
    anew = fitted(LogisticRegression(checkpoint=Checkpoint(tmp_path, resume=False, keep=50), **LBFGS))
    assert len(anew.history_) == len(whole.history_)
    assert set(kept(tmp_path)) > set(), "newer ones have taken their place"
    for model in (resumed, anew):
        assert theta_of(model).tobytes() == theta_of(whole).tobytes()


def test_several_classes_require_the_first_one_alone(tmp_path: Path) -> None:
    """Each has a folder of its own, and the fit may have been cut short at any of them."""
    y = np.minimum(DATA.counts, 2)
    checkpoint = Checkpoint(tmp_path, resume=True)
    with pytest.raises(CheckpointMissing):
        fitted(LinearSVC(checkpoint=checkpoint, **THREADS), y)
    cut_short(LinearSVC(checkpoint=tmp_path, **THREADS), 8, y)
    assert [folder.name for folder in sorted(tmp_path.iterdir())][0] == "class-0"
    again = fitted(LinearSVC(checkpoint=checkpoint, **THREADS), y)
    assert again.n_passes_ > 0


# ------------------------------------------------------------------------------------ bad input


def one_kept(folder: Path) -> Path:
    """The only checkpoint of a fit that was cut short."""
    cut_short(LogisticRegression(checkpoint=Checkpoint(folder, keep=1), **LBFGS), 7)
    [file] = kept(folder)
    return file


def as_other_version(data: bytes) -> bytes:
    """A file of a format that is yet to come, sealed as this one is."""
    content = unseal(data)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sealed, "VERSION", sealed.VERSION + 1)
        return seal(*content)


def as_other_layout(data: bytes) -> bytes:
    arrays, meta = unseal(data)
    return seal(arrays, {**meta, "layout": states.LAYOUT + 1, "version": "9.9"})


SPOILT: dict[str, tuple[Any, str]] = {
    "cut short": (lambda data: data[: len(data) // 2], "is truncated"),
    "cut to nothing": (lambda data: b"", "is empty"),
    "a flipped bit": (lambda data: next(flips(data, 1, seed=1)), "damaged"),
    "a foreign file": (lambda data: b"PK\x03\x04" + bytes(100), "no checkpoint of daskml_dist"),
    "another format": (as_other_version, "has format version 2.*Upgrade"),
    "another layout": (as_other_layout, "written by daskml_dist 9.9.*layout 3"),
    "another's state": (lambda data: seal({"w": np.zeros(3)}, {"epoch": 3}), "no state of a training"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_one_clear_error_and_nothing_is_lost(name: str, tmp_path: Path) -> None:
    spoil, told = SPOILT[name]
    file = one_kept(tmp_path)
    file.write_bytes(spoil(file.read_bytes()))
    spoilt = file.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(CheckpointInvalid, match=told):
            fitted(LogisticRegression(checkpoint=tmp_path, **LBFGS))
    assert kept(tmp_path) == [file]
    assert file.read_bytes() == spoilt
    fitted(LogisticRegression(checkpoint=Checkpoint(tmp_path, resume=False), **LBFGS))


def test_other_data_are_named(tmp_path: Path) -> None:
    one_kept(tmp_path)
    moved = DATA.X + np.linspace(0.0, 1e-6, len(DATA.X))[:, None]
    with pytest.raises(CheckpointInvalid, match="belongs to another training: a few rows of X was"):
        LogisticRegression(checkpoint=tmp_path, **LBFGS).fit(chunked(moved, 5), chunked(DATA.labels, 5))


def test_a_place_that_cannot_be_written_to_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may write anywhere, so the refusal of the file system is its own."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match=f"no checkpoint can be written to {tmp_path}.*Read-only") as told:
        fitted(LogisticRegression(checkpoint=tmp_path, **LBFGS))
    assert told.value.errno == errno.EROFS
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_does_not_end_the_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The states from before stay, and the fit ends as ever with one warning."""
    saved = []
    save = Checkpoints.save

    def full(self: Checkpoints, *given: Any) -> str:
        saved.append(1)
        if len(saved) > 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return save(self, *given)

    monkeypatch.setattr(Checkpoints, "save", full)
    with pytest.warns(states.CheckpointNotKept, match="No space left.*The fit goes on") as told:
        model = fitted(LogisticRegression(checkpoint=tmp_path, **LBFGS))
    assert len(told) == 1
    assert len(saved) > 3
    assert len(kept(tmp_path)) == 2
    monkeypatch.undo()
    assert theta_of(model).tobytes() == theta_of(fitted(LogisticRegression(**LBFGS))).tobytes()
    again = fitted(LogisticRegression(checkpoint=tmp_path, **LBFGS))
    assert theta_of(again).tobytes() == theta_of(model).tobytes()
