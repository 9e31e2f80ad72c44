"""What is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Alert", "Kind", "Message"]

Kind = Literal["failure", "warning", "success"]


@dataclass(frozen=True, slots=True)
class Alert:
    """Something is wrong, for as long as it is.

    Attributes:
        key: what it is about, so that it is told once: ``slo_violated/candles``.
        condition: which kind of trouble, as ``notifications.on`` has it.
        title: in a few words.
        text: in a sentence or two.
        severity: how bad it is.
    """

    key: str
    condition: str
    title: str
    text: str
    severity: Literal["warning", "critical"] = "warning"


@dataclass(frozen=True, slots=True)
class Message:
    """One message.

    Attributes:
        title: its first line.
        text: the rest.
        kind: what apprise makes its colour and its icon of.
    """

    title: str
    text: str
    kind: Kind
