"""Where a request comes from: from this host itself, or from anywhere else."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

from ticktrace.exporters import is_loopback

if TYPE_CHECKING:
    from starlette.types import Scope

__all__ = ["address_of", "comes_from_here", "group_of", "values_of"]

# Whoever sends one of these stands between us and somebody else, or says so.
_FORWARDED: Final = (b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip")
_OWN_NAMES: Final = ("localhost", "localhost.")
_IPV6_NETWORK: Final = 64


def values_of(scope: Scope, name: bytes) -> list[bytes]:
    """All values of a header; `name` is in lower case."""
    return [value for key, value in scope.get("headers") or () if key.lower() == name]


def address_of(scope: Scope) -> str:
    """The address of who is connected; empty where it is not known, as behind a Unix socket."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def group_of(address: str) -> str:
    """What is counted as one address: of IPv6, the network that one customer gets."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:_IPV6_NETWORK]
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((int(parsed), _IPV6_NETWORK), strict=False))
    return str(parsed)


def comes_from_here(scope: Scope) -> bool:
    """Whether a request is from a program on this host, on its own behalf.

    Not so: what a proxy on this host passes on, and what a web page makes a browser on this host ask, be it by a form, by a
    script, or by a name of its own that it has pointed at this host.
    """
    client = address_of(scope)
    if client.lower() in _OWN_NAMES or not is_loopback(client):
        return False
    if any(values_of(scope, name) for name in _FORWARDED):
        return False
    hosts = values_of(scope, b"host")
    if len(hosts) != 1 or not _is_own_name(hosts[0]):
        return False
    if any(site not in {b"same-origin", b"none"} for site in values_of(scope, b"sec-fetch-site")):
        return False
    return all(_is_own_origin(origin, hosts[0]) for origin in values_of(scope, b"origin"))


def _is_own_name(authority: bytes) -> bool:
    text = authority.decode("latin-1")
    if text.startswith("["):
        name, bracket, port = text[1:].partition("]")
        port = port.removeprefix(":") if bracket else "?"
    else:
        name, _, port = text.partition(":")
    return (not port or port.isdecimal()) and is_loopback(name)


def _is_own_origin(origin: bytes, host: bytes) -> bool:
    return origin.lower() in {b"http://" + host.lower(), b"https://" + host.lower()}
