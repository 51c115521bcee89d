"""Conversations are held with one thread of BLAS, as a fit holds them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from daskml_dist.cluster import single_threaded_blas


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    with single_threaded_blas():
        yield
