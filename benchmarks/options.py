"""What a run of the benchmarks was asked for."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

ROOT = Path(__file__).resolve().parents[1]

T = TypeVar("T")


@dataclass(frozen=True)
class Options:
    """size : "full" for the figures, "quick" for a look, "tiny" for a test.

    peers : whether peers in environments of their own take part.
    limit : seconds that one fit of a peer may take.
    out : the JSON file of the results, beside which pictures are put; or None.
    folder : where generated data are kept during the run.
    """

    size: Literal["full", "quick", "tiny"]
    folder: Path
    peers: bool = True
    limit: float = 600.0
    out: Path | None = None
    began: float = field(default_factory=time.monotonic)

    def pick(self, full: T, quick: T, tiny: T) -> T:
        """The value for this size."""
        return {"full": full, "quick": quick, "tiny": tiny}[self.size]

    def say(self, text: str) -> None:
        """Tell a person what is going on, on stderr."""
        print(f"[{time.monotonic() - self.began:6.0f} s] {text}", file=sys.stderr, flush=True)


def data_folder() -> Path | None:
    """The folder of real data sets, or None."""
    folder = Path(os.environ.get("DASKML_DIST_DATA", ROOT.parent / "shared" / "data"))
    return folder if folder.is_dir() else None
