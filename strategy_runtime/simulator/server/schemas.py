"""JSON Schemas of what the proxy sends and takes, generated from its structs.

What it sends is stricter than what our client reads: money and prices are strings, fields without a
value are left out, and some fields that other proxies leave out are always sent.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, get_args

import msgspec
from msgspec import NODEFAULT, Struct
from msgspec.structs import FieldInfo, fields

from strategy_runtime.protocol.events import Pong, RateLimitEvent, StalenessEvent
from strategy_runtime.protocol.models import Candle, Quote
from strategy_runtime.protocol.server_codec import carries_id

__all__ = ["COUNT", "TEXT", "TIME", "list_of", "object_of", "ref", "schemas"]

TEXT = {"type": "string"}
TIME = {"type": "string", "format": "date-time"}
COUNT = {"type": "integer", "minimum": 0}

_DECIMAL = r"^-?[0-9]+(\.[0-9]+)?$"
_SENT_DECIMAL = {"type": "string", "format": "decimal", "pattern": _DECIMAL}
_REF = "#/components/schemas/{name}"
_NOT_SENT = ("legacy_id", "synthetic", "external")  # an older key, and two of the runtime's own
_NOT_ALWAYS_SENT = {
    Quote: ("bid_size", "ask_size", "volume"),
    Pong: ("timestamp",),
    RateLimitEvent: ("reset_at",),
    StalenessEvent: ("stale_since",),
}


def ref(name: str) -> dict[str, Any]:
    """Return a reference to another schema."""
    return {"$ref": _REF.format(name=name)}


def list_of(name: str) -> dict[str, Any]:
    """Return an array schema of a named schema."""
    return {"type": "array", "items": ref(name)}


def object_of(**properties: Any) -> dict[str, Any]:
    """Return an object schema with these required properties."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def schemas(
    *, sent: Iterable[type[Struct]], taken: Iterable[type[Struct]]
) -> dict[str, dict[str, Any]]:
    """Return the schemas by name, including the enums they refer to.

    Args:
        sent: Structs the proxy sends, including those nested in others.
        taken: Structs it receives.
    """
    sent, taken = list(sent), list(taken)
    _, found = msgspec.json.schema_components([*sent, *taken], ref_template=_REF)
    for struct in sent:
        found[struct.__name__] = _as_sent(struct, found[struct.__name__])
    for struct in taken:
        found[struct.__name__] = _as_taken(struct, found[struct.__name__])
    for each in found.values():
        first, _, _ = each.get("description", "").partition("\n\n")
        each["description"] = " ".join(first.split())
    return found


def _as_sent(struct: type[Struct], schema: dict[str, Any]) -> dict[str, Any]:
    is_market = issubclass(struct, Candle | Quote)
    seldom = _NOT_ALWAYS_SENT.get(struct, ())
    properties = dict(schema["properties"])
    required = [name for name in properties if name == struct.__struct_config__.tag_field]
    for field in fields(struct):
        name = field.encode_name
        if field.name in _NOT_SENT or (name == "event_id" and not carries_id(struct)):
            del properties[name]
            continue
        properties[name] = _value_sent(field, properties[name])
        if (is_market or name == "event_id" or _is_always_sent(field)) and name not in seldom:
            required.append(name)
    return {**schema, "properties": properties, "required": required}


def _value_sent(field: FieldInfo, schema: dict[str, Any]) -> dict[str, Any]:
    if _holds(field.type, Decimal) or _holds(field.type, float):
        return _SENT_DECIMAL
    if _holds(field.type, datetime):
        return TIME
    (value,) = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]
    return {key: part for key, part in value.items() if key != "default"}


def _is_always_sent(field: FieldInfo) -> bool:
    """Return whether a field is always sent: only plain defaults are left out."""
    is_optional = field.type is Any or type(None) in get_args(field.type)
    has_plain_default = field.default is not NODEFAULT and field.default is not None
    return _holds(field.type, datetime) or not (is_optional or has_plain_default)


def _as_taken(struct: type[Struct], schema: dict[str, Any]) -> dict[str, Any]:
    properties = dict(schema["properties"])
    for field in fields(struct):
        name = field.encode_name
        if _holds(field.type, Decimal):
            is_needed = field.default is NODEFAULT
            kinds = ["string", "number"] if is_needed else ["string", "number", "null"]
            properties[name] = {**_SENT_DECIMAL, "type": kinds}
        elif properties[name].get("default", ...) is None:
            # A field that is left out has no value; null is not its default.
            properties[name] = {k: v for k, v in properties[name].items() if k != "default"}
        elif field.default is not NODEFAULT:
            # Null means the same as leaving the field out: the default.
            value = {k: v for k, v in properties[name].items() if k != "default"}
            default = properties[name]["default"]
            properties[name] = {"anyOf": [value, {"type": "null"}], "default": default}
    return {**schema, "properties": properties}


def _holds(kind: Any, wanted: type) -> bool:
    return kind is wanted or any(_holds(each, wanted) for each in get_args(kind))
