"""What an OpenAPI or AsyncAPI document says of a message, held to the letter."""

from typing import Any

from jsonschema import Draft202012Validator


def validator(schema: Any, document: dict[str, Any]) -> Draft202012Validator:
    """Takes what is as described, and has no field that is not."""
    components = {"schemas": _closed(document["components"]["schemas"])}
    return Draft202012Validator({**_closed(schema), "components": components})


def _closed(part: Any) -> Any:
    if isinstance(part, list):
        return [_closed(each) for each in part]
    if not isinstance(part, dict):
        return part
    found = {name: _closed(each) for name, each in part.items()}
    return found | {"additionalProperties": False} if "properties" in part else found
