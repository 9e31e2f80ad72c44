"""Providers of the deferred engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from support.deferred import Deferred

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def make() -> Callable[..., Deferred]:
    """Make a provider: ``make({buffer options}, sampler=…)``."""

    def build(buffer: dict[str, Any] | None = None, **provider: Any) -> Deferred:
        return Deferred(buffer or {}, provider)

    return build


@pytest.fixture
def deferred(make: Callable[..., Deferred]) -> Deferred:
    """A provider with the defaults."""
    return make()
