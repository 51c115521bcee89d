"""A folder of whole files: each is written entirely or not at all, here or on an object store."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, final

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from daskml_dist.edge import InvalidModel, read_file

_LITTER_AFTER = 3600.0
"""Seconds after which a temporary file is taken for what a killed process left behind."""


@final
class Folder:
    """The files directly inside one directory, by name.

    Locally a file is written under a temporary name in the same directory, synced and renamed. Anywhere
    else the whole object is put at once, which object stores do atomically.

    Parameters
    ----------
    url : a path or any URL that fsspec knows.
    """

    def __init__(self, url: str | os.PathLike[str]) -> None:
        fs, root = url_to_fs(os.fspath(url))
        self._fs: Any = fs
        self.root: str = str(root).rstrip("/") or "/"
        self.local: bool = isinstance(fs, LocalFileSystem)

    def address(self, name: str = "") -> str:
        """Where a file of this folder is, for people and for error messages."""
        path = f"{self.root.rstrip('/')}/{name}" if name else self.root
        return path if self.local else str(self._fs.unstrip_protocol(path))

    def is_file(self) -> bool:
        """True where the path of the folder is taken by a file."""
        return bool(self._fs.isfile(self.root))

    def exists(self) -> bool:
        """True where there is a directory, or on an object store anything below the prefix."""
        return bool(self._fs.isdir(self.root))

    def names(self) -> list[str]:
        """The visible files, sorted; none where the folder does not exist."""
        # a store's listing may come from a cache that does not know what others wrote since
        self._fs.invalidate_cache(self.root)
        try:
            found = os.listdir(self.root) if self.local else self._fs.ls(self.root, detail=False)
        except FileNotFoundError:
            return []
        names = (str(path).rstrip("/").rsplit("/", 1)[-1] for path in found)
        return sorted(name for name in names if name and not name.startswith("."))

    def read(self, name: str) -> bytes:
        """All bytes of a file; FileNotFoundError where it is not there."""
        if self.local:
            return Path(self.root, name).read_bytes()
        return bytes(self._fs.cat_file(f"{self.root}/{name}"))

    def read_bounded(self, name: str, most: int) -> bytes:
        """All bytes of a regular file; ``InvalidModel`` where there are more, before memory is asked for."""
        if self.local:
            return read_file(self.root, name, most)
        path = f"{self.root}/{name}"
        self._fs.invalidate_cache(self.root)
        if self._fs.size(path) > most:
            raise InvalidModel(f"{name} is damaged: it has more bytes than {most:,}.")
        return bytes(self._fs.cat_file(path))

    def write(self, name: str, data: bytes) -> None:
        """Write a file entirely or not at all.

        Raises
        ------
        OSError
            Where it cannot be written. What was there before stays, unless only the sync of the directory
            failed: then the new file is there, and may be lost in a power cut.
        """
        self._fs.makedirs(self.root, exist_ok=True)
        if self.local:
            _write_durably(Path(self.root, name), data)
        else:
            self._fs.pipe_file(f"{self.root}/{name}", data)

    def write_new(self, name: str, data: bytes) -> None:
        """Write a file of an object store; FileExistsError where it is there."""
        self._fs.pipe_file(f"{self.root}/{name}", data, mode="create")

    def child(self, name: str) -> Folder:
        """A folder inside this one."""
        return Folder(self.address(name))

    def remove(self, name: str) -> None:
        """Remove a file; somebody else may have done so already."""
        with suppress(FileNotFoundError):
            if self.local:
                os.unlink(Path(self.root, name))
            else:
                self._fs.rm_file(f"{self.root}/{name}")

    def sweep(self) -> None:
        """Remove the temporary files that processes killed over an hour ago left in a local folder."""
        if self.local:
            _sweep(Path(self.root), "")


def create_folder(folder: Folder, files: dict[str, bytes]) -> None:
    """Make a local folder with these files appear at once, under its final name.

    Raises
    ------
    OSError
        Where it cannot be written or its name is taken by a folder that is not empty; nothing is left.
    """
    target = Path(folder.root)
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target.parent, target.name)
    staging = target.with_name(_temporary(target.name))
    try:
        staging.mkdir()
        for name, data in files.items():
            _write_durably(staging / name, data)
        os.rename(staging, target)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    _sync_directory(target.parent)


def create_next(
    folder: Folder, fixed: Mapping[str, bytes], numbered: Callable[[int], dict[str, bytes]]
) -> int:
    """Append an entry to a folder of entries 1, 2, 3...; whoever else does so gets another number.

    Here an entry appears at once, by the renaming of a directory, which fails where the name is taken. On an
    object store its first file claims the number, and it is complete when its last file is there.

    Parameters
    ----------
    folder : of the entries; made where it is not there.
    fixed : files of the entry by name.
    numbered : the files that depend on the number; asked again where somebody else was faster.

    Returns
    -------
    The number.

    Raises
    ------
    OSError
        The entry cannot be written; nothing of it can be seen.
    """
    if not folder.local:
        return _claim_next(folder, fixed, numbered)
    root = Path(folder.root)
    root.mkdir(parents=True, exist_ok=True)
    _sweep(root, "")
    staging = root / _temporary("next")
    try:
        staging.mkdir()
        for name, data in fixed.items():
            _write_durably(staging / name, data)
        while True:
            number = max(numbers(folder), default=0) + 1
            for name, data in numbered(number).items():
                _write_durably(staging / name, data)
            try:
                os.rename(staging, root / str(number))
                break
            except OSError as error:
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                    raise
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    _sync_directory(root)
    return number


def numbers(folder: Folder) -> list[int]:
    """The numbers of the entries, ascending; on an object store those that are not complete too."""
    return sorted(int(name) for name in folder.names() if re.fullmatch(r"[1-9][0-9]{0,8}", name))


def _claim_next(
    folder: Folder, fixed: Mapping[str, bytes], numbered: Callable[[int], dict[str, bytes]]
) -> int:
    number = max(numbers(folder), default=0) + 1
    while True:
        files = {**fixed, **numbered(number)}
        entry = folder.child(str(number))
        first, *others = files
        try:
            entry.write_new(first, files[first])
        except FileExistsError:
            number += 1
            continue
        for name in others:
            entry.write(name, files[name])
        return number


def _temporary(name: str) -> str:
    return f".{name}.{secrets.token_hex(4)}.tmp"


def _write_durably(path: Path, data: bytes) -> None:
    temporary = path.with_name(_temporary(path.name))
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    if os.name == "nt":  # Windows cannot open a directory, and needs no sync of it
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # some network file systems know no sync of a directory; the file itself is safe
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def _sweep(directory: Path, name: str) -> None:
    """Remove old temporary entries for ``name`` ("" for any name); never a fresh one, another may own it."""
    with suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if not (entry.name.startswith(f".{name}") and entry.name.endswith(".tmp")):
                continue
            with suppress(OSError):
                if time.time() - entry.stat(follow_symlinks=False).st_mtime < _LITTER_AFTER:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:
                    os.unlink(entry.path)
