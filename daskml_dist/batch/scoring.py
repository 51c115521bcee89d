"""``score``: from a file to its answers, the whole flow on one screen; it can be killed and started again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, final

import numpy as np

from daskml_dist import drift, edge
from daskml_dist.batch import answers, destinations
from daskml_dist.batch.located import Located, locate
from daskml_dist.batch.receipts import Receipt, Receipts, folder_of
from daskml_dist.cluster import piecework
from daskml_dist.errors import InvalidData
from daskml_dist.files import BLOCKSIZE, Piece, Source, find, open_source
from daskml_dist.registry import Registry, Version


@final
@dataclass(frozen=True)
class Report:
    """What was scored.

    Attributes
    ----------
    model : "claims/3", or the path of a model directory.
    sha256 : of its manifest.
    rows, parts : of the destination.
    scored : how many of the rows in this call; the others were there before.
    drift : a dict for each column, see ``drift.Judgement``; None where the model has no reference.
    """

    model: str
    sha256: str
    rows: int
    parts: int
    scored: int
    drift: list[dict[str, Any]] | None

    @property
    def drifted(self) -> list[str]:
        """The columns that do not look like those of the training any more."""
        return [judgement["column"] for judgement in self.drift or () if judgement["drifted"]]


def score(
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    model: str | os.PathLike[str] | Version,
    *,
    registry: str | Registry | None = None,
    keep: Sequence[str] = (),
    kind: str | None = None,
    sep: str | None = None,
    na_values: Sequence[str] = (),
    blocksize: int | None = BLOCKSIZE,
    scheduler: Any = None,
    overwrite: bool = False,
    told: Callable[[int, int], None] | None = None,
) -> Report:
    """Write a model's answers for each row of a file.

    Whatever is killed on the way, the same call goes on: every row is there once, and the bytes are those
    of a call that nobody disturbed. The bits of an answer are those of a server of this model.

    Parameters
    ----------
    source : a path, URL or pattern of CSV or Parquet files, a Zarr store or a NetCDF file. It has the columns
        (variables) that the model was trained with, in any order, and perhaps others.
    destination : a path or URL that ends in .parquet or .csv (a directory with a file for each piece), or in
        .zarr for a Zarr store or NetCDF file. Receipts are kept beside it, in <destination>.scoring.
    model, registry : see ``locate``.
    keep : columns of the source that are written before the answers.
    kind, sep, na_values, blocksize : of the source; see ``daskml-dist score --help``.
    scheduler : as of an estimator.
    overwrite : remove what is there, and begin anew.
    told : is called with the rows that are there and the parts that are left, after each part.

    Returns
    -------
    Report
        With the drift of each column over all rows, counted in the same pass.

    Raises
    ------
    InvalidData
        A column is not there or has values that the model refuses, or the destination belongs to another
        scoring. Parts that are written stay.
    FileExistsError
        The destination exists, and no scoring made it.
    """
    located = locate(model, registry)
    loaded = located.load()
    names = [column.name for column in loaded.columns]
    table = open_source(
        os.fspath(source), names, kind=kind, sep=sep, na_values=tuple(na_values), blocksize=blocksize
    )
    _look_for((*names, *keep), table)
    url = os.fspath(destination)
    target = destinations.destination_for(url, table, answers.schema(loaded), keep)
    receipts = _begin(url, _plan(table, located, keep, blocksize), overwrite)
    done = receipts.signed()
    _forget(target.lost(done), done)
    if not done:
        target.begin()
    before = rows = sum(receipt.rows for receipt in done.values())
    job = _Job(located, target, url, tuple(keep), _widened(loaded, table, target, keep))
    left = [(part, piece) for part, piece in enumerate(table.pieces) if part not in done]
    for receipt in piecework(job, left, scheduler):
        done[receipt.part] = receipt
        rows += receipt.rows
        if told is not None:
            told(rows, len(table.pieces) - len(done))
    report = Report(located.spec, located.digest, rows, len(done), rows - before, _drift(loaded, done))
    receipts.close(asdict(report))
    return report


@final
@dataclass(frozen=True)
class _Job:
    """What is done with each piece, on any worker and as often as one likes."""

    model: Located
    target: destinations.Destination
    url: str
    keep: tuple[str, ...]
    widened: tuple[str, ...]

    def __call__(self, numbered: tuple[int, Piece]) -> Receipt:
        part, piece = numbered
        model = self.model.load()
        # text is read unparsed, so that a level "1" is no 1.0, and kept columns are as they were, unless
        # the model needs their numbers
        numbers = _numbers(model)
        wanted = dict.fromkeys([*(column.name for column in model.columns), *self.keep])
        frame = piece.read(list(wanted), [name for name in wanted if name not in numbers])
        try:
            X = answers.features(model, frame)
        except InvalidData as error:
            raise InvalidData(f"{_place(piece, part)}: {error}") from error
        margins = model.margins(X)
        kept = frame[list(self.keep)].astype(dict.fromkeys(self.widened, np.float64))
        found = kept.assign(**answers.columns(model, margins))
        signed = found.assign(model_name=model.name or "", model_version=model.version or 0)
        digest = self.target.write(part, piece, signed)
        receipt = Receipt(part, len(X), digest, _counted(model, X, margins))
        Receipts(self.url).sign(receipt)
        return receipt


def _numbers(model: edge.Model) -> set[str]:
    """The columns that the model takes as numbers."""
    return {column.name for column in model.columns if column.kind != "category"}


def _widened(
    model: edge.Model, table: Source, target: destinations.Destination, keep: Sequence[str]
) -> tuple[str, ...]:
    """Kept numbers of CSV that become float64 in Parquet, where all parts must have one type."""
    if table.kind != "csv" or not (isinstance(target, destinations.TableParts) and target.kind == "parquet"):
        return ()
    return tuple(name for name in keep if name in _numbers(model))


def _look_for(names: Sequence[str], table: Source) -> None:
    """Complain of a column that is not there."""
    for name in names:
        find(table.columns, name, "columns", table.name)


def _forget(parts: Iterable[int], done: dict[int, Receipt]) -> None:
    """The receipts of parts that are to be written again."""
    for part in parts:
        del done[part]


def _begin(url: str, plan: dict[str, Any], overwrite: bool) -> Receipts:
    """The receipts of this scoring, which may have begun before."""
    if overwrite:
        destinations.remove(url)
        destinations.remove(folder_of(url))
    elif destinations.exists(url) and not destinations.exists(folder_of(url)):
        raise FileExistsError(
            f"{url} exists, and no scoring made it; give another destination, or overwrite=True (--overwrite)"
        )
    receipts = Receipts(url)
    receipts.agree(plan)
    return receipts


def _plan(table: Source, located: Located, keep: Sequence[str], blocksize: int | None) -> dict[str, Any]:
    """What must be the same for a scoring to go on."""
    return {
        "source": table.fingerprint(),
        "pieces": len(table.pieces),
        "blocksize": blocksize,
        "model": [located.spec, located.digest],
        "keep": list(keep),
    }


def _counted(model: edge.Model, X: Any, margins: Any) -> list[list[int]] | None:
    reference = drift.Reference.from_arrays(model.reference)
    if reference is None:
        return None
    counter = drift.Counter(reference)
    counter.add(X, model.watched(margins))
    counts: list[list[int]] = counter.take().tolist()
    return counts


def _drift(model: edge.Model, done: dict[int, Receipt]) -> list[dict[str, Any]] | None:
    """The counts of all parts, judged together."""
    reference = drift.Reference.from_arrays(model.reference)
    counts = [np.array(receipt.drift) for receipt in done.values() if receipt.drift is not None]
    if reference is None or not counts:
        return None
    return [asdict(judgement) for judgement in drift.judge(reference, np.sum(counts, axis=0))]


def _place(piece: Any, part: int) -> str:
    return f"{piece.path}, piece {part}"
