"""What is known of a scoring on disk: its plan, and a receipt for each part that is there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, final

from daskml_dist.errors import InvalidData
from daskml_dist.storage import Folder

PLAN, REPORT = "plan.json", "report.json"


@final
@dataclass(frozen=True)
class Receipt:
    """Says that a part is written to the end.

    Attributes
    ----------
    part : its number.
    rows : how many it has.
    sha256 : of its file; empty where it is no file of its own.
    drift : counts in the cells of the model's reference, a list for each column, or None.
    """

    part: int
    rows: int
    sha256: str
    drift: list[list[int]] | None


@final
class Receipts:
    """The folder beside a destination; each file in it is written entirely or not at all."""

    def __init__(self, destination: str) -> None:
        self._folder = Folder(folder_of(destination))

    def agree(self, plan: Mapping[str, Any]) -> bool:
        """True where a scoring with this plan has begun before; its plan is written where none has.

        Raises
        ------
        InvalidData
            Another scoring has begun there.
        """
        try:
            found = json.loads(self._folder.read(PLAN))
        except FileNotFoundError:
            self._folder.write(PLAN, _json(plan))
            return False
        wanted = json.loads(_json(plan))
        other = sorted(key for key in {*found, *wanted} if found.get(key) != wanted.get(key))
        if other:
            raise InvalidData(
                f"{self._folder.address()} belongs to a scoring with another {', '.join(other)}; give "
                "another destination, or overwrite=True (--overwrite) to score anew"
            )
        return True

    def sign(self, receipt: Receipt) -> None:
        """The part is there."""
        self._folder.write(f"{receipt.part:06d}.json", _json(asdict(receipt)))

    def signed(self) -> dict[int, Receipt]:
        """The parts that are there, by number."""
        names = [name for name in self._folder.names() if name not in (PLAN, REPORT)]
        receipts = [Receipt(**json.loads(self._folder.read(name))) for name in names]
        return {receipt.part: receipt for receipt in receipts}

    def close(self, report: Mapping[str, Any]) -> None:
        """All parts are there."""
        self._folder.write(REPORT, _json(report))


def folder_of(destination: str) -> str:
    """Where the receipts of a destination are."""
    return f"{destination.rstrip('/')}.scoring"


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False).encode()
