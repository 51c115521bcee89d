"""Each rule is fed a violation and a clean text: a checker that cannot complain checks nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.house import rules

LONG = "def f():\n" + "    x = 1\n" * 40
DOCUMENTED = 'def f():\n    """' + "word\n" * 60 + '    """\n' + "    x = 1\n" * 38
MANY_PARAMETERS = (
    "def __init__(\n    self,\n" + "".join(f"    p{i},\n" for i in range(60)) + "):\n    self.p = p1\n"
)

CASES: list[tuple[Callable[[str], list[str]], list[str], list[str]]] = [
    (rules.file_too_long, ["x = 1\n" * 401], ["x = 1\n" * 400]),
    (
        rules.function_too_long,
        [LONG, f"async {LONG}"],
        [DOCUMENTED, MANY_PARAMETERS],
    ),
    (
        rules.touches_dask,
        [
            "y = x.sum().compute()",
            "import dask\ndask.persist(x)",
            "def f(client):\n    return client.submit(g).result()",
            "from dask import compute",
            "from distributed.client import gather as g",
        ],
        ["def compute(x): return x\ncompute(1)", "from dask import delayed", "job.result"],
    ),
    (
        rules.impure_import,
        [
            "import dask",
            "import dask.array as da",
            "from sklearn.base import BaseEstimator",
            "def f():\n    import pandas",
            "if TYPE_CHECKING:\n    from xarray import DataArray",
        ],
        ["import numpy as np", "from daskml_dist.types import Chunk", "from . import dask"],
    ),
    (rules.asks_hasattr, ["if hasattr(x, 'dask'): pass"], ["isinstance(x, int)", "'hasattr(x)'"]),
    (
        rules.swallows_keywords,
        [
            "def fit(self, **kwargs): pass",
            "class A:\n    def __init__(self, **rest): pass",
            "def f(**rest):\n    rest.pop('x', None)\n    g(**rest)",
        ],
        [
            "def _fit(**kwargs): pass",
            "f(**options)",
            "def fit(self, *, tol=1): pass",
            "def f(**rest): g(**rest)",
        ],
    ),
    (rules.bare_todo, ["# TODO: later", "x = 1  # FIXME"], ["# TODO(#12): later", "x = 'TODO'", "# fixed"]),
    (
        rules.missing_docstring,
        [
            "x = 1",
            '"""Doc."""\ndef f(): pass',
            '"""Doc."""\nclass A: pass',
            '"""Doc."""\nclass A:\n    """Doc."""\n    def f(self): pass',
            '"""Doc."""\nclass A(ABC):\n    """Doc."""\n    def f(self): pass',
        ],
        [
            '"""Doc."""\ndef _f(): pass',
            '"""Doc."""\nclass A(Loss):\n    """Doc."""\n    def value(self): pass',
            '"""Doc."""\nclass _A:\n    def f(self): pass',
            '"""Doc."""\ndef f():\n    """Doc."""\n    def g(): pass',
        ],
    ),
    (
        rules.facade_unsorted,
        ["__all__ = ['b', 'a']", "__all__ = ['a', 'a']", "from x import a"],
        ["__all__ = ['A', 'b']", "__all__ = []"],
    ),
]


def _texts(which: int) -> list[object]:
    return [
        pytest.param(case[0], text, id=f"{case[0].__name__}-{i}")
        for case in CASES
        for i, text in enumerate(case[which])
    ]


@pytest.mark.parametrize(("rule", "source"), _texts(1))
def test_a_violation_is_seen(rule: Callable[[str], list[str]], source: str) -> None:
    complaints = rule(source)
    assert complaints
    assert complaints[0].partition(":")[0].isdigit()


@pytest.mark.parametrize(("rule", "source"), _texts(2))
def test_a_clean_text_passes(rule: Callable[[str], list[str]], source: str) -> None:
    assert rule(source) == []


def test_every_rule_is_fed() -> None:
    public = {
        rule
        for name, rule in vars(rules).items()
        if callable(rule) and not name.startswith("_") and getattr(rule, "__module__", "") == rules.__name__
    }
    assert public == {case[0] for case in CASES}
