"""Seeded damage to frames and bodies, both blind and aware of JSON."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from strategy_runtime.ids import Random

__all__ = ["frames_of", "mutated"]

FRAMES = Path(__file__).parent.parent / "protocol" / "frames"

_VALUE = re.compile(rb'"[^"\\]*"|-?\d+(?:\.\d+)?|true|false|null')
_NASTY = [
    b"null",
    b"[]",
    b"{}",
    b"true",
    b'""',
    b"NaN",
    b"-Infinity",
    b"1e999",
    b'"1e999999999"',
    b"-0.0",
    b"9" * 400,
    b'"' + b"9" * 60 + b'"',
    b'"0x10"',
    b'"\\ud800"',
    b'"\\u0000\\u001b[31m\\u202e"',
    b"1.5e-320",
    b"18446744073709551616",
    b'"9999-12-31T23:59:60Z"',
    b'"0000-00-00T00:00:00Z"',
    b"[" * 200 + b"]" * 200,
    b'{"a":' * 100 + b"1" + b"}" * 100,
]


def frames_of(file: str) -> list[bytes]:
    """Return the samples of a file, one per line."""
    return [line for line in (FRAMES / file).read_bytes().split(b"\n") if line]


def mutated(rng: Random, samples: Sequence[bytes]) -> bytes:
    """Return one of the samples with one to four mutations."""
    data = rng.choice(samples)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        data = rng.choice(_DAMAGES)(rng, data, samples)
    return data


def _flip(rng: Random, data: bytes, samples: Sequence[bytes]) -> bytes:
    if not data:
        return data
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def _cut(rng: Random, data: bytes, samples: Sequence[bytes]) -> bytes:
    begin, end = _span(rng, data)
    return data[:begin] + data[end:]


def _truncate(rng: Random, data: bytes, samples: Sequence[bytes]) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _repeat(rng: Random, data: bytes, samples: Sequence[bytes]) -> bytes:
    begin, end = _span(rng, data)
    return data[:end] + data[begin:end] * rng.choice((1, 1, 3)) + data[end:]


def _insert(rng: Random, data: bytes, samples: Sequence[bytes]) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.randbytes(rng.randrange(1, 9)) + data[at:]


def _splice(rng: Random, data: bytes, samples: Sequence[bytes]) -> bytes:
    other = rng.choice(samples)
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other)) :]


def _swap_value(rng: Random, data: bytes, samples: Sequence[bytes]) -> bytes:
    values = list(_VALUE.finditer(data))
    if not values:
        return data
    chosen = rng.choice(values)
    others = [each[0] for each in _VALUE.finditer(rng.choice(samples))]
    value = rng.choice(others if others and rng.random() < 0.3 else _NASTY)
    return data[: chosen.start()] + value + data[chosen.end() :]


def _span(rng: Random, data: bytes) -> tuple[int, int]:
    begin = rng.randrange(len(data) + 1)
    return begin, min(len(data), begin + rng.randrange(1, 40))


_DAMAGES: list[Callable[[Random, bytes, Sequence[bytes]], bytes]] = [
    _flip,
    _cut,
    _truncate,
    _repeat,
    _insert,
    _splice,
    _swap_value,
    _swap_value,
    _swap_value,
]
