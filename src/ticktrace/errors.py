"""The exceptions that users of ticktrace can meet: one class per condition.

Wrong settings and wrong use at set-up raise one of these. After set-up nothing of ours raises into the
application.
"""

from __future__ import annotations

__all__ = [
    "AlreadyConfiguredError",
    "CatalogError",
    "LedgerStateError",
    "MissingExtraError",
    "NoEventLoopError",
    "SettingsError",
    "SnapshotError",
    "TicktraceError",
    "UnknownExporterError",
]


class TicktraceError(Exception):
    """Base of every exception that ticktrace raises on purpose."""


class SettingsError(TicktraceError, ValueError):
    """The settings are wrong; the message lists every problem with its place, value and what is allowed.

    Attributes:
        problems: one line a problem, in the order of the settings.
    """

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        count = len(problems)
        head = "1 setting is wrong" if count == 1 else f"{count} settings are wrong"
        super().__init__("\n".join([f"{head}:", *(f"  {problem}" for problem in problems)]))


class AlreadyConfiguredError(TicktraceError, RuntimeError):
    """`setup_telemetry()` was called again with settings that differ from those in force."""


class MissingExtraError(TicktraceError, ImportError):
    """A feature was asked for whose optional dependency is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        self.extra = extra
        super().__init__(f"{feature} needs an optional dependency: pip install 'ticktrace[{extra}]'")


class UnknownExporterError(TicktraceError, ValueError):
    """An exporter name that neither ticktrace nor any installed package registers."""


class NoEventLoopError(TicktraceError, RuntimeError):
    """Something of asyncio's was asked for where no event loop runs."""


class CatalogError(TicktraceError, LookupError):
    """An instrument or attribute that the catalog does not declare."""


class LedgerStateError(TicktraceError, ValueError):
    """The saved books of a ledger cannot be read, or were kept in another way than now."""


class SnapshotError(TicktraceError, ValueError):
    """A file that is no memory snapshot, or one that this version cannot read."""
