"""What a Prometheus scrape is answered with, and who can answer one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = ["Exposition", "ScrapeSource"]


@dataclass(frozen=True, slots=True)
class Exposition:
    """A rendered scrape.

    Attributes:
        body: the document, UTF-8.
        content_type: value of the Content-Type header, as negotiated.
    """

    body: bytes
    content_type: str


class ScrapeSource(Protocol):
    """Anything that can be scraped."""

    def exposition(self, accept: str | None) -> Exposition:
        """Render all metrics in the format that the Accept header `accept` asks for."""
        ...
