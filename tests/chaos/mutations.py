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


def mutated(chance: Random, samples: Sequence[bytes]) -> bytes:
    """Return one of the samples with one to four mutations."""
    data = chance.choice(samples)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        data = chance.choice(_DAMAGES)(chance, data, samples)
    return data


def _flip(chance: Random, data: bytes, samples: Sequence[bytes]) -> bytes:
    if not data:
        return data
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def _cut(chance: Random, data: bytes, samples: Sequence[bytes]) -> bytes:
    begin, end = _span(chance, data)
    return data[:begin] + data[end:]


def _truncate(chance: Random, data: bytes, samples: Sequence[bytes]) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _repeat(chance: Random, data: bytes, samples: Sequence[bytes]) -> bytes:
    begin, end = _span(chance, data)
    return data[:end] + data[begin:end] * chance.choice((1, 1, 3)) + data[end:]


def _insert(chance: Random, data: bytes, samples: Sequence[bytes]) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.randbytes(chance.randrange(1, 9)) + data[at:]


def _splice(chance: Random, data: bytes, samples: Sequence[bytes]) -> bytes:
    other = chance.choice(samples)
    return data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other)) :]


def _swap_value(chance: Random, data: bytes, samples: Sequence[bytes]) -> bytes:
    values = list(_VALUE.finditer(data))
    if not values:
        return data
    chosen = chance.choice(values)
    others = [each[0] for each in _VALUE.finditer(chance.choice(samples))]
    value = chance.choice(others if others and chance.random() < 0.3 else _NASTY)
    return data[: chosen.start()] + value + data[chosen.end() :]


def _span(chance: Random, data: bytes) -> tuple[int, int]:
    begin = chance.randrange(len(data) + 1)
    return begin, min(len(data), begin + chance.randrange(1, 40))


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
