"""Nothing in the whole package unpickles, or runs text as code."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import daskml_dist

PACKAGE = Path(daskml_dist.__file__).parent
MODULES = {"pickle", "cPickle", "_pickle", "joblib", "cloudpickle", "dill", "marshal", "shelve", "skops"}
CALLS = {"eval", "exec", "compile", "__import__"}
ATTRIBUTES = {"read_pickle", "to_pickle"}


def unsafe(source: str) -> list[str]:
    """Imports of what unpickles, calls of what runs text, and arrays read or written with objects."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import():
                found += [(node.lineno, a.name) for a in node.names if a.name.partition(".")[0] in MODULES]
            case ast.ImportFrom(module=str(module)):
                names = {module, *(f"{module}.{alias.name}" for alias in node.names)}
                found += [(node.lineno, name) for name in names if set(name.split(".")) & MODULES]
            case ast.Call(func=ast.Name(id=name)) if name in CALLS:
                found.append((node.lineno, name))
            case ast.Call(func=ast.Attribute(attr=name)) if name in ATTRIBUTES:
                found.append((node.lineno, name))
            case ast.keyword(arg="allow_pickle", value=value):
                if not (isinstance(value, ast.Constant) and value.value is False):
                    found.append((value.lineno, "allow_pickle"))
    return [f"{line}: {name}" for line, name in found]


def test_nothing_in_the_package_unpickles() -> None:
    complaints = [
        f"{path.relative_to(PACKAGE)}:{complaint}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for complaint in unsafe(path.read_text(encoding="utf-8"))
    ]
    assert complaints == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "def f():\n    from joblib import load",
        "import distributed.protocol.pickle as p\nfrom distributed.protocol import pickle",
        "from cloudpickle import loads",
        "eval('1')",
        "exec(text)",
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=trusted)",
        "pd.read_pickle(path)",
    ],
)
def test_the_search_finds(source: str) -> None:
    assert unsafe(source)


def test_the_search_is_content_with() -> None:
    assert unsafe("import json\nnp.load(path, allow_pickle=False)\nre.compile('x')\n'pickle'") == []


def test_tokens_and_limits_need_the_standard_library_alone() -> None:
    """A gateway starts in a tenth of a second; only certificates need cryptography, only oidc PyJWT."""
    program = (
        "import sys\n"
        "from daskml_dist.security import AuditLog, Forbidden, Limits, Masking, Rates, Tokens, Unauthorized\n"
        "heavy = {'numpy', 'dask', 'distributed', 'cryptography', 'jwt', 'pandas', 'sklearn', 'xarray'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert answer.stdout.strip() == "[]", answer.stderr
