"""A short repr of structs, for debuggers, notebooks and failed assertions."""

from datetime import datetime
from enum import Enum
from typing import Any

from msgspec import Struct

from strategy_runtime.clock import rfc3339

__all__ = ["ShortRepr"]

_NANOSECONDS = "_ns"


class ShortRepr(Struct, frozen=True, gc=False):
    """A struct whose repr omits None, False and empty fields, and has readable times."""

    def __repr__(self) -> str:
        fields: list[str] = []
        for field in self.__struct_fields__:
            name = "timestamp" if field == "stamp" else field  # always a datetime
            value = getattr(self, name)
            if value is not None and value is not False and value != "":
                fields.append(f"{name}={_text(name, value)}")
        return f"{type(self).__name__}({', '.join(fields)})"


def _text(name: str, value: Any) -> str:
    if isinstance(value, Enum):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if name.endswith(_NANOSECONDS) and isinstance(value, int):
        return f"{value} ({rfc3339(value)})"
    return repr(value)
