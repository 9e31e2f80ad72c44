"""The `prometheus` exporter: upstream's reader with its translation to Prometheus replaced.

Upstream shares one queue between concurrent scrapes, fails the whole scrape on one exponential histogram, mislabels
series of two scopes with different attributes, repeats families whose descriptions differ, drops exemplars, keeps the
first resource for ever and raises when it is shut down twice.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MetricsTimeoutError
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from ticktrace.exporters._families import Translator
from ticktrace.exporters.exposition import Exposition

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from opentelemetry.sdk.metrics.export import MetricsData
    from prometheus_client.core import Metric as Family

__all__ = ["PrometheusReader"]

_SCRAPE_SECONDS = 10.0  # Prometheus's own default scrape timeout


class PrometheusReader(PrometheusMetricReader):
    """Collects when it is scraped, into a registry of its own, never prometheus_client's global one.

    Args:
        scope_labels: put the instrumentation scope on every series, as labels `otel_scope_*`.
        target_info: expose the resource as `target_info`.

    Attributes:
        registry: a prometheus_client registry with this reader in it, for prometheus_client's own servers.
    """

    def __init__(self, *, scope_labels: bool = False, target_info: bool = True) -> None:
        self.registry: CollectorRegistry = CollectorRegistry()
        super().__init__(registry=self.registry)
        self.registry.unregister(self._collector)
        self._translator = Translator(scope_labels=scope_labels, target_info=target_info)
        self._collected: MetricsData | None = None
        self._scrape_lock = threading.Lock()
        self._ended = False
        self.registry.register(_Scrapable(self))

    def exposition(self, accept: str | None = None, *, timeout: float = _SCRAPE_SECONDS) -> Exposition:
        """Render all metrics as they are now.

        Scrapes are answered one after the other, so that each sees one consistent collection.

        Args:
            accept: the scrape's Accept header; OpenMetrics, which alone carries exemplars, or the text format.
            timeout: seconds for waiting on other scrapes and for collecting.

        Returns:
            The document; without metrics after shutdown.

        Raises:
            TimeoutError: other scrapes and collecting took longer than `timeout`.
        """
        try:
            encode, content_type = choose_encoder(accept or "")
        except (TypeError, ValueError):  # a version that is no number
            encode, content_type = choose_encoder("")
        with self._turn(timeout) as remaining:
            # Rendering is part of the turn: two at once would only share the interpreter.
            return Exposition(encode(_Families(self._families(remaining))), content_type)

    def families(self, timeout: float = _SCRAPE_SECONDS) -> list[Family]:
        """Return all metrics as they are now, as prometheus_client's families; raises as `exposition`."""
        with self._turn(timeout) as remaining:
            return self._families(remaining)

    @contextmanager
    def _turn(self, timeout: float) -> Iterator[float]:
        """Wait for other scrapes; gives the seconds left."""
        started = time.monotonic()
        if not self._scrape_lock.acquire(timeout=timeout):
            raise TimeoutError(f"other scrapes took longer than {timeout:g} s")
        try:
            yield max(0.0, timeout - (time.monotonic() - started))
        finally:
            self._scrape_lock.release()

    def _families(self, timeout: float) -> list[Family]:
        if self._ended or self._collect is None:
            return []
        self._collected = None
        try:
            self.collect(timeout_millis=timeout * 1e3)
        except MetricsTimeoutError as error:
            raise TimeoutError(f"collecting metrics took longer than {timeout:g} s") from error
        collected, self._collected = self._collected, None
        return [] if collected is None else self._translator.translate(collected)

    def _receive_metrics(self, metrics_data: MetricsData, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002  the SDK's signature
        self._collected = metrics_data

    def force_flush(self, timeout_millis: float = 10_000) -> bool:  # noqa: ARG002  the SDK's signature
        """Return True: nothing is under way, and a collection now would take the next scrape's exemplars."""
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:  # noqa: ARG002  the SDK's signature
        """Answer scrapes without metrics from now on; may be called again."""
        self._ended = True


class _Families:
    """Families that were collected already, as the collector that prometheus_client renders."""

    def __init__(self, families: list[Family]) -> None:
        self._families = families

    def collect(self) -> Iterable[Family]:
        return self._families


class _Scrapable:
    """The reader as a collector in its registry; a class of its own, because `collect` is taken in a MetricReader."""

    def __init__(self, reader: PrometheusReader) -> None:
        self._reader = reader

    def collect(self) -> Iterable[Family]:
        return self._reader.families()
