"""``daskml-dist fit --register``: the fitted model as a version that takes the columns of the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from daskml_dist.cli.encoding import Encoding
from daskml_dist.cli.options import FitOptions
from daskml_dist.cli.scores import Scores
from daskml_dist.errors import InvalidData
from daskml_dist.registry import Registry, Version
from daskml_dist.registry.names import checked_name

if TYPE_CHECKING:
    from daskml_dist.cli.training import Prepared


def refuse_unnamed(options: FitOptions) -> None:
    """Refuse names that are none, before anything is read."""
    if options.register is not None:
        checked_name(options.register, "--register")
    if options.alias is not None:
        checked_name(options.alias, "--alias")


def refuse_unknown(options: FitOptions, encoding: Encoding) -> None:
    """Refuse personal columns that the model does not have, before it is trained."""
    known = {column.name for column in encoding.columns}
    if absent := [name for name in options.personal if name not in known]:
        raise InvalidData(f"--personal: the model has no column {', '.join(map(repr, absent))}")


def registered(model: Any, prepared: Prepared, scores: Scores | None, options: FitOptions) -> Version:
    """Register a model with its scores, and one more pass over its training rows for means and bins."""
    encoding = prepared.encoding
    given = {
        "file": options.file,
        "held out": options.test_size,
        "seed": options.seed,
        "encoding": {  # what else is needed to train on the next file
            "target": encoding.target,
            "weight": encoding.weight,
            "exposure": encoding.exposure,
            "impute": encoding.impute,
            "text": list(encoding.text),
        },
    }
    assert options.register is not None
    return Registry(options.registry).register(
        model,
        options.register,
        data=prepared.rows.X,
        target=prepared.rows.y,
        lineage=given,
        metrics=_metrics(scores),
        columns=encoding.answer_columns(),
        personal=options.personal,
        alias=options.alias,
    )


def _metrics(scores: Scores | None) -> dict[str, Any]:
    """Scores on the held-out rows, and the recall of each class."""
    if scores is None:
        return {}
    found: dict[str, Any] = {name: value for name, value, _ in scores.table}
    if scores.classes:
        found["recall of"] = {one.name: one.recall for one in scores.classes}
    return found
