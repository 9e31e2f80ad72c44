"""An exporter or reader together with what messages call it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

__all__ = ["Named", "Signal"]

T = TypeVar("T")

Signal = Literal["traces", "metrics", "logs"]


@dataclass(frozen=True, slots=True)
class Named(Generic[T]):
    """A built exporter or metric reader.

    Attributes:
        name: the exporter's name in the settings, e.g. "otlp".
        target: the exporter or reader itself.
        destination: where it sends, for messages, free of secrets: "grpc://localhost:4317", "stdout", a path.
    """

    name: str
    target: T
    destination: str
