"""A short repr of structs, for debuggers, notebooks and failed assertions."""

from datetime import datetime
from enum import Enum
from typing import Any

from msgspec import Struct
from msgspec.structs import fields

from strategy_runtime.clock import rfc3339

__all__ = ["ShortRepr"]

_NANOSECONDS = "_ns"


class ShortRepr(Struct, frozen=True, gc=False):
    """A struct whose repr omits None, False and empty fields, and has readable times."""

    def __repr__(self) -> str:
        shown: list[str] = []
        for field in fields(self):
            # `stamp` may be a number, `timestamp` is always a datetime.
            name = "timestamp" if field.name == "stamp" else field.name
            value = getattr(self, name)
            says_no = value is False and not field.required
            if value is not None and not says_no and value != "":
                shown.append(f"{name}={_text(name, value)}")
        return f"{type(self).__name__}({', '.join(shown)})"


def _text(name: str, value: Any) -> str:
    if isinstance(value, Enum):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if name.endswith(_NANOSECONDS) and isinstance(value, int):
        return f"{value} ({rfc3339(value)})"
    return repr(value)
