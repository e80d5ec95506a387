"""Ids and random numbers: the only module that draws random numbers."""

import random
import secrets
from collections.abc import Callable
from itertools import count
from zlib import crc32

__all__ = ["Random", "counted", "generator", "shortened", "token"]

Random = random.Random


def token() -> str:
    """Return a random id of twelve hexadecimal digits, for runs and connections."""
    return secrets.token_hex(6)


def shortened(name: str, longest: int) -> str:
    """Return a name, cut to at most `longest` characters; a checksum keeps cut names distinct."""
    if len(name) <= longest:
        return name
    told_apart = f"-{crc32(name.encode()):08x}"
    return name[: longest - len(told_apart)] + told_apart


def counted(prefix: str) -> Callable[[], str]:
    """Return a source of ids `<prefix>1`, `<prefix>2`, …: equal in every run, cheap to call."""
    numbers = count(1)
    return lambda: f"{prefix}{next(numbers)}"


def generator(seed: int | None = None) -> Random:
    """Return a random generator to pass as an argument; seed it for a reproducible run."""
    return random.Random(seed)
