"""Identity and chance: the only module that draws random numbers."""

import random
import secrets
from collections.abc import Callable
from itertools import count

__all__ = ["Random", "counted", "generator", "token"]

Random = random.Random


def token() -> str:
    """A fresh random id of twelve hexadecimal digits, for runs and connections."""
    return secrets.token_hex(6)


def counted(prefix: str) -> Callable[[], str]:
    """A source of ids `<prefix>1`, `<prefix>2`, …: equal in every run, cheap on a hot path."""
    numbers = count(1)
    return lambda: f"{prefix}{next(numbers)}"


def generator(seed: int | None = None) -> Random:
    """A random generator to pass on as an argument; seeded where a run must repeat itself."""
    return random.Random(seed)
