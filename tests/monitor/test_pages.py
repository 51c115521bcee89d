"""Pages that packages announce: called once for each scheduler, and never in the way."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from daskml_dist.monitor import PAGES, ListenerFailed, open_pages, pages

opened: list[Any] = []


class Asked:
    """A client of one scheduler after another."""

    def __init__(self) -> None:
        self.scheduler = "first"


def good(client: Any) -> None:
    """What a page does."""
    opened.append(client)


def cannot_import(client: Any) -> None:
    """What Dask raises where the scheduler lacks the package."""
    raise ModuleNotFoundError("No module named 'daskml_dist'")


def unreachable(client: Any) -> None:
    """The scheduler went away meanwhile."""
    raise OSError("closed")


@pytest.fixture
def announce(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Pretend that packages announce these."""
    opened.clear()

    def announced(*names: str) -> None:
        points = tuple(EntryPoint(name, f"{__name__}:{name}", PAGES) for name in names)
        monkeypatch.setattr(pages, "_announced", lambda: points)

    return announced


def test_once_for_each_scheduler(announce: Callable[..., None]) -> None:
    announce("good")
    client = Asked()
    open_pages(client, client.scheduler)
    open_pages(client, client.scheduler)
    assert opened == [client]
    client.scheduler = "started anew"
    open_pages(client, client.scheduler)
    assert opened == [client, client]


def test_one_that_fails_gives_one_warning_and_the_others_are_opened(announce: Callable[..., None]) -> None:
    announce("cannot_import", "no_such_function", "good")
    client = Asked()
    with pytest.warns(ListenerFailed) as caught:
        open_pages(client, client.scheduler)
    assert len(caught) == 2 and "the training goes on without it" in str(caught[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_pages(client, client.scheduler)
    assert opened == [client]


def test_a_scheduler_that_does_not_answer_is_asked_again_at_the_next_fit(
    announce: Callable[..., None],
) -> None:
    announce("unreachable", "good")
    client = Asked()
    open_pages(client, client.scheduler)
    announce("good")
    open_pages(client, client.scheduler)
    assert opened == [client]
