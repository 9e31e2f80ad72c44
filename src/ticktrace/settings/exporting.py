"""The settings of the ways out: which exporters, and how each is reached."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import model_validator

from .declare import Group, Variable, group, otel_bool, setting
from .values import (
    Bool,
    Duration,
    Endpoint,
    FilePath,
    Host,
    Names,
    Port,
    Secret,
    UrlPath,
    Whole,
    choice,
    wrong,
)

__all__ = [
    "ExportersSettings",
    "JsonFileSettings",
    "MemorySettings",
    "OtlpSettings",
    "OtlpSignalSettings",
    "PrometheusSettings",
]

Protocol = Literal["grpc", "http/protobuf"]
Compression = Literal["gzip", "deflate"]
Serve = Literal["auto", "always", "never"]


class ExportersSettings(Group):
    """Which exporters each signal leaves through; several at once are fine."""

    traces: Names = setting(("none",), "Exporters of spans.", env="OTEL_TRACES_EXPORTER")
    metrics: Names = setting(("prometheus",), "Exporters of metrics.", env="OTEL_METRICS_EXPORTER")
    logs: Names = setting(("none",), "Exporters of log records.", env="OTEL_LOGS_EXPORTER")


class OtlpSignalSettings(Group):
    """How one signal reaches an OTLP receiver; what is not given comes from the group above."""

    protocol: Annotated[Protocol, choice(Protocol)] | None = setting(
        None,
        "Transport. When null: `http/protobuf` if the endpoint's port is 4318, else `grpc`.",
        env="_PROTOCOL",
    )
    endpoint: Endpoint | None = setting(
        None,
        "Where to send. When null: `http://localhost:4317` for grpc, `http://localhost:4318` for http/protobuf.",
        env="_ENDPOINT",
    )
    headers: dict[str, Secret] = setting(
        {}, "Headers sent with every export, for example an API key.", env="_HEADERS"
    )
    timeout: Duration | None = setting(
        None, "Longest time one export may take; in the variable: seconds.", env="_TIMEOUT"
    )
    compression: Annotated[Compression, choice(Compression, aliases={"none": None})] | None = setting(
        None, "How the payload is compressed.", env="_COMPRESSION"
    )
    insecure: Bool | None = setting(
        None,
        "Plain text instead of TLS, for grpc endpoints without a scheme.",
        env=Variable("_INSECURE", otel_bool),
    )
    certificate: FilePath | None = setting(
        None, "File with the certificate authority to trust (PEM).", env="_CERTIFICATE"
    )
    client_key: FilePath | None = setting(
        None, "File with the client's private key (PEM).", env="_CLIENT_KEY"
    )
    client_certificate: FilePath | None = setting(
        None, "File with the client's certificate (PEM).", env="_CLIENT_CERTIFICATE"
    )

    @model_validator(mode="after")
    def _key_has_certificate(self) -> Self:
        if self.client_key is not None and self.client_certificate is None:
            raise wrong("client_key needs client_certificate beside it")
        return self


class OtlpSettings(OtlpSignalSettings):
    """How the OTLP exporters reach their receiver, for all signals and per signal."""

    timeout: Duration = setting(
        10.0, "Longest time one export may take; in the variable: seconds.", env="_TIMEOUT"
    )
    traces: OtlpSignalSettings = group(
        OtlpSignalSettings(), "Only for traces.", prefix="OTEL_EXPORTER_OTLP_TRACES"
    )
    metrics: OtlpSignalSettings = group(
        OtlpSignalSettings(), "Only for metrics.", prefix="OTEL_EXPORTER_OTLP_METRICS"
    )
    logs: OtlpSignalSettings = group(OtlpSignalSettings(), "Only for logs.", prefix="OTEL_EXPORTER_OTLP_LOGS")


class PrometheusSettings(Group):
    """Where Prometheus scrapes."""

    host: Host = setting(
        "localhost", "Address that our own endpoint listens on.", env="OTEL_EXPORTER_PROMETHEUS_HOST"
    )
    port: Port = setting(
        9464, "Port that our own endpoint listens on.", env=("OTEL_EXPORTER_PROMETHEUS_PORT", "METRICS_PORT")
    )
    path: UrlPath = setting("/metrics", "URL path of the metrics.")
    token: Secret | None = setting(
        None, "What a scraper has to say (`Authorization: Bearer …`); of a FastAPI app's metrics page, too."
    )
    public: Bool = setting(
        default=False,
        description="Whether our own endpoint may listen on other addresses than the host's own without a token.",
    )
    serve: Annotated[Serve, choice(Serve)] = setting(
        "auto",
        "Whether to open our own port: `auto` does so only when no instrumented FastAPI app serves the metrics.",
    )


class JsonFileSettings(Group):
    """The exporter `otlp_json_file`."""

    directory: FilePath = setting(Path("telemetry"), "Directory of the files; it is created when needed.")


class MemorySettings(Group):
    """The exporter `memory`, which keeps the newest items for the program itself to read."""

    max_spans: Whole = setting(10_000, "Most spans that are kept.")
    max_logs: Whole = setting(10_000, "Most log records that are kept.")
