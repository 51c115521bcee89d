"""How models, versions and aliases are called: "claims", "claims/3", "claims@champion"."""

from __future__ import annotations

import re

from daskml_dist.errors import DaskmlDistError

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")


class NotRegistered(DaskmlDistError, LookupError):
    """There is no model, version or alias of this name."""


class BadName(DaskmlDistError, ValueError):
    """A name of a model or alias has letters that it may not have."""


def checked_name(name: str, what: str = "name") -> str:
    """The name itself, if it is one.

    Raises
    ------
    BadName
        It is not of lower-case letters, digits, "_", "." and "-", or too long: it becomes a directory.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadName(
            f"{what} {str(name)[:80]!r}: expected at most 64 of the letters a-z, 0-9, '_', '.' and '-', the "
            "first of them a letter or digit."
        )
    return name


def parse(spec: str) -> tuple[str, int | None, str | None]:
    """Name, number and alias of a version; one of the last two is None, or both for the newest.

    Parameters
    ----------
    spec : "claims/3", "claims@champion" or "claims".

    Examples
    --------
    >>> parse("claims/3"), parse("claims@champion"), parse("claims")
    (('claims', 3, None), ('claims', None, 'champion'), ('claims', None, None))
    """
    name, at, alias = str(spec).partition("@")
    if at:
        return checked_name(name), None, checked_name(alias, "alias")
    name, slash, number = name.partition("/")
    if slash and not _NUMBER.fullmatch(number):
        raise BadName(f"{str(spec)[:80]!r}: a version is a number, such as {name[:40]}/3.")
    return checked_name(name), int(number) if slash else None, None
