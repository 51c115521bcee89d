"""Tables that lie in files: found, and cut into pieces that can be read on any worker."""

from daskml_dist.files.sources import BLOCKSIZE, Piece, Source, open_source
from daskml_dist.files.values import Kind, as_numbers, as_text, find, kind_of, listed, missing

__all__ = [
    "BLOCKSIZE",
    "Kind",
    "Piece",
    "Source",
    "as_numbers",
    "as_text",
    "find",
    "kind_of",
    "listed",
    "missing",
    "open_source",
]
