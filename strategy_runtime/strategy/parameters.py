"""Parameters: the annotated public attributes of a strategy class.

This module reads and checks them wherever they come from: the constructor, `--set name=value`, the
environment variable `PARAM_<NAME>`, or the default (in this order). Text is converted to the
annotated type (msgspec, lax); lists and mappings are written as JSON. Names with a leading
underscore, `ClassVar`s and `state` are not parameters.
"""

import operator
from collections import ChainMap
from collections.abc import Callable, Container, Iterator, Mapping
from copy import deepcopy
from decimal import Decimal
from enum import Enum
from inspect import get_annotations
from itertools import starmap
from math import isfinite
from typing import Annotated, Any, ClassVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

from strategy_runtime.errors import ParameterError
from strategy_runtime.protocol.values import is_unicode
from strategy_runtime.strategy.state import NAME as STATE
from strategy_runtime.suggestions import did_you_mean

__all__ = ["ENVIRONMENT_PREFIX", "Parameter", "Parameters"]

ENVIRONMENT_PREFIX = "PARAM_"

_BOUNDS: dict[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}

_PLAIN = (bool, int, float, str, Decimal, list, tuple, dict, set)
"""Types of defaults; an attribute of another type was hardly meant as a parameter."""


class Parameter:
    """One parameter: its name, type, bounds and default.

    Bounds of `Decimal` parameters are checked here, because msgspec does not support them.
    """

    __slots__ = ("_bounds", "_type", "default", "name", "required")

    def __init__(
        self, owner: str, name: str, annotation: Any, default: Any, required: bool
    ) -> None:
        self.name = name
        self.default = default
        self.required = required
        self._bounds: list[tuple[str, Any]] = []
        self._type = annotation
        if get_origin(annotation) is Annotated and get_args(annotation)[0] is Decimal:
            self._type = Decimal
            for meta in get_args(annotation)[1:]:
                if isinstance(meta, Meta):
                    self._bounds += [
                        (kind, bound)
                        for kind in _BOUNDS
                        if (bound := getattr(meta, kind)) is not None
                    ]
        try:
            msgspec.json.Decoder(self._type)  # refuses a type it cannot compile
            if not required:
                self.default = self.convert(default)
        except ParameterError as error:
            hint = "; write its type as `… | None`" if default is None else ""
            raise ParameterError(f"{owner}: the default of {error}{hint}") from None
        except Exception as error:
            raise ParameterError(
                f"{owner}.{name}: a parameter cannot have the type {annotation!r} ({error});"
                " give it a leading underscore or ClassVar if it is not meant as a parameter"
            ) from error

    def convert(self, value: object) -> Any:
        """Return the value converted to the parameter's type.

        Raises:
            ParameterError: Names the parameter, the value and the rule it breaks.
        """
        if isinstance(value, str) and not is_unicode(value):
            raise ParameterError(f"{self.name} = {_shown(value)}: must be a text in UTF-8")
        try:
            converted = self._converted(value)
        except msgspec.DecodeError as error:
            raise self._refusal(value, str(error)) from None
        if isinstance(converted, Decimal | float) and not isfinite(converted):
            raise ParameterError(f"{self.name} = {_shown(value)}: must be a finite number")
        if not all(_BOUNDS[kind](converted, bound) for kind, bound in self._bounds):
            raise self._refusal(value)
        return converted

    def _converted(self, value: object) -> Any:
        try:
            given, taken = value, msgspec.convert(value, self._type, strict=False)
        except msgspec.ValidationError:
            if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
                taken = msgspec.json.decode(value, type=self._type, strict=False)
                given = msgspec.json.decode(value)
            else:
                given = _plain(value)
                taken = msgspec.convert(given, self._type, strict=False)
        unknown = _unknown_field(given, taken)
        if unknown:
            raise ParameterError(f"{self.name} = {_shown(value)}: {unknown}")
        return taken

    def _refusal(self, value: object, why: str = "") -> ParameterError:
        from strategy_runtime.strategy.wording import in_words

        words = in_words(self._type, self._bounds)
        said = f"must be {words}" if words else why
        if words and (" at `$" in why or "JSON" in why):
            said += f" ({why})"  # where in a list or mapping
        return ParameterError(f"{self.name} = {_shown(value)}: {said}")


def _plain(value: object) -> object:
    """Replace numbers of numpy and the like by Python's own, and members of an Enum by their
    values: msgspec does not accept members whose values are numbers.
    """
    if isinstance(value, Enum):
        return value.value
    if type(value) is list:
        return [*map(_plain, value)]
    if type(value) is tuple:
        return (*map(_plain, value),)
    if type(value) is dict:
        return {name: _plain(each) for name, each in value.items()}
    to_python = getattr(value, "tolist", None)
    return value if to_python is None else to_python()


def _unknown_field(given: Any, taken: Any) -> str:
    """Return an error about a field that a Struct does not have, which msgspec ignores; or ""."""
    if isinstance(given, list) and isinstance(taken, list | tuple):
        pairs = list(zip(given, taken, strict=True))
    elif isinstance(given, dict) and isinstance(taken, dict):
        pairs = [(each, taken.get(name)) for name, each in given.items()]
    elif isinstance(given, dict) and isinstance(taken, Struct):
        config, names = taken.__struct_config__, taken.__struct_encode_fields__
        fields = dict(zip(names, msgspec.structs.astuple(taken), strict=True))
        for name in given:
            if name not in fields and name != config.tag_field:
                return f"{type(taken).__name__} has no field {name!r}{did_you_mean(name, names)}"
        pairs = [(each, fields.get(name)) for name, each in given.items()]
    else:
        return ""
    return next(filter(None, starmap(_unknown_field, pairs)), "")


class Parameters:
    """The parameters of one strategy class, by name, base classes first."""

    def __init__(self, owner: type[Any], base: type[Any]) -> None:
        self._owner = owner.__name__
        self._by_name: dict[str, Parameter] = {}
        self._unannotated = _unannotated(owner, base)
        _check_pairs(owner)
        for name, annotation in _annotated(owner, base):
            _check_name(owner, base, name)
            required = not hasattr(owner, name)
            default = None if required else getattr(owner, name)
            self._by_name[name] = Parameter(self._owner, name, annotation, default, required)

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self._by_name.values())

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def resolve(self, given: Mapping[str, object]) -> dict[str, Any]:
        """Return all values: those given, converted and checked, and defaults for the others.

        Raises:
            ParameterError: A name is unknown (with near matches), a value breaks a rule, or a
                parameter without a default is missing.
        """
        for name in given:
            if name not in self._by_name:
                raise ParameterError(self._unknown(name))
        values: dict[str, Any] = {}
        for parameter in self._by_name.values():
            if parameter.name in given:
                try:
                    values[parameter.name] = parameter.convert(given[parameter.name])
                except ParameterError as error:
                    raise ParameterError(f"{self._owner}.{error}") from None
            elif parameter.required:
                raise ParameterError(
                    f"{self._owner}.{parameter.name} has no default; give it with --set "
                    f"{parameter.name}=VALUE or {ENVIRONMENT_PREFIX}{parameter.name.upper()}, or, "
                    "if it is not a parameter, start its name with an underscore"
                )
            else:
                values[parameter.name] = deepcopy(parameter.default)
        return values

    def from_environment(
        self,
        environ: Mapping[str, str],
        origin: Callable[[str], str] = str,
        but: Container[str] = (),
    ) -> dict[str, str]:
        """Return the values of `PARAM_<NAME>` variables; empty ones count as not set.

        Args:
            origin: Return how errors name a variable.
            but: Names of parameters to skip, because they are given otherwise.

        Raises:
            ParameterError: A `PARAM_` variable names no parameter, or a value breaks a rule.
        """
        names = {name.upper(): name for name in self._by_name}
        found: dict[str, str] = {}
        for variable, text in environ.items():
            if not variable.startswith(ENVIRONMENT_PREFIX) or not text:
                continue
            written = variable.removeprefix(ENVIRONMENT_PREFIX)
            if written not in names:
                raise ParameterError(f"{origin(variable)}: {self._unknown_variable(written)}")
            name = names[written]
            if name in but:
                continue
            try:
                self._by_name[name].convert(text)
            except ParameterError as error:
                raise ParameterError(f"{origin(variable)}: {self._owner}.{error}") from None
            found[name] = text
        return found

    def _unknown_variable(self, written: str) -> str:
        upper = written.upper()
        if any(upper == name.upper() for name in self._by_name):
            return f"it is written in capitals, {ENVIRONMENT_PREFIX}{upper}"
        meant = (name for name in self._unannotated if name.upper() == upper)
        return self._unknown(next(meant, written.lower()))

    def _unknown(self, name: str) -> str:
        if name in self._unannotated:
            value = self._unannotated[name]
            return (
                f"{self._owner}.{name} is an attribute without an annotation, so no parameter; "
                f"write `{name}: {type(value).__name__} = {value!r}`"
            )
        names = ", ".join(self._by_name)
        guess = did_you_mean(name, self._by_name)
        hint = guess or (f"; it has {names}" if names else "; it has none")
        return f"{self._owner} has no parameter {name!r}{hint}"


def _annotated(owner: type[Any], base: type[Any]) -> Iterator[tuple[str, Any]]:
    """Yield name and type of each parameter."""
    hints = _hints_of(owner)
    for ancestor in reversed(owner.__mro__):
        if issubclass(ancestor, base) and ancestor is not base:
            for name in get_annotations(ancestor):
                kind = hints[name]
                is_shared = kind is ClassVar or get_origin(kind) is ClassVar
                if not (is_shared or name.startswith("_") or name == STATE):
                    yield name, kind


def _check_name(owner: type[Any], base: type[Any], name: str) -> None:
    """Refuse a parameter that would hide an attribute of the base class.

    Raises:
        ParameterError: Says what to write instead.
    """
    if name in get_annotations(base):
        kind, value = type(getattr(base, name)).__name__, getattr(owner, name)
        raise ParameterError(
            f"{owner.__name__}.{name} is a setting and no parameter; write "
            f"`{name}: ClassVar[{kind}] = {value!r}`"
        )
    if hasattr(base, name):
        raise ParameterError(
            f"{owner.__name__}.{name}: a parameter cannot have this name, since "
            f"{base.__name__}.{name} would be gone; choose another"
        )


def _check_pairs(owner: type[Any]) -> None:
    """Refuse pairs of names and values such as backtrader reads.

    Raises:
        ParameterError: Says what to write instead.
    """
    if any("params" in get_annotations(each) for each in owner.__mro__):
        return
    match getattr(owner, "params", None):
        case ((str(name), value), *_):
            raise ParameterError(
                f"{owner.__name__}.params is not read; write an annotated attribute for each "
                f"parameter, such as `{name}: {type(value).__name__} = {value!r}`"
            )


def _unannotated(owner: type[Any], base: type[Any]) -> dict[str, Any]:
    """Return the attributes that would be parameters if they were annotated, with their values."""
    annotated = {STATE}.union(*map(get_annotations, owner.__mro__))
    return {
        name: value
        for ancestor in reversed(owner.__mro__)
        for name, value in vars(ancestor).items()
        if type(value) in _PLAIN
        and name not in annotated
        and not name.startswith("_")
        and not hasattr(base, name)
    }


def _shown(value: object) -> str:
    return repr(str(value)) if isinstance(value, Decimal | str) else repr(value)


def _hints_of(owner: type[Any]) -> dict[str, Any]:
    try:
        return get_type_hints(owner, include_extras=True)
    except NameError as error:
        missing, texts = str(error.name), ChainMap(*map(get_annotations, owner.__mro__))
        named = (name for name, text in texts.items() if isinstance(text, str) and missing in text)
        raise ParameterError(
            f"{owner.__name__}.{next(named, '')}: its type is {missing!r}, and that name does not "
            "exist where the class is defined"
        ) from None
