"""Propagation between processes: W3C headers in mappings, and in the lists of pairs of ASGI and Kafka."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, Literal

from opentelemetry.context import Context
from opentelemetry.propagate import get_global_textmap
from opentelemetry.propagators.textmap import Getter, Setter, TextMapPropagator

from ticktrace.engine import report

__all__ = ["HeaderStyle", "Headers", "extract", "inject"]

HeaderStyle = Literal["asgi", "kafka", "text"]
"""How a list of headers spells a pair: (bytes, bytes), (str, bytes) or (str, str)."""

Headers = Mapping[Any, Any] | Iterable[tuple[Any, Any]]
"""Headers as found in the wild: names and values are text or bytes; a mapping's value may be a list."""


class _Text(Getter[Mapping[str, list[str]]]):
    def get(self, carrier: Mapping[str, list[str]], key: str) -> list[str] | None:
        return carrier.get(key.lower())

    def keys(self, carrier: Mapping[str, list[str]]) -> list[str]:
        return list(carrier)


class _Write(Setter[dict[str, str]]):
    def set(self, carrier: dict[str, str], key: str, value: str) -> None:
        carrier[key] = value


_TEXT = _Text()
_WRITE = _Write()


def inject(
    headers: MutableMapping[str, Any] | list[tuple[Any, Any]],
    context: Context | None = None,
    *,
    style: HeaderStyle | None = None,
    propagator: TextMapPropagator | None = None,
) -> None:
    """Write `traceparent`, `tracestate` and `baggage` into `headers`, in place of those already there.

    Args:
        headers: a mapping, or a list of pairs as ASGI, aiokafka, kafka-python and confluent-kafka use.
        context: the context to write; the current one by default.
        style: how to spell pairs in a list; by default as its first pair does, or `"kafka"` when empty.
        propagator: what writes; by default the configured one (`OTEL_PROPAGATORS`).
    """
    try:
        written: dict[str, str] = {}
        (propagator or get_global_textmap()).inject(written, context, setter=_WRITE)
        names = {name.lower() for name in written}
        if isinstance(headers, MutableMapping):
            for name in [name for name in headers if _text(name).lower() in names]:
                del headers[name]
            headers.update(written)
            return
        chosen = style or _style_of(headers)
        headers[:] = [pair for pair in headers if _text(pair[0]).lower() not in names]
        headers.extend(_spell(name, value, chosen) for name, value in written.items())
    except Exception as error:  # noqa: BLE001 - a carrier or a propagator may raise anything
        report("injecting headers", error)


def extract(
    headers: Headers | None,
    context: Context | None = None,
    *,
    propagator: TextMapPropagator | None = None,
) -> Context:
    """The context that `headers` bring, to be used with `attached(extract(headers))`.

    Names are matched without regard to case. Headers that are absent or malformed bring nothing.

    Args:
        headers: a mapping or pairs, of text or bytes.
        context: what to add to; the root context by default, so that nothing of the caller's leaks in.
        propagator: what reads; by default the configured one (`OTEL_PROPAGATORS`).
    """
    base = Context() if context is None else context
    if headers is None:
        return base
    try:
        return (propagator or get_global_textmap()).extract(_normalised(headers), base, getter=_TEXT)
    except Exception as error:  # noqa: BLE001 - a carrier or a propagator may raise anything
        report("extracting headers", error)
        return base


def _normalised(headers: Headers) -> dict[str, list[str]]:
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        if not isinstance(name, (str, bytes)) or value is None:
            continue
        values = value if isinstance(value, (list, tuple)) else [value]
        found.setdefault(_text(name).lower(), []).extend(_text(each) for each in values)
    return found


def _text(value: Any) -> str:
    # latin-1 is what HTTP headers are decoded with, and it never fails.
    return bytes(value).decode("latin-1") if isinstance(value, (bytes, bytearray, memoryview)) else str(value)


def _style_of(headers: list[tuple[Any, Any]]) -> HeaderStyle:
    if not headers:
        return "kafka"
    name, value = headers[0][0], headers[0][1]
    if isinstance(name, bytes):
        return "asgi"
    return "text" if isinstance(value, str) else "kafka"


def _spell(name: str, value: str, style: HeaderStyle) -> tuple[str | bytes, str | bytes]:
    if style == "text":
        return name, value
    return (name.encode("latin-1") if style == "asgi" else name), value.encode("latin-1")
