"""JSON that means one thing: no name twice in an object, no NaN, no infinity, no depth without bound.

`orjson` refuses all but the first. It keeps the last of two equal names, so these are counted: a body with
as many
colons as names has neither a second name nor a colon in a text. Only otherwise a slower reader looks again.
"""

from __future__ import annotations

import json
from typing import Any

import orjson

from daskml_dist.serve.refusals import Refused


def loads(body: bytes) -> dict[str, Any]:
    """The object that ``body`` holds, no name twice in it.

    Raises
    ------
    Refused
        400 where it is no JSON, no object, or an object has a name twice.
    """
    value = parse(body)
    check_names(value, body)
    return value


def parse(body: bytes) -> dict[str, Any]:
    """The object that ``body`` holds; of equal names the last.

    Raises
    ------
    Refused
        400 where it is no JSON or no object.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused(400, f"the body is no valid JSON: {_place(error)}", "json") from None
    if type(value) is not dict:
        raise Refused(400, "the body must be a JSON object", "json")
    return value


def check_names(value: dict[str, Any], body: bytes) -> None:
    """Refuse a body, parsed to ``value``, where an object has a name twice.

    Raises
    ------
    Refused
        400.
    """
    if body.count(b":") != _names(value):
        _look_again(body)


def _place(error: orjson.JSONDecodeError) -> str:
    """What is wrong and where, without the text itself."""
    return f"{error.msg.partition(':')[0]} at byte {error.pos}"


def _names(value: Any) -> int:
    """Names in all objects of requests' usual depth; those deeper only cost the second look."""
    count = len(value)
    for part in value.values():
        if type(part) is dict:
            count += len(part)
        elif type(part) is list:
            for item in part:
                if type(item) is not dict:
                    break  # numbers and texts
                count += len(item) + sum(len(inner) for inner in item.values() if type(inner) is dict)
    return count


def _look_again(body: bytes) -> None:
    try:
        json.loads(body, object_pairs_hook=_once)
    except RecursionError:
        raise Refused(400, "the body is no valid JSON: nested too deeply", "json") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) != len(pairs):
        raise Refused(400, "an object of the body has the same name twice", "json")
    return names
