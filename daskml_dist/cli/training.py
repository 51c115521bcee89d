"""``daskml-dist fit``: from a file to a saved model, the whole flow on one screen."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import Any, final

import fsspec
import numpy as np

from daskml_dist import save
from daskml_dist.cli.blocks import Rows, labels_of, training_rows
from daskml_dist.cli.checks import check_features, check_rows, check_special, mixed, roles_of
from daskml_dist.cli.clusters import connected
from daskml_dist.cli.encoding import Encoding, learn
from daskml_dist.cli.heldout import HeldOut
from daskml_dist.cli.options import FitOptions
from daskml_dist.cli.registering import refuse_unknown, refuse_unnamed, registered
from daskml_dist.cli.report import Report, certainty, one_line
from daskml_dist.cli.scores import Scores, score
from daskml_dist.cli.survey import Survey, survey
from daskml_dist.cli.targets import choose_model
from daskml_dist.errors import InvalidData, UnsupportedParameter
from daskml_dist.files import Source, open_source
from daskml_dist.linear_model import LinearRegression, LogisticRegression, PoissonRegressor, Ridge

MODELS: dict[str, Any] = {
    "logistic": LogisticRegression,
    "linear": LinearRegression,
    "ridge": Ridge,
    "poisson": PoissonRegressor,
}
TAKES = {
    "logistic": {"C", "certify", "checkpoint"},
    "linear": set[str](),
    "ridge": {"alpha"},
    "poisson": {"alpha", "certify", "checkpoint"},
}


@final
@dataclass(frozen=True)
class Prepared:
    """What is known before the training: the source, its survey, the encoding, the model and the rows."""

    source: Source
    found: Survey
    encoding: Encoding
    rule: HeldOut
    name: str
    rows: Rows


@final
@dataclass(frozen=True)
class Fitted:
    """What a training has made; ``scores`` is None without held-out rows."""

    prepared: Prepared
    model: Any
    seconds: float
    scores: Scores | None


def train(options: FitOptions, report: Report) -> Fitted:
    """Train from a file, score, save and report.

    Raises
    ------
    InvalidData, UnsupportedParameter
        The file, a column or an option cannot be used; the message says which.
    KeyboardInterrupt
        Ctrl-C; the model so far is saved where ``options.out`` says.
    """
    refuse_taken(options)
    refuse_unnamed(options)
    source = open_source(
        options.file,
        [options.target],
        kind=options.format,
        sep=options.sep,
        na_values=options.na_values,
        blocksize=options.blocksize,
    )
    with connected(options.workers, options.scheduler, options.memory_limit) as client:
        if client is not None:
            workers = len(client.scheduler_info(n_workers=-1)["workers"])
            report.fact("cluster", f"{workers} workers, dashboard {client.dashboard_link}")
        prepared = prepare(options, source, report)
        refuse_unknown(options, prepared.encoding)
        model = new_model(options, prepared.name)
        began = time.monotonic()
        try:
            notes = fit(model, prepared.rows)
        except KeyboardInterrupt:
            keep_unfinished(model, prepared.encoding, options, report)
            raise
        seconds = time.monotonic() - began
        report.fact(
            "trained", f"in {seconds:.2f} s, {plural(model.n_passes_, 'pass', 'passes')} over the data"
        )
        report.fact("objective", f"{objective(model):.8g}")
        report.fact("gap", certainty(model))
        report.notes(notes)
        scores = score(model, prepared.name, source, prepared.found, prepared.encoding, prepared.rule)
        if scores is not None:
            report.scores(scores)
        if options.out is not None:
            keep(model, prepared.encoding, options, report)
        if options.register is not None:
            version = registered(model, prepared, scores, options)
            report.line(f"\nregistered as {version.spec}; see daskml-dist models show {version.spec}")
    return Fitted(prepared, model, seconds, scores)


def prepare(options: FitOptions, source: Source, report: Report) -> Prepared:
    """Survey the source, refuse what cannot be trained on, learn the encoding; says what was found."""
    roles, notes = roles_of(options, source.columns, options.file)
    rule = HeldOut(options.test_size, options.seed)
    found = survey(source, roles, rule, options.max_levels, ())
    text = tuple(mixed(found))
    if text:  # numbers in one piece of a file and text in another: all of it is text
        found = survey(source, roles, rule, options.max_levels, text)
    notes += [*source.notes, *check_rows(found, options)]
    check_special(found, roles)
    name, why, of_target = choose_model(found, options)
    refuse_meaningless(options, name)
    notes += of_target
    notes += check_features(found, roles, options)
    encoding = learn(found, roles, options.missing == "impute", text)
    rows = training_rows(source, found, encoding, rule, labels_of(found, name))
    training, held_out = sum(found.training), sum(found.held_out)
    chunks = plural(len(rows.X.chunks[0]), "partition", "partitions")
    report.fact("rows", f"{training:,} to train on in {chunks}, {held_out:,} held out")
    report.fact(
        "features", f"{len(encoding.names):,} from {plural(len(roles.features), 'column', 'columns')}"
    )
    report.fact("model", f"{name} ({why})")
    report.notes(notes)
    return Prepared(source, found, encoding, rule, name, rows)


def new_model(options: FitOptions, name: str) -> Any:
    """The estimator, with what was asked for and its own defaults otherwise."""
    given: dict[str, Any] = {
        "tol": options.tol,
        "max_iter": options.max_iter,
        "C": options.C,
        "alpha": options.alpha,
    }
    given = {key: value for key, value in given.items() if value is not None}
    if options.certify:
        given["certify"] = True
    if options.checkpoint is not None:
        given["checkpoint"] = options.checkpoint
    if name != "linear":
        given["random_state"] = options.seed
    return MODELS[name](verbose=0 if options.quiet else 1, **given)


def fit(model: Any, rows: Rows) -> list[str]:
    """Fit, and the warnings as notes."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if rows.exposure is None:
            model.fit(rows.X, rows.y, sample_weight=rows.weight)
        else:
            model.fit(rows.X, rows.y, sample_weight=rows.weight, offset=np.log(rows.exposure))
    heard = (
        one_line(str(warning.message)) for warning in caught if issubclass(warning.category, UserWarning)
    )
    return list(dict.fromkeys(heard))


def refuse_meaningless(options: FitOptions, name: str) -> None:
    """Refuse options that the model does not have."""
    given = {
        "C": options.C is not None,
        "alpha": options.alpha is not None,
        "certify": options.certify,
        "checkpoint": options.checkpoint is not None,
    }
    for option, there in given.items():
        if there and option not in TAKES[name]:
            takers = " and ".join(model for model, takes in TAKES.items() if option in takes)
            raise UnsupportedParameter(f"--{option} is for {takers}, and the model is {name}")


def refuse_taken(options: FitOptions) -> None:
    """Refuse, before anything is read, a place for the model that is taken."""
    if options.out is None:
        return
    fs, root = fsspec.core.url_to_fs(options.out)
    if not fs.exists(root):
        return
    names = {str(name).rsplit("/", 1)[-1] for name in fs.ls(root, detail=False)} if fs.isdir(root) else {""}
    if names and "manifest.json" not in names:
        raise InvalidData(f"--out: {options.out} exists and is no model; give another directory")
    if names and not options.overwrite:
        raise InvalidData(
            f"--out: {options.out} holds a model already; give --overwrite, or another directory"
        )


def keep(model: Any, encoding: Encoding, options: FitOptions, report: Report) -> None:
    """Save the model and its encoding, and say how to load them."""
    assert options.out is not None
    save(model, options.out, columns=encoding.answer_columns(), overwrite=options.overwrite)
    encoding.save(options.out)
    report.line(f"\nsaved in {options.out}; in Python:")
    report.line("  from daskml_dist import load")
    report.line("  from daskml_dist.cli import Encoding")
    report.line(f"  model, encoding = load({options.out!r}), Encoding.load({options.out!r})")
    report.line("  model.predict(encoding.features(frame))  # a pandas DataFrame with the same columns")


def keep_unfinished(model: Any, encoding: Encoding, options: FitOptions, report: Report) -> None:
    """After Ctrl-C: save what was reached, if anything was."""
    if "coef_" not in vars(model):
        report.line("\ninterrupted before the first model; nothing was saved")
    elif options.out is None:
        report.line("\ninterrupted; nothing was saved, since there was no --out")
    else:
        report.line(
            f"\ninterrupted after {plural(model.n_passes_, 'pass', 'passes')}, gap {certainty(model)}"
        )
        keep(model, encoding, options, report)


def objective(model: Any) -> float:
    """The last objective that was seen."""
    return float(model.history_[-1]["objective"]) if model.history_ else float("nan")


def plural(count: int, one: str, many: str) -> str:
    """A number and its noun."""
    return f"{count:,} {one if count == 1 else many}"
