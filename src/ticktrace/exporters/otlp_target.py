"""Where a signal goes over OTLP and how: the settings, resolved and checked.

Rules: https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from ticktrace.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from ticktrace.exporters._named import Signal
    from ticktrace.settings.exporting import OtlpSettings, OtlpSignalSettings

__all__ = ["OtlpTarget", "Protocol", "otlp_target"]

Protocol = Literal["grpc", "http/protobuf"]

_HTTP_PORT = 4318
_DEFAULT_ENDPOINTS: dict[Protocol, str] = {
    "grpc": "http://localhost:4317",
    "http/protobuf": "http://localhost:4318",
}


@dataclass(frozen=True, slots=True)
class OtlpTarget:
    """Where one signal is sent and how.

    Attributes:
        signal: traces, metrics or logs.
        protocol: the transport.
        endpoint: host:port for grpc, the full URL for http/protobuf.
        headers: sent with every export; names in lower case, values may be secret.
        timeout: seconds one export may take, retries included.
        compression: of the payload.
        insecure: plain text instead of TLS; grpc only, for http the URL says it.
        certificate: the authority to trust, a PEM file.
        client_key: the client's private key, a PEM file.
        client_certificate: the client's certificate, a PEM file.
        destination: for messages, free of secrets.
    """

    signal: Signal
    protocol: Protocol
    endpoint: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    timeout: float
    compression: Literal["gzip", "deflate"] | None
    insecure: bool
    certificate: Path | None
    client_key: Path | None
    client_certificate: Path | None
    destination: str

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not appear in any message: header values, and the user's part of the URL."""
        url = urlsplit(self.endpoint)
        user = url.netloc.rpartition("@")[0]
        return tuple(filter(None, (*(value for _, value in self.headers), user, url.query)))


def otlp_target(otlp: OtlpSettings, signal: Signal, protocol: Protocol | None = None) -> OtlpTarget:
    """Resolve the settings for one signal: its own ones first, then the common ones.

    The endpoint follows the OTLP exporter specification: over HTTP a common endpoint gets `/v1/{signal}` appended, a
    signal's own is used as it is.

    Args:
        otlp: the settings.
        signal: what is sent.
        protocol: overrules the settings, for exporter names that state it.

    Raises:
        SettingsError: the endpoint has no scheme though it needs one, or a certificate file cannot be used.
    """
    own: OtlpSignalSettings = getattr(otlp, signal)

    def pick(name: str) -> Any:
        value = getattr(own, name)
        return getattr(otlp, name) if value is None else value

    endpoint: str | None = pick("endpoint")
    transport: Protocol = protocol or pick("protocol") or _inferred(endpoint)
    prefix = "otlp" if own.endpoint is None else f"otlp.{signal}"
    insecure: bool | None = pick("insecure")
    if transport == "grpc":
        address, insecure = _grpc_address(endpoint or _DEFAULT_ENDPOINTS["grpc"], insecure)
        destination = address if "://" in address else f"grpc://{address.rpartition('@')[2]}"
    else:
        base = endpoint or _DEFAULT_ENDPOINTS["http/protobuf"]
        scheme = urlsplit(base).scheme
        if scheme not in {"http", "https"}:
            raise SettingsError(
                [f"{prefix}.endpoint: {_shown(base)!r} needs http:// or https:// before it for http/protobuf"]
            )
        address = base if own.endpoint is not None else _appended(base, f"v1/{signal}")
        insecure = scheme == "http"
        destination = _shown(address)
    headers = own.headers or otlp.headers
    target = OtlpTarget(
        signal=signal,
        protocol=transport,
        endpoint=address,
        headers=tuple((name.lower(), value.get_secret_value()) for name, value in headers.items()),
        timeout=pick("timeout"),
        compression=pick("compression"),
        insecure=insecure,
        certificate=pick("certificate"),
        client_key=pick("client_key"),
        client_certificate=pick("client_certificate"),
        destination=destination,
    )
    if not target.insecure:
        _check_certificates(target, own)
    return target


def _inferred(endpoint: str | None) -> Protocol:
    if endpoint is None:
        return "grpc"
    url = urlsplit(endpoint if "://" in endpoint else f"//{endpoint}")
    return "http/protobuf" if url.port == _HTTP_PORT else "grpc"


def _grpc_address(endpoint: str, insecure: bool | None) -> tuple[str, bool]:
    """Return host:port and whether to use plain text; a scheme decides over the setting, as specified."""
    if "://" not in endpoint:
        return endpoint, bool(insecure)
    url = urlsplit(endpoint)
    if url.scheme in {"http", "https"}:
        return url.netloc, url.scheme == "http"
    return endpoint, bool(insecure)  # unix:///path and other name schemes are gRPC's own


def _appended(base: str, path: str) -> str:
    url = urlsplit(base)
    return url._replace(path=f"{url.path.rstrip('/')}/{path}").geturl()


def _shown(endpoint: str) -> str:
    """Return the endpoint without user, password and query."""
    url = urlsplit(endpoint)
    return url._replace(netloc=url.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _check_certificates(target: OtlpTarget, own: OtlpSignalSettings) -> None:
    """Load the files once: the exporters would say `connection refused` for a broken certificate, and only later."""
    problems: list[str] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    def place(name: str) -> str:
        return f"otlp.{name}" if getattr(own, name) is None else f"otlp.{target.signal}.{name}"

    if target.certificate is not None:
        try:
            context.load_verify_locations(cafile=target.certificate)
        except (OSError, ValueError) as error:
            problems.append(f"{place('certificate')}: {target.certificate}: {_reason(error)}")
    if target.client_certificate is not None:
        try:
            context.load_cert_chain(target.client_certificate, target.client_key, password="")  # never prompt
        except (OSError, ValueError) as error:
            files = ", ".join(str(file) for file in (target.client_certificate, target.client_key) if file)
            problems.append(f"{place('client_certificate')}: {files}: {_reason(error)}")
    if problems:
        raise SettingsError(problems)


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return f"not usable as PEM ({error.reason or error})"
    return getattr(error, "strerror", None) or str(error)
