"""The visitor's address and scheme, of which only trusted proxies may tell (TRUSTED_PROXIES)."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from django.conf import settings
from django.http import HttpRequest, HttpResponse

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network


class TrustedProxies:
    """Middleware: REMOTE_ADDR becomes the visitor's address, and a stranger's headers are removed.

    It comes first, so that everything after it reads REMOTE_ADDR and `request.scheme`.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:  # noqa: D102
        networks: Sequence[IPNetwork] = settings.TRUSTED_PROXIES
        meta = request.META
        peer = _parse_address(meta.get("REMOTE_ADDR", ""))
        forwarded_for = meta.pop("HTTP_X_FORWARDED_FOR", "")
        scheme = meta.pop("HTTP_X_FORWARDED_PROTO", "")
        if _is_address_in_networks(peer, networks):
            # A proxy appends to what it was sent, so only the last value is its own.
            meta["HTTP_X_FORWARDED_PROTO"] = scheme.rpartition(",")[2].strip()
            meta["REMOTE_ADDR"] = str(_find_visitor_behind_proxies(peer, forwarded_for, networks))
        return self.get_response(request)


def _find_visitor_behind_proxies(
    peer: IPAddress | None, forwarded_for: str, networks: Sequence[IPNetwork]
) -> IPAddress | None:
    """The last address, read from the right, that a trusted proxy vouches for."""
    visitor = peer
    for part in reversed(forwarded_for.split(",")):
        if not _is_address_in_networks(visitor, networks):
            break
        address = _parse_address(part)
        if address is None:
            break
        visitor = address
    return visitor


def _is_address_in_networks(address: IPAddress | None, networks: Sequence[IPNetwork]) -> bool:
    return address is not None and any(address in network for network in networks)


def _parse_address(text: str) -> IPAddress | None:
    """The address in one part of a header, which may have a port; None if there is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def address_of_visitor(request: HttpRequest) -> str | None:
    """The visitor's address as PostgreSQL reads it: without the name of a network interface."""
    address = _parse_address(request.META.get("REMOTE_ADDR", ""))
    return str(address).partition("%")[0] if address else None


def address_or_ipv6_network_of_visitor(request: HttpRequest) -> str | None:
    """The visitor's address; of IPv6 the /64, since one visitor has all of its addresses."""
    address = _parse_address(request.META.get("REMOTE_ADDR", ""))
    if isinstance(address, IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False).network_address)
    return str(address) if address else None
