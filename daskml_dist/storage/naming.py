"""Names of classes in model files, and the one narrow way back from a name to a class."""

from __future__ import annotations

import importlib
import re

from daskml_dist.errors import CheckpointInvalid

_PATH = re.compile(r"(daskml_dist\.[a-z][a-z0-9_]*)((?:\.[a-z_][a-z0-9_]*)*)\.([A-Z][A-Za-z0-9_]*)", re.ASCII)


def class_path(cls: type) -> str:
    """The public path of a class of this library, such as "daskml_dist.linear_model.LogisticRegression".

    Raises
    ------
    TypeError
        For a class that `resolve` would refuse: one from elsewhere, a subclass of the user's, a private one.
    """
    room = ".".join(cls.__module__.split(".")[:2])
    path = f"{room}.{cls.__qualname__}"
    try:
        found = resolve(path)
    except CheckpointInvalid as error:
        raise TypeError(f"{cls!r} cannot be stored by name: {error}") from error
    if found is not cls:
        raise TypeError(f"{cls!r} cannot be stored by name: {path} is another class")
    return path


def resolve(path: str) -> type:
    """The class that a path from a file names.

    Only a room of this library (``daskml_dist.<room>``) is ever imported, and only a class that the room
    lists in its ``__all__`` comes back. Whoever makes an instance still has to check what kind it is.

    Parameters
    ----------
    path : "daskml_dist.<room>.<Class>", or with the module inside the room that defines the class.

    Raises
    ------
    CheckpointInvalid
        For every other path.
    """
    match = _PATH.fullmatch(path) if isinstance(path, str) else None
    if match is None:
        raise CheckpointInvalid(
            f"{path!r} is not the path of a public class of daskml_dist; it is not loaded."
        )
    room, inside, name = match.groups()
    try:
        module = importlib.import_module(room)
    except ModuleNotFoundError as error:
        if error.name != room:  # an optional dependency is missing: its own message is the better one
            raise
        raise CheckpointInvalid(f"{path}: this version of daskml_dist has no {room}. Upgrade it.") from error
    if name not in getattr(module, "__all__", ()):
        raise CheckpointInvalid(f"{path}: {room} offers no {name} in this version. Upgrade daskml_dist.")
    found = getattr(module, name)
    if not isinstance(found, type) or found.__qualname__ != name or not _lives_in(found, room, inside):
        raise CheckpointInvalid(f"{path} does not name a class of {room}; it is not loaded.")
    return found


def _lives_in(found: type, room: str, inside: str) -> bool:
    if inside:
        return found.__module__ == room + inside
    return found.__module__ == room or found.__module__.startswith(f"{room}.")
