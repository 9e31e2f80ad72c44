"""Which exporters there are: the built-in ones, and what other packages register under OTel's entry points."""

from __future__ import annotations

from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from ticktrace.errors import SettingsError, UnknownExporterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ticktrace.exporters._named import Signal

__all__ = ["BUILT_IN", "construct_third_party", "entry_point", "known_exporters", "unknown_exporter"]

_ANY = ("console", "memory", "none", "otlp", "otlp_json_file", "otlp_proto_grpc", "otlp_proto_http")
BUILT_IN: dict[Signal, frozenset[str]] = {
    "traces": frozenset(_ANY),
    "metrics": frozenset((*_ANY, "prometheus")),
    "logs": frozenset(_ANY),
}


def known_exporters(signal: Signal) -> list[str]:
    """Return the names that `exporters.{signal}` may hold, sorted; nothing is imported.

    Args:
        signal: traces, metrics or logs.
    """
    return sorted(BUILT_IN[signal] | {point.name for point in entry_points(group=_group(signal))})


def entry_point(signal: Signal, name: str) -> EntryPoint | None:
    """Return the entry point of a third-party exporter; the first one when several packages have the name."""
    return next(iter(entry_points(group=_group(signal), name=name)), None)


def unknown_exporter(signal: Signal, place: int, name: str) -> UnknownExporterError:
    """Return the error for a name that nobody registers, with its place, a suggestion and what is known."""
    known = known_exporters(signal)
    elsewhere = [other for other, names in BUILT_IN.items() if name in names]
    close = get_close_matches(name.lower(), known, n=1)
    if elsewhere:
        hint = f" for {signal} ({name} carries {' and '.join(elsewhere)} only)"
    else:
        hint = f'; did you mean "{close[0]}"?' if close else ""
    return UnknownExporterError(
        f'exporters.{signal}[{place}]: unknown exporter "{name}"{hint}; known: {", ".join(known)}'
    )


def construct_third_party(signal: Signal, place: int, point: EntryPoint, kinds: Sequence[type]) -> Any:
    """Load what an entry point names and call it without arguments, as the SDK does.

    Args:
        signal: what it exports.
        place: its index in the setting, for the message.
        point: the entry point.
        kinds: the result must be an instance of one of these.

    Raises:
        SettingsError: it cannot be loaded or constructed, or is something else.
    """
    package = point.dist.name if point.dist is not None else "an unknown package"
    where = f'exporters.{signal}[{place}]: exporter "{point.name}" ({point.value}, from {package})'
    try:
        factory = point.load()
    except Exception as error:
        raise SettingsError([f"{where} cannot be loaded: {_said(error)}"]) from error
    try:
        exporter = factory()
    except Exception as error:
        raise SettingsError([f"{where} cannot be constructed: {_said(error)}"]) from error
    if not isinstance(exporter, tuple(kinds)):
        wanted = " or ".join(kind.__name__ for kind in kinds)
        raise SettingsError([f"{where} is a {type(exporter).__name__}, not a {wanted}"])
    return exporter


def _group(signal: Signal) -> str:
    return f"opentelemetry_{signal}_exporter"


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
