"""The `otlp` exporter: upstream's exporters, built for a target.

Everything is passed to the upstream exporters explicitly, because they would read the environment on their own while
the settings may come from arguments or a file. The packages are imported by the factories only: they are optional.
"""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ticktrace.errors import MissingExtraError
from ticktrace.exporters._explained import (
    ExplainedLogExporter,
    ExplainedMetricExporter,
    ExplainedSpanExporter,
    Explanation,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.metrics.export import AggregationTemporality

    from ticktrace.exporters.otlp_target import OtlpTarget, Protocol

__all__ = [
    "otlp_log_exporter",
    "otlp_metric_exporter",
    "otlp_span_exporter",
    "temporality",
]

# The parent of the loggers of all three exporters of a protocol is not enough: filters do not descend.
_LOGGERS: dict[Protocol, tuple[str, ...]] = {
    "grpc": ("opentelemetry.exporter.otlp.proto.grpc.exporter",),
    "http/protobuf": (
        "opentelemetry.exporter.otlp.proto.http.trace_exporter",
        "opentelemetry.exporter.otlp.proto.http.metric_exporter",
        "opentelemetry.exporter.otlp.proto.http._log_exporter",
    ),
}
# Standard variables without a setting of ours, which upstream may go on reading.
_NOT_A_SETTING = frozenset({"OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"})


def otlp_span_exporter(target: OtlpTarget) -> ExplainedSpanExporter:
    """Build the upstream span exporter for `target`.

    Raises:
        MissingExtraError: the OTLP packages are not installed.
    """
    with _explicit_only(), _extra(target):
        if target.protocol == "grpc":
            from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (  # noqa: PLC0415  optional
                OTLPSpanExporter,
            )

            return ExplainedSpanExporter(OTLPSpanExporter(**_grpc_arguments(target)), _explanation(target))
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415  optional
            OTLPSpanExporter as HttpSpanExporter,
        )

        return ExplainedSpanExporter(HttpSpanExporter(**_http_arguments(target)), _explanation(target))


def otlp_log_exporter(target: OtlpTarget) -> ExplainedLogExporter:
    """Build the upstream log record exporter for `target`; raises as `otlp_span_exporter`."""
    with _explicit_only(), _extra(target):
        if target.protocol == "grpc":
            from opentelemetry.exporter.otlp.proto.grpc._log_exporter import (  # noqa: PLC0415  optional
                OTLPLogExporter,
            )

            return ExplainedLogExporter(OTLPLogExporter(**_grpc_arguments(target)), _explanation(target))
        from opentelemetry.exporter.otlp.proto.http._log_exporter import (  # noqa: PLC0415  optional
            OTLPLogExporter as HttpLogExporter,
        )

        return ExplainedLogExporter(HttpLogExporter(**_http_arguments(target)), _explanation(target))


def otlp_metric_exporter(target: OtlpTarget, preference: str) -> ExplainedMetricExporter:
    """Build the upstream metric exporter for `target`; raises as `otlp_span_exporter`.

    Args:
        target: where to.
        preference: cumulative, delta or lowmemory, as OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE.
    """
    wanted = temporality(preference)
    with _explicit_only(), _extra(target):
        if target.protocol == "grpc":
            from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import (  # noqa: PLC0415  optional
                OTLPMetricExporter,
            )

            grpc_exporter = OTLPMetricExporter(**_grpc_arguments(target), preferred_temporality=wanted)
            return ExplainedMetricExporter(grpc_exporter, _explanation(target))
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import (  # noqa: PLC0415  optional
            OTLPMetricExporter as HttpMetricExporter,
        )

        http_exporter = HttpMetricExporter(**_http_arguments(target), preferred_temporality=wanted)
        return ExplainedMetricExporter(http_exporter, _explanation(target))


def temporality(preference: str) -> dict[type, AggregationTemporality]:
    """Return the temporality of each kind of instrument for a preference, complete, as specified for OTLP.

    Args:
        preference: cumulative, delta or lowmemory.
    """
    from opentelemetry.sdk.metrics import (  # noqa: PLC0415  keeps this module's import light
        Counter,
        Histogram,
        ObservableCounter,
        ObservableGauge,
        ObservableUpDownCounter,
        UpDownCounter,
    )
    from opentelemetry.sdk.metrics.export import AggregationTemporality  # noqa: PLC0415

    kinds = (Counter, UpDownCounter, Histogram, ObservableCounter, ObservableUpDownCounter, ObservableGauge)
    deltas: dict[str, tuple[type, ...]] = {
        "cumulative": (),
        "delta": (Counter, ObservableCounter, Histogram),
        "lowmemory": (Counter, Histogram),
    }
    delta = deltas[preference]
    return {
        kind: AggregationTemporality.DELTA if kind in delta else AggregationTemporality.CUMULATIVE
        for kind in kinds
    }


def _grpc_arguments(target: OtlpTarget) -> dict[str, Any]:
    import grpc  # type: ignore[import-untyped]  # noqa: PLC0415  optional

    compressions = {
        None: grpc.Compression.NoCompression,
        "gzip": grpc.Compression.Gzip,
        "deflate": grpc.Compression.Deflate,
    }
    credentials = None  # upstream then takes the system's authorities, or a registered credential provider
    if not target.insecure and (target.certificate or target.client_certificate):
        chain = target.client_certificate
        key = target.client_key or chain  # one file may hold both
        credentials = grpc.ssl_channel_credentials(
            root_certificates=target.certificate.read_bytes() if target.certificate else None,
            private_key=key.read_bytes() if key else None,
            certificate_chain=chain.read_bytes() if chain else None,
        )
    return {
        "endpoint": target.endpoint,
        "insecure": target.insecure,
        "credentials": credentials,
        "headers": target.headers,
        "timeout": target.timeout,
        "compression": compressions[target.compression],
    }


def _http_arguments(target: OtlpTarget) -> dict[str, Any]:
    from opentelemetry.exporter.otlp.proto.http import Compression  # noqa: PLC0415  optional

    return {
        "endpoint": target.endpoint,
        "certificate_file": str(target.certificate) if target.certificate else None,
        "client_key_file": str(target.client_key) if target.client_key else None,
        "client_certificate_file": str(target.client_certificate) if target.client_certificate else None,
        "headers": dict(target.headers),
        "timeout": target.timeout,
        "compression": Compression(target.compression or "none"),
    }


def _explanation(target: OtlpTarget) -> Explanation:
    return Explanation([logging.getLogger(name) for name in _LOGGERS[target.protocol]], target.secrets)


@contextmanager
def _extra(target: OtlpTarget) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise MissingExtraError(f"the otlp exporter over {target.protocol}", "otlp") from error


@contextmanager
def _explicit_only() -> Iterator[None]:
    """Hide from the upstream exporters, while they are built, what they would read past the settings.

    They would, for example, add the environment's headers to those of an argument. GRPC_VERBOSITY, which gRPC's C core
    reads once when it is imported, keeps it from writing to stderr on its own; a user's value of it stands. Afterwards
    the process's environment is as it was.
    """
    hidden = {
        name: os.environ.pop(name)
        for name in list(os.environ)
        if name.startswith("OTEL_EXPORTER_OTLP_") and name not in _NOT_A_SETTING
    }
    quieted = "GRPC_VERBOSITY" not in os.environ
    if quieted:
        os.environ["GRPC_VERBOSITY"] = "NONE"
    try:
        yield
    finally:
        os.environ.update(hidden)
        if quieted:
            os.environ.pop("GRPC_VERBOSITY", None)
