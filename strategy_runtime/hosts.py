"""What a host's name says of where it is."""

from ipaddress import ip_address
from urllib.parse import urlsplit

__all__ = ["host_in", "is_loopback"]


def is_loopback(host: str) -> bool:
    """Whether a name or an address is this machine by itself, which no other can reach."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def host_in(header: str) -> str:
    """The name or address in a Host header, less port and brackets; empty where there is none."""
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""
