"""Tables that lie in files: found, and cut into pieces that can be read on any worker."""

from daskml_dist.files.sources import BLOCKSIZE, Piece, Source, files_of, fingerprint_of, open_source
from daskml_dist.files.values import Kind, as_numbers, as_text, find, kind_of, listed, missing

__all__ = [
    "BLOCKSIZE",
    "Kind",
    "Piece",
    "Source",
    "as_numbers",
    "as_text",
    "files_of",
    "find",
    "fingerprint_of",
    "kind_of",
    "listed",
    "missing",
    "open_source",
]
