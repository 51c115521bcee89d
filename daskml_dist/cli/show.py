"""``daskml-dist show``: what a saved model is."""

from __future__ import annotations

from typing import Any

import fsspec
import numpy as np

from daskml_dist.cli.coefficients import largest
from daskml_dist.cli.encoding import FILE, Encoding
from daskml_dist.cli.report import Report, short
from daskml_dist.files import listed
from daskml_dist.labelled import Layout
from daskml_dist.saving import made
from daskml_dist.storage import read_model

DEFAULTS = (None, False, 0)


def show(url: str) -> None:
    """Print the class, parameters, classes, features, passes and gap of a model, and what it was made with.

    Raises
    ------
    FileNotFoundError, CheckpointInvalid
        There is no model, or a damaged one.
    """
    record = read_model(url)
    attributes, report = {name: made(value) for name, value in record.attributes.items()}, Report()
    path = record.class_path or "an answer without an estimator"  # compressed, or imported
    report.line(f"{path.rpartition('.')[2]} in {url}")
    report.fact("class", path)
    set_ = ", ".join(
        f"{name}={value!r}" for name, value in record.parameters.items() if value not in DEFAULTS
    )
    report.fact("parameters", set_ or "all defaults")
    if "classes_" in attributes:
        report.fact("classes", listed(np.asarray(attributes["classes_"]).tolist()))
    names = attributes.get("feature_names_in_")
    features = f"{attributes.get('n_features_in_', 0):,}"
    report.fact("features", features if names is None else f"{features}: {listed(names)}")
    fs, root = fsspec.core.url_to_fs(url)
    if fs.exists(f"{root.rstrip('/')}/{FILE}"):
        encoding = Encoding.load(url)
        columns = ", ".join(column.name for column in encoding.columns[:8])
        more = f" and {len(encoding.columns) - 8:,} more" if len(encoding.columns) > 8 else ""
        report.fact("trained on", f"{encoding.target} from {columns}{more}")
    _fit_facts(report, attributes)
    report.fact("made", str(record.facts.get("created_at")))
    versions: dict[str, Any] = record.facts.get("versions", {})
    report.fact("with", ", ".join(f"{name} {number}" for name, number in versions.items()))
    layout: Layout | None = attributes.get("layout_")
    if layout is not None:
        _labelled_facts(report, layout, attributes)
    lines = [] if layout is not None and layout.mapped else largest(attributes)
    if lines:
        report.line("\n  the largest coefficients, each by the unit of its feature")
    for name, text in lines:
        report.fact(short(name), text)


def _fit_facts(report: Report, attributes: dict[str, Any]) -> None:
    """What the fit cost and reached, as far as the model says."""
    if "n_passes_" in attributes:
        report.fact("passes", f"{attributes['n_passes_']}")
    if "gap_" in attributes:
        worst = float(np.nanmax(np.asarray(attributes["gap_"])))  # of a model for each cell
        report.fact("gap", f"{worst:.1e} relative ({attributes.get('gap_kind_', 'unknown')})")


def _labelled_facts(report: Report, layout: Layout, attributes: dict[str, Any]) -> None:
    """Which dims a model was fitted to, and of which it has a model for each label."""
    used = int(np.sum(np.asarray(attributes["n_used_"])))
    report.fact("samples", f"{used:,} along {', '.join(layout.sample_dims)}")
    if layout.mapped:
        sizes = attributes["intercept_"].sizes
        report.fact("a model for each", " x ".join(f"{dim} ({size:,})" for dim, size in sizes.items()))
