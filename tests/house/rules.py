"""The house rules as pure functions: source text in, a list of complaints out (empty: the rule holds).

A complaint begins with the line it is about. ``test_rules.py`` feeds each of them a violation;
``test_house.py`` feeds them the source tree.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import lru_cache

MAX_FILE = 400
MAX_FUNCTION = 40

HANDS = frozenset({"compute", "persist", "submit", "gather", "result"})
"""What makes a collection or a future do something; only the hands of the house may."""

IMPURE = frozenset({"dask", "distributed", "bokeh", "sklearn", "xarray", "pandas"})
"""What a pure room does not import."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@lru_cache(maxsize=1)  # one rule after the other asks about the same source
def _parsed(source: str) -> ast.Module:
    return ast.parse(source)


def file_too_long(source: str) -> list[str]:
    """A file has at most 400 lines."""
    lines = len(source.splitlines())
    return [f"{lines}: {lines} lines, at most {MAX_FILE}"] if lines > MAX_FILE else []


def function_too_long(source: str) -> list[str]:
    """A function has at most 40 lines; decorators, docstring and parameters of `__init__` are not counted."""
    return [
        f"{node.lineno}: {node.name} has {length} lines, at most {MAX_FUNCTION}"
        for node in _functions(_parsed(source))
        if (length := _code_lines(node)) > MAX_FUNCTION
    ]


def touches_dask(source: str) -> list[str]:
    """No call of compute, persist, submit, gather or result, and no import of such a name."""
    complaints = []
    for node in ast.walk(_parsed(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in HANDS:
            complaints.append(f"{node.lineno}: calls .{node.func.attr}(), which only cluster/ may")
        if isinstance(node, ast.ImportFrom) and node.module and _top(node.module) in {"dask", "distributed"}:
            complaints += [
                f"{node.lineno}: imports {alias.name}, which only cluster/ may"
                for alias in node.names
                if alias.name in HANDS
            ]
    return complaints


def impure_import(source: str) -> list[str]:
    """A pure room imports none of dask, distributed, bokeh, sklearn, xarray, pandas."""
    return [
        f"{line}: imports {module} in a pure room"
        for line, module in _imports(_parsed(source))
        if _top(module) in IMPURE
    ]


def asks_hasattr(source: str) -> list[str]:
    """Types say what a thing is; nobody asks it with hasattr."""
    if "hasattr" not in source:
        return []
    return [
        f"{node.lineno}: hasattr()"
        for node in ast.walk(_parsed(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "hasattr"
    ]


def swallows_keywords(source: str) -> list[str]:
    """No public signature takes **kwargs, unless to pass all of them on: what is not supported raises."""
    return [
        f"{node.lineno}: {node.name} takes **{node.args.kwarg.arg}"
        for node in _functions(_parsed(source))
        if node.args.kwarg is not None
        and (_is_public(node.name) or _is_dunder(node.name))
        and not _passes_on(node, node.args.kwarg.arg)
    ]


def _passes_on(function: ast.AST, name: str) -> bool:
    """Whether ``**name`` is given to what the function calls, and ``name`` is used for nothing else."""
    given = [
        keyword.value
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg is None and isinstance(keyword.value, ast.Name) and keyword.value.id == name
    ]
    used = [node for node in ast.walk(function) if isinstance(node, ast.Name) and node.id == name]
    return bool(given) and len(used) == len(given)


def bare_todo(source: str) -> list[str]:
    """A comment that promises work carries the number of an issue: TODO(#12)."""
    promise = re.compile(r"\b(TODO|FIXME|XXX)\b(?!\(#\d+\))")
    if not promise.search(source):  # to find the comments of a file takes long
        return []
    return [
        f"{token.start[0]}: {found.group()} without the number of an issue"
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT and (found := promise.search(token.string))
    ]


def missing_docstring(source: str) -> list[str]:
    """Modules, and public classes, functions and methods have a docstring.

    A method of a class with bases may inherit the contract of the base, a property setter has the
    docstring of its getter, and private classes and what is within functions is private.
    """
    tree = _parsed(source)
    complaints = [] if ast.get_docstring(tree) else ["1: the module has no docstring"]
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and _is_public(node.name):
            complaints += _undocumented([node])
            if not [base for base in node.bases if ast.unparse(base) not in {"ABC", "Protocol", "object"}]:
                complaints += _undocumented(node.body)
        elif isinstance(node, Function):
            complaints += _undocumented([node])
    return complaints


def facade_unsorted(source: str) -> list[str]:
    """A room's __init__ has an __all__, and it is sorted and without repetition."""
    for node in _parsed(source).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names = ast.literal_eval(node.value)
            return [] if names == sorted(set(names)) else [f"{node.lineno}: __all__ is not sorted"]
    return ["1: no __all__"]


def _undocumented(nodes: list[ast.stmt]) -> list[str]:
    return [
        f"{node.lineno}: {node.name} has no docstring"
        for node in nodes
        if isinstance(node, Function | ast.ClassDef)
        and _is_public(node.name)
        and not ast.get_docstring(node)
        and not any(ast.unparse(d).endswith((".setter", "overload")) for d in node.decorator_list)
    ]


def _functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def _code_lines(node: Function) -> int:
    assert node.end_lineno is not None
    lines = node.end_lineno - node.lineno + 1
    if node.name == "__init__":  # scikit-learn wants each parameter of an estimator by name, a line each
        lines -= node.body[0].lineno - node.lineno
    if ast.get_docstring(node) is not None:
        docstring = node.body[0]
        assert docstring.end_lineno is not None
        lines -= docstring.end_lineno - docstring.lineno + 1
    return lines


def _imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.lineno, node.module


def _top(module: str) -> str:
    return module.partition(".")[0]


def _is_public(name: str) -> bool:
    return not name.startswith("_")


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")
