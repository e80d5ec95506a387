"""Host names: whether one is loopback, and how a Host header names it."""

from ipaddress import ip_address
from urllib.parse import urlsplit

__all__ = ["host_in", "is_loopback"]


def is_loopback(host: str) -> bool:
    """Whether a name or address is loopback, which no other machine can reach."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def host_in(header: str) -> str:
    """Return the host of a Host header without port and brackets; empty if there is none."""
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""
