"""A series of checkpoints in one folder: the newest valid one counts."""

from __future__ import annotations

import os
import re
import secrets
import warnings
from collections.abc import Mapping
from typing import Any, final

from daskml_dist.errors import CheckpointInvalid
from daskml_dist.storage._folder import Folder
from daskml_dist.storage.sealed import OtherVersion, seal, unseal
from daskml_dist.types import AnyArray

_NAME = re.compile(r"(\d{12})-[0-9a-f]{8}\.ckpt")
_LISTINGS = 100
"""How often to list anew where other writers removed all that was listed before it could be read."""


class CheckpointSkipped(UserWarning):
    """A damaged checkpoint was passed over, and an older one was taken."""


@final
class Checkpoints:
    """Checkpoints of one training, numbered in the order in which they were saved.

    Each is a new file of its own, so that neither a crash nor a full disk nor a second writer can harm one
    that is there. Files with other names are neither read nor removed.

    Parameters
    ----------
    url : folder; a path or any URL that fsspec knows. It is made at the first save.
    keep : how many of the newest to keep, at least 1.

    Examples
    --------
    >>> import numpy as np
    >>> saved = Checkpoints("memory://docs/logistic", keep=3)
    >>> _ = saved.save({"w": np.zeros(2)}, {"passes": 1})
    >>> saved.newest()
    ({'w': array([0., 0.])}, {'passes': 1})
    """

    def __init__(self, url: str | os.PathLike[str], keep: int = 3) -> None:
        if isinstance(keep, bool) or not isinstance(keep, int) or keep < 1:
            raise ValueError(f"keep={keep!r}: give a whole number, 1 or more")
        self._folder = Folder(url)
        self._keep = keep

    @property
    def url(self) -> str:
        """The folder, as it can be given again."""
        return self._folder.address()

    def refuse_unwritable(self) -> None:
        """Write a small file and remove it again.

        Raises
        ------
        OSError
            Where nothing can be written; the message says so before hours of work depend on it.
        """
        name = f"probe-{secrets.token_hex(4)}"
        try:
            self._folder.write(name, b"")
            self._folder.remove(name)
        except OSError as error:
            raise OSError(
                error.errno,
                f"no checkpoint can be written to {self.url} ({error.strerror or error}); give a directory "
                "that can be written to and has room, or checkpoint=None",
            ) from error

    def save(self, arrays: Mapping[str, AnyArray], meta: Mapping[str, Any]) -> str:
        """Save a new checkpoint, then remove those that are too old.

        Parameters
        ----------
        arrays, meta : as for `seal`.

        Returns
        -------
        str
            Where it is. On a local file system it survives a power cut from now on.

        Raises
        ------
        OSError
            Where it cannot be written (disk full, read-only); earlier ones stay, and no litter is left.
        TypeError
            Where a value cannot be stored.
        """
        data = seal(arrays, meta)
        last = self._names()[-1:]
        step = 1 + max((int(name.partition("-")[0]) for name in last), default=0)
        # the random part keeps two writers that counted alike from meeting in one file
        name = f"{step:012d}-{secrets.token_hex(4)}.ckpt"
        self._folder.write(name, data)
        for old in self._names()[: -self._keep]:
            self._folder.remove(old)
        self._folder.sweep()
        return self._folder.address(name)

    def newest(self) -> tuple[dict[str, AnyArray], dict[str, Any]] | None:
        """Read the newest valid checkpoint.

        Returns
        -------
        (arrays, meta) or None
            None where there is none.

        Warns
        -----
        CheckpointSkipped
            For each damaged one that was passed over.

        Raises
        ------
        OSError
            Where none could be read because the file system refused: that is not the same as none.
        CheckpointInvalid
            Where all are damaged, or the newest was written by another version; nothing is removed.
        """
        for _ in range(_LISTINGS):
            found, vanished = self._newest_listed()
            if found is not None or not vanished:
                return found
        return None

    def _newest_listed(self) -> tuple[tuple[dict[str, AnyArray], dict[str, Any]] | None, bool]:
        """The newest valid of the files listed now, and whether a writer removed some meanwhile."""
        vanished, refused = False, None
        skipped: dict[str, str] = {}
        for name in reversed(self._names()):
            try:
                found = unseal(self._folder.read(name))
            except FileNotFoundError:
                vanished = True
            except OtherVersion as error:
                raise CheckpointInvalid(f"{self._folder.address(name)}: {error}") from error
            except CheckpointInvalid as error:
                skipped[name] = str(error)
            except OSError as error:
                refused = error
                skipped[name] = f"it cannot be read: {error}"
            else:
                self._warn(skipped)
                return found, vanished
        if refused is not None:
            raise refused
        if skipped and not vanished:
            told = " ".join(f"{name}: {why}" for name, why in skipped.items())
            raise CheckpointInvalid(
                f"No checkpoint in {self.url} can be gone on from; nothing was changed there. Give another "
                f"directory, or remove them to begin anew. {told}"
            )
        return None, vanished

    def _warn(self, skipped: Mapping[str, str]) -> None:
        for name, why in skipped.items():
            text = f"{self._folder.address(name)} was skipped, an older checkpoint is taken: {why}"
            warnings.warn(text, CheckpointSkipped, stacklevel=4)

    def _names(self) -> list[str]:
        return [name for name in self._folder.names() if _NAME.fullmatch(name)]
