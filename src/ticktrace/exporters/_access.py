"""Who may scrape: a token that is compared in constant time, and addresses that only this host itself can reach."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import SecretStr

    from ticktrace.settings import Settings

__all__ = ["bearer_check", "check_public", "is_loopback"]


def bearer_check(token: SecretStr | None) -> Callable[[str], bool] | None:
    """What tells from an ``Authorization`` header whether somebody has the token; None where there is none."""
    if token is None:
        return None
    wanted = hashlib.sha256(token.get_secret_value().encode()).digest()

    def check(header: str) -> bool:
        scheme, _, presented = header.strip().partition(" ")
        digest = hashlib.sha256(presented.strip().encode("utf-8", "surrogateescape")).digest()
        return hmac.compare_digest(digest, wanted) and scheme.lower() == "bearer"

    return check


def is_loopback(address: str) -> bool:
    """Whether an address is this host's own; a name is not, but for ``localhost``."""
    try:
        parsed = ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        return address.lower() in {"localhost", "localhost."}
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped.is_loopback
    return parsed.is_loopback


def check_public(settings: Settings) -> list[str]:
    """What is wrong with where our own endpoint listens: for other hosts, and nobody has to say who they are."""
    prometheus = settings.prometheus
    serves = settings.enabled and prometheus.serve != "never" and "prometheus" in settings.exporters.metrics
    if not serves or prometheus.token is not None or prometheus.public or is_loopback(prometheus.host):
        return []
    problem = (
        f"prometheus.host: {prometheus.host} can be reached from other hosts, and there is no prometheus.token; set one, or"
        " prometheus.public to true where a firewall or a private network keeps strangers out"
    )
    return [problem]
