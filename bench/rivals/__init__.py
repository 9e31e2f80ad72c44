"""The others, each doing the same operations as its own documentation shows them.

Operations: ``counter.bound`` and ``histogram.bound`` (labels resolved beforehand), ``counter`` and ``histogram`` (labels
with each call), ``span`` (current, five attributes), ``event`` (on a span, five attributes), ``candle`` (three nested spans, three histograms, three counters,
one event; whoever has no spans leaves spans and event out).
"""

from __future__ import annotations

import functools
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from bench.interleaved import Contestant

__all__ = ["RIVALS", "missing", "rivals", "versions"]

RIVALS = {
    "sdk": ("opentelemetry-sdk", "bench.rivals.plain_sdk"),
    "prometheus_client": ("prometheus-client", "bench.rivals.prometheus"),
    "ddtrace": ("ddtrace", "bench.rivals.datadog"),
    "logfire": ("logfire", "bench.rivals.pydantic_logfire"),
}
"""By the names of their columns: what to install, and the module here that uses it."""


def versions() -> dict[str, str]:
    """The installed ones and their versions."""
    found = {}
    for distribution, _ in RIVALS.values():
        try:
            found[distribution] = version(distribution)
        except PackageNotFoundError:
            continue
    return found


def missing() -> list[str]:
    """Those that are not installed."""
    return [distribution for distribution, _ in RIVALS.values() if distribution not in versions()]


@functools.cache
def _operations(module: str) -> Mapping[str, Contestant]:
    operations: Mapping[str, Contestant] = import_module(module).contestants()
    return operations


def rivals(operation: str, only: Collection[str] = tuple(RIVALS)) -> dict[str, Contestant]:
    """Who does `operation`, by name, of `only` these; each is imported the first time it is asked for."""
    installed = versions()
    found = {
        name: _operations(module)
        for name, (distribution, module) in RIVALS.items()
        if distribution in installed and name in only
    }
    return {name: operations[operation] for name, operations in found.items() if operation in operations}
