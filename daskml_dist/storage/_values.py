"""Python and NumPy values as strict JSON, and exactly back.

What JSON has no word for is an object with a single key that begins with "$": infinities, tuples, dicts
with other keys than strings, NumPy scalars and dtypes. Arrays are handed to a callback.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from daskml_dist.types import AnyArray

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Keep = Callable[[str, AnyArray], Json]
Fetch = Callable[[Json], AnyArray]

_SCALAR_KINDS = "biufcUMm"


def dumps(value: Json, indent: int | None = None) -> bytes:
    """Strict JSON in ASCII; ValueError where a float is not finite."""
    separators = None if indent else (",", ":")
    return json.dumps(value, indent=indent, separators=separators, allow_nan=False).encode("ascii")


def loads(data: bytes) -> Json:
    """Strict JSON; ValueError for NaN and Infinity, which are no JSON."""

    def refuse(word: str) -> None:
        raise ValueError(f"{word} is not JSON")

    value: Json = json.loads(data.decode("utf-8"), parse_constant=refuse)
    return value


def encode(value: object, where: str, keep: Keep | None = None) -> Json:
    """Turn a value into JSON.

    Parameters
    ----------
    value : None, bool, int, float, complex, str, list, tuple, dict, NumPy scalar, dtype or array, nested.
    where : name of the value, for errors.
    keep : stores an array and returns what stands for it; None where arrays are not allowed.

    Raises
    ------
    TypeError
        Where the value has no JSON form; the message names it.
    """
    try:
        return _encode(value, where, keep)
    except RecursionError as error:
        raise TypeError(f"{where} contains itself, or is nested too deeply to be stored") from error


def _encode(value: Any, where: str, keep: Keep | None) -> Json:
    kind = type(value)  # exact: a subclass would come back as its base
    if value is None or kind in (bool, int, str):
        return value  # type: ignore[no-any-return]
    if kind is float:
        return value if math.isfinite(value) else {"$float": repr(value)}
    if kind is complex:
        return {"$complex": [_encode(value.real, where, None), _encode(value.imag, where, None)]}
    if kind in (list, tuple):
        items = [_encode(item, f"{where}[{i}]", keep) for i, item in enumerate(value)]
        return items if kind is list else {"$tuple": items}
    if kind is dict:
        return _encode_dict(value, where, keep)
    if isinstance(value, np.generic):
        return _encode_scalar(value, where)
    if isinstance(value, np.ndarray) and keep is not None:
        return {"$array": keep(where, value)}
    if isinstance(value, np.dtype) and value.kind in _SCALAR_KINDS + "O":
        return {"$dtype": value.str}
    if isinstance(value, type) and issubclass(value, np.generic):
        return {"$type": value.__name__}
    raise unsupported(value, where)


def unsupported(value: object, where: str) -> TypeError:
    """The complaint about a value that cannot be stored."""
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if isinstance(value, np.ndarray):
        kind += f" of dtype {value.dtype}"
    return TypeError(
        f"{where} is a {kind}, which cannot be stored without pickle; give it as None, bool, numbers, text, "
        "lists, tuples, dicts or plain numeric and text arrays"
    )


def _encode_dict(value: dict[Any, Any], where: str, keep: Keep | None) -> Json:
    if all(type(key) is str and not key.startswith("$") for key in value):
        return {key: _encode(item, f"{where}.{key}", keep) for key, item in value.items()}
    pairs: list[Json] = []
    for key, item in value.items():
        name = f"{where}[{key!r}]"
        pairs.append([_encode(key, f"the key {name}", None), _encode(item, name, keep)])
    return {"$dict": pairs}


def _encode_scalar(value: np.generic, where: str) -> Json:
    dtype = value.dtype
    if dtype.kind not in _SCALAR_KINDS or dtype.char in "gG":  # long double differs between machines
        raise unsupported(value, where)
    item = value.view(np.int64).item() if dtype.kind in "Mm" else value.item()
    return {"$scalar": [dtype.str, _encode(item, where, None)]}


def decode(value: Json, fetch: Fetch | None = None) -> Any:
    """Turn JSON back into the value; ValueError where a tag is unknown or malformed."""
    if isinstance(value, list):
        return [decode(item, fetch) for item in value]
    if not isinstance(value, dict):
        return value
    if not any(key.startswith("$") for key in value):
        return {key: decode(item, fetch) for key, item in value.items()}
    if len(value) != 1:
        raise ValueError(f"a tagged value has the keys {sorted(value)}, and should have one")
    tag, content = next(iter(value.items()))
    return _decode_tag(tag, content, fetch)


def _decode_tag(tag: str, content: Any, fetch: Fetch | None) -> Any:
    if tag == "$array" and fetch is not None:
        return fetch(content)
    if tag == "$float" and content in ("inf", "-inf", "nan"):
        return float(content)
    if tag == "$complex":
        real, imaginary = content
        return complex(decode(real), decode(imaginary))
    if tag == "$tuple":
        return tuple(decode(item, fetch) for item in content)
    if tag == "$dict":
        return {decode(key): decode(item, fetch) for key, item in content}
    if tag == "$scalar":
        return _decode_scalar(*content)
    if tag == "$dtype":
        return np.dtype(str(content))
    if tag == "$type":
        return np.dtype(str(content)).type
    raise ValueError(f"unknown tag {tag!r}")


def _decode_scalar(name: str, content: Json) -> Any:
    dtype = np.dtype(str(name))
    if dtype.kind not in _SCALAR_KINDS:
        raise ValueError(f"a scalar of dtype {dtype}")
    item = decode(content)
    if dtype.kind in "Mm":
        return np.array(item, dtype=np.int64).view(dtype)[()]
    return np.array(item, dtype=dtype)[()]
