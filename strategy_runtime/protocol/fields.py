"""Tolerant reading of the fields of a JSON object, by the types they should have.

The typed decoder refuses a whole document for one odd value. Here a value that is merely
informative is left out with a warning; one on which money depends is a fault.
"""

import json
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

from strategy_runtime.errors import TimeframeError
from strategy_runtime.protocol.enums import PositionSide, Side
from strategy_runtime.protocol.models import Candle, Order, Position, Quote, Trade
from strategy_runtime.protocol.timeframes import parse_timeframe
from strategy_runtime.protocol.values import NUMBER, is_sound, is_unicode, plain_data

__all__ = [
    "MAX_DEPTH",
    "SIDED",
    "TOO_EARLY",
    "TOO_LATE",
    "UNSIGNED",
    "Fault",
    "depth_exceeds",
    "parse_json",
    "read_body",
    "read_fields",
]

MAX_DEPTH = 64
"""Levels of nesting above which a document is refused."""

SIDED = (Order, Position, Trade)
"""Types whose side alone gives the direction."""

UNSIGNED = ("quantity", "filled_quantity")
"""Their fields that must not be negative."""

TOO_EARLY, TOO_LATE = 1973, 5138
"""A number read as seconds lies between these years only if it really was in seconds."""

_LARGEST = 1e38
_MAX_INTEGER = 40
_SHOWN = 40
_UNITS = ((10**14, 10**6), (10**11, 10**3), (10**8, 1))


class Fault(Exception):
    """A value that cannot be read; the text names it and says what was expected."""


def parse_json(text: str) -> Any:
    """Parse JSON text: whole numbers become int, all others Decimal.

    Raises:
        Fault: It is not JSON, or a number is out of range.
    """
    try:
        return json.loads(text, parse_float=Decimal, parse_int=_whole, parse_constant=_no_constant)
    except ArithmeticError:
        raise Fault("not JSON: a number is out of range") from None
    except RecursionError:
        raise Fault("not JSON: nested too deeply") from None
    except ValueError as error:
        raise Fault(f"not JSON: {error}") from None


def depth_exceeds(value: Any, limit: int = MAX_DEPTH) -> bool:
    """Whether plain data is nested deeper than a limit, checked without recursion."""
    level = [value]
    for _ in range(limit):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def read_body(hint: Any, value: Any) -> Any:
    """Read the body of a response as the type of a hint: a struct, or a list of structs.

    Raises:
        Fault: It has another type, or lacks a required field.
    """
    return _read(_as_type(hint), value, "the body", [])


def read_fields(
    target: type[Struct], value: Any, path: str, warnings: list[str], skip: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Read the fields of a struct from a JSON object, by attribute.

    Args:
        path: Where the object is, empty at the top of a frame.
        warnings: Collects what was left out.
        skip: Keys that are handled elsewhere.

    Raises:
        Fault: A field that matters is missing or cannot be read.
    """
    if not isinstance(value, dict):
        raise Fault(f"{path or 'the frame'} is not an object")
    if target is Position:
        value = _with_a_side(value)
    fields: dict[str, Any] = {}
    for name, key, is_required, kind in _fields(target):
        given = value.get(key)
        where = f"{path}.{key}" if path else key
        if given is None or kind.reads_as_null(given):
            if is_required:
                raise Fault(f"{where} is missing")
            continue
        if key in skip:
            continue
        try:
            fields[name] = _read(kind, given, where, warnings)
        except Fault as fault:
            if is_required or kind.matters:
                raise
            warnings.append(str(fault))
    if target is Candle:
        _check_candle(fields)
    elif target in SIDED:
        _take_off_signs(fields, path)
    elif target is Quote and fields.get("last") is None:
        fields["last"] = (fields["bid"] + fields["ask"]) / 2
    return fields


def _with_a_side(position: dict[str, Any]) -> dict[str, Any]:
    """Give a flat position the side LONG if its own is missing or is neither LONG nor SHORT."""
    side = position.get("side")
    if isinstance(side, str) and side.upper() in PositionSide.__members__:
        return position
    try:
        is_flat = not _decimal(position.get("quantity"), "")
    except Fault:
        return position
    return {**position, "side": PositionSide.LONG.value} if is_flat else position


def _take_off_signs(fields: dict[str, Any], path: str) -> None:
    """Drop minus signs, since the side gives the direction: some venues send a short 5 as -5."""
    for name in UNSIGNED:
        if name in fields and fields[name] < 0:
            if fields["side"] in (Side.BUY, PositionSide.LONG):
                raise Fault(f"{path}.{name} is {fields[name]}, and the side is {fields['side']}")
            fields[name] = abs(fields[name])
            fields.pop("remaining_quantity", None)  # computed from the other two


def _check_candle(fields: dict[str, Any]) -> None:
    try:
        parse_timeframe(fields["timeframe"]).end_of(fields["stamp"])
    except TimeframeError as error:
        raise Fault(str(error)) from None
    except OverflowError:
        raise Fault("the bar ends beyond the calendar") from None


class _Type(NamedTuple):
    """The type of a field, with the `item` type of a list and any limits of length."""

    kind: Any
    item: Any = None
    is_nullable: bool = False
    least: int = 0
    most: int | None = None

    @property
    def matters(self) -> bool:
        """Whether a wrong value is a fault: no default can replace an unknown number."""
        return self.kind is float or (self.kind is Decimal and not self.is_nullable)

    def reads_as_null(self, value: Any) -> bool:
        """Whether a value means null: the typed decoder accepts the text `null`, except for str."""
        return (
            self.is_nullable
            and self.kind is not str
            and isinstance(value, str)
            and value.lower() == "null"
        )


@cache
def _fields(target: type[Struct]) -> tuple[tuple[str, str, bool, _Type], ...]:
    hints = get_type_hints(target, include_extras=True)
    return tuple(
        (field.name, field.encode_name, field.required, _as_type(hints[field.name]))
        for field in msgspec.structs.fields(target)
    )


@cache
def _as_type(hint: Any) -> _Type:
    alternatives = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    kind = alternatives[0]
    is_nullable = NoneType in alternatives
    limits = Meta()
    if get_origin(kind) is Annotated:
        kind, limits = get_args(kind)
    if get_origin(kind) is list:
        return _Type(list, _as_type(get_args(kind)[0]), is_nullable)
    return _Type(kind, None, is_nullable, limits.min_length or 0, limits.max_length)


def _read(expected: _Type, value: Any, where: str, warnings: list[str]) -> Any:
    kind = expected.kind
    if kind is Any:
        return plain_data(value)
    if kind is datetime:
        return _time(value, where)
    if kind is Decimal:
        return _number(value, where)
    if kind is float:
        return _float(value, where)
    if kind is list:
        if not isinstance(value, list):
            raise Fault(f"{where} is not a list")
        return [
            _read(expected.item, item, f"{where}[{n}]", warnings) for n, item in enumerate(value)
        ]
    if kind is str:
        return _text(expected, value, where)
    if issubclass(kind, StrEnum):
        try:
            return kind(_text(expected, value, where))
        except ValueError:
            raise Fault(f"{where} is {_shown(value)}, expected one of {', '.join(kind)}") from None
    if issubclass(kind, Struct):
        return kind(**read_fields(kind, value, where, warnings))
    try:
        given = float(value) if isinstance(value, Decimal) else value
        return msgspec.convert(given, kind, strict=False)
    except (msgspec.ValidationError, OverflowError, UnicodeEncodeError):
        raise Fault(f"{where} is {_shown(value)}, expected {kind.__name__}") from None


def _text(expected: _Type, value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise Fault(f"{where} is {_shown(value)}, expected text")
    if len(value) < expected.least:
        raise Fault(f"{where} is empty")
    if expected.most is not None and len(value) > expected.most:
        raise Fault(f"{where} has more than {expected.most} characters")
    if (expected.least and "\0" in value) or not is_unicode(value):
        raise Fault(f"{where} has a character that is not allowed")
    return value


def _float(value: Any, where: str) -> float:
    number = float(_decimal(value, where))
    if not -_LARGEST < number < _LARGEST:
        raise Fault(f"{where} is out of range")
    return number


def _number(value: Any, where: str) -> Decimal:
    number = _decimal(value, where)
    if not is_sound(number):
        raise Fault(f"{where} is out of range")
    return number


def _decimal(value: Any, where: str) -> Decimal:
    if isinstance(value, str):
        if not NUMBER.fullmatch(value):
            raise Fault(f"{where} is {_shown(value)}, expected a decimal number")
        value = Decimal(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Fault(f"{where} is {_shown(value)}, expected a number")
    return Decimal(value)


def _time(value: Any, where: str) -> datetime:
    if isinstance(value, str) and not NUMBER.fullmatch(value):
        try:
            moment = msgspec.convert(value, datetime)
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (msgspec.ValidationError, OverflowError, UnicodeEncodeError):
            raise Fault(f"{where} is {_shown(value)}, expected RFC 3339") from None
    number = _number(value, where)
    for least, unit in _UNITS:
        if least <= number < least * 1000:
            if unit == 1:
                return msgspec.convert(float(number), datetime, strict=False)
            seconds, micros = divmod(int(number * 1_000_000 / unit), 1_000_000)
            return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros)
    raise Fault(f"{where} is {_shown(value)}, no time since the epoch in seconds, ms or µs")


def _shown(value: Any) -> str:
    text = str(value) if isinstance(value, Decimal) else repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _whole(digits: str) -> int:
    if len(digits) > _MAX_INTEGER:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")
