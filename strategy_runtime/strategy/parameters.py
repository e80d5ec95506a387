"""Parameters: the annotated public attributes of a strategy class.

One place reads and checks them, whoever gives them: the constructor, `--set name=value`, the
environment variable `PARAM_<NAME>`, or the default (in this order). Text is converted by the
annotation (msgspec, lax). Names with a leading underscore, `ClassVar`s and `state` are none.
"""

import operator
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from inspect import get_annotations
from typing import Annotated, Any, ClassVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from strategy_runtime.errors import ParameterError
from strategy_runtime.strategy.state import NAME as STATE
from strategy_runtime.suggestions import did_you_mean

__all__ = ["ENVIRONMENT_PREFIX", "Parameter", "Parameters"]

ENVIRONMENT_PREFIX = "PARAM_"

_BOUNDS: dict[str, tuple[Callable[[Any, Any], bool], str]] = {
    "gt": (operator.gt, ">"),
    "ge": (operator.ge, ">="),
    "lt": (operator.lt, "<"),
    "le": (operator.le, "<="),
}


class Parameter:
    """One parameter: its name, type, bounds and default.

    `Decimal` parameters may have bounds like any number: msgspec refuses them there, so they are
    checked here.
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
                self.convert(default)
        except ParameterError as error:
            raise ParameterError(f"{owner}: the default of {error}") from None
        except Exception as error:
            raise ParameterError(
                f"{owner}.{name}: a parameter cannot have the type {annotation!r} ({error});"
                " give it a leading underscore or ClassVar if it is not meant as a parameter"
            ) from error

    def convert(self, value: object) -> Any:
        """The value in the parameter's type.

        Raises:
            ParameterError: Names the parameter, the value and the rule it breaks.
        """
        try:
            converted = msgspec.convert(value, self._type, strict=False)
        except msgspec.ValidationError as error:
            raise ParameterError(f"{self.name} = {_shown(value)}: {error}") from None
        if isinstance(converted, Decimal) and not converted.is_finite():
            raise ParameterError(f"{self.name} = {_shown(value)}: Expected a finite number")
        for kind, bound in self._bounds:
            holds, sign = _BOUNDS[kind]
            if not holds(converted, bound):
                raise ParameterError(
                    f"{self.name} = {_shown(value)}: Expected `decimal` {sign} {bound}"
                )
        return converted


class Parameters:
    """The parameters of one strategy class, by name, base classes first."""

    def __init__(self, owner: type[Any], base: type[Any]) -> None:
        self._owner = owner.__name__
        self._by_name: dict[str, Parameter] = {}
        hints = get_type_hints(owner, include_extras=True)
        for ancestor in reversed(owner.__mro__):
            if ancestor is object or not issubclass(ancestor, base) or ancestor is base:
                continue
            for name in get_annotations(ancestor):
                annotation = hints[name]
                if (
                    name.startswith("_")
                    or name == STATE
                    or annotation is ClassVar
                    or get_origin(annotation) is ClassVar
                ):
                    continue
                if hasattr(base, name):
                    raise ParameterError(
                        f"{self._owner}.{name}: a parameter cannot have this name, since "
                        f"{base.__name__}.{name} would be gone; choose another"
                    )
                required = not hasattr(owner, name)
                default = None if required else getattr(owner, name)
                self._by_name[name] = Parameter(self._owner, name, annotation, default, required)

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self._by_name.values())

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def resolve(self, given: Mapping[str, object]) -> dict[str, Any]:
        """All values, those given converted and checked, the others by default.

        Raises:
            ParameterError: An unknown name (with near matches), a value that breaks a rule, or a
                parameter without default that is not given.
        """
        for name in given:
            if name not in self._by_name:
                raise ParameterError(f"{self._owner} has no parameter {name!r}{self._hint(name)}")
        values: dict[str, Any] = {}
        for parameter in self._by_name.values():
            if parameter.name in given:
                try:
                    values[parameter.name] = parameter.convert(given[parameter.name])
                except ParameterError as error:
                    raise ParameterError(f"{self._owner}.{error}") from None
            elif parameter.required:
                raise ParameterError(
                    f"{self._owner}.{parameter.name} has no default; give it with "
                    f"--set {parameter.name}=VALUE or {ENVIRONMENT_PREFIX}{parameter.name.upper()}"
                )
            else:
                values[parameter.name] = parameter.default
        return values

    def from_environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """What `PARAM_<NAME>` variables give; empty ones count as not set.

        Raises:
            ParameterError: A `PARAM_` variable that names no parameter.
        """
        names = {ENVIRONMENT_PREFIX + name.upper(): name for name in self._by_name}
        found: dict[str, str] = {}
        for variable, text in environ.items():
            if not variable.startswith(ENVIRONMENT_PREFIX) or not text:
                continue
            if variable not in names:
                raise ParameterError(
                    f"environment variable {variable}: {self._owner} has no such parameter"
                    f"{did_you_mean(variable, names)}"
                )
            found[names[variable]] = text
        return found

    def _hint(self, name: str) -> str:
        guess = did_you_mean(name, self._by_name)
        if guess or not self._by_name:
            return guess or "; it has none"
        return f"; it has {', '.join(self._by_name)}"


def _shown(value: object) -> str:
    return repr(str(value)) if isinstance(value, Decimal | str) else repr(value)
