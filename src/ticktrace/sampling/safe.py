"""A barrier around a sampler that is not ours: the SDK lets a sampler's exceptions into the application."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace.sampling import DEFAULT_ON, Sampler, SamplingResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.context import Context
    from opentelemetry.trace import Link, SpanKind, TraceState
    from opentelemetry.util.types import Attributes

__all__ = ["SafeSampler"]

_logger = logging.getLogger("ticktrace.sampling")


class SafeSampler(Sampler):
    """Asks `sampler`, and `fallback` when that raises or answers with something that is no SamplingResult.

    The first failure is logged with its stack, further ones are counted.

    Args:
        sampler: a sampler that may fail.
        fallback: one that does not; by default OTel's own default, parentbased_always_on.
    """

    def __init__(self, sampler: Sampler, fallback: Sampler = DEFAULT_ON) -> None:
        self._sampler = sampler
        self._fallback = fallback
        self._failures = 0

    @property
    def sampler(self) -> Sampler:
        """The sampler behind the barrier."""
        return self._sampler

    @property
    def failures(self) -> int:
        """How many decisions the fallback had to make."""
        return self._failures

    def should_sample(  # noqa: PLR0917 - OTel's signature
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """The sampler's decision, or the fallback's; never raises."""
        try:
            result: object = self._sampler.should_sample(
                parent_context, trace_id, name, kind, attributes, links, trace_state
            )
            if isinstance(result, SamplingResult):
                return result
            self._report(TypeError(f"{result!r} is not a SamplingResult"))
        except Exception as error:  # noqa: BLE001 - a foreign sampler may raise anything
            self._report(error)
        return self._fallback.should_sample(
            parent_context, trace_id, name, kind, attributes, links, trace_state
        )

    def get_description(self) -> str:
        """The sampler's description, marked as guarded."""
        try:
            return f"SafeSampler{{{self._sampler.get_description()}}}"
        except Exception:  # noqa: BLE001 - a foreign sampler may raise anything
            return f"SafeSampler{{{type(self._sampler).__name__}}}"

    def _report(self, error: Exception) -> None:
        self._failures += 1
        if self._failures == 1:
            _logger.warning(
                "sampler %s failed; %s decides instead, further failures are only counted",
                type(self._sampler).__qualname__,
                self._fallback.get_description(),
                exc_info=error,
            )
