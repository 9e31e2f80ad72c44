"""How many series a meter provider holds: what the SDK neither bounds nor tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics import MeterProvider

__all__ = ["series_count"]


def series_count(provider: MeterProvider) -> dict[str, int]:
    """The attribute sets of each stream, by its exported name, for the reader that has most.

    Works with the SDK's provider and those made of it. Looks into the SDK's storages, for there is no other way.
    """
    most: dict[str, int] = {}
    for storage in list(provider._measurement_consumer._reader_storages.values()):  # noqa: SLF001
        with storage._lock:  # noqa: SLF001
            matches = [
                match
                for found in storage._instrument_view_instrument_matches.values()  # noqa: SLF001
                for match in found
            ]
        counts: dict[str, int] = {}
        for match in matches:
            name = match._name  # noqa: SLF001
            counts[name] = counts.get(name, 0) + len(match._attributes_aggregation)  # noqa: SLF001
        for name, count in counts.items():
            most[name] = max(most.get(name, 0), count)
    return most
