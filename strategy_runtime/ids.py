"""Identity and chance: the only module that draws random numbers."""

import random
import secrets
from collections.abc import Callable
from itertools import count
from zlib import crc32

__all__ = ["Random", "counted", "generator", "shortened", "token"]

Random = random.Random


def token() -> str:
    """A fresh random id of twelve hexadecimal digits, for runs and connections."""
    return secrets.token_hex(6)


def shortened(name: str, longest: int) -> str:
    """A name; of one that is longer its beginning, and what tells it from others like it."""
    if len(name) <= longest:
        return name
    told_apart = f"-{crc32(name.encode()):08x}"
    return name[: longest - len(told_apart)] + told_apart


def counted(prefix: str) -> Callable[[], str]:
    """A source of ids `<prefix>1`, `<prefix>2`, …: equal in every run, cheap on a hot path."""
    numbers = count(1)
    return lambda: f"{prefix}{next(numbers)}"


def generator(seed: int | None = None) -> Random:
    """A random generator to pass on as an argument; seeded where a run must repeat itself."""
    return random.Random(seed)
