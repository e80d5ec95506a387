"""Methods that a strategy names without calling them, as in `if not self.position:`.

Python takes such a method for true and calls nothing, silently. So the source of a class, if there
is one, is checked when the class is defined.
"""

import ast
import linecache
from collections import deque
from collections.abc import Callable, Iterator
from functools import lru_cache
from inspect import Parameter, isfunction, signature, unwrap
from itertools import pairwise
from types import FunctionType
from typing import Any

from strategy_runtime.strategy.hooks import EVENT_HOOKS, HOOKS

__all__ = ["check_calls"]

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_SAME, _NAMED = ast.Eq | ast.NotEq | ast.Is | ast.IsNot, ast.Name | ast.Attribute
"""Operators that may compare one method with another, and the operands with which they do."""
_BOUND_EARLY = {*EVENT_HOOKS.values(), "on_event"}
"""Hooks that are looked up once, before `on_start`."""


def check_calls(part: type[Any], whole: type[Any], base: type[Any]) -> None:
    """Refuse code that uses a method of the base class as a value where it should call it, that
    replaces such a method, or that sets a hook too late.

    Args:
        part: The class whose functions are checked: a strategy, or a mixin of it.
        whole: The strategy class.

    Raises:
        TypeError: Names the class, the line, and what to write.
    """
    sources: dict[str, str] = {}
    for value in vars(part).values():
        function = value.fget if isinstance(value, property) else value
        node = _node_of(unwrap(function), sources) if isfunction(function) else None
        if node is not None:
            for name, found in _misuses(node, whole, base):
                place = f"{part.__name__}.{node.name}, line {found.lineno}: self.{name}"
                if name in HOOKS:
                    raise TypeError(
                        f"{place} would be set too late: hooks are looked up before on_start; set "
                        f"it in __init__, or define {name} and call the function there"
                    )
                if not isinstance(found.ctx, ast.Load):
                    raise TypeError(
                        f"{place} would replace {base.__name__}.{name}(); choose another name"
                    )
                raise TypeError(
                    f"{place} is a method that is not called, so it has no effect; "
                    f"write self.{name}({_required_arguments(getattr(base, name))})"
                )


def _node_of(function: Callable[..., Any], sources: dict[str, str]) -> _Function | None:
    """Return the syntax tree of a function, or None; `sources` caches the files."""
    if not isfunction(function):
        return None
    code = function.__code__
    file = code.co_filename
    if file not in sources:
        linecache.checkcache(file)
        sources[file] = "".join(linecache.getlines(file, function.__globals__))
    return _functions_in(sources[file]).get((code.co_name, code.co_firstlineno))


@lru_cache(maxsize=4)  # a class and its mixins may be in several modules
def _functions_in(source: str) -> dict[tuple[str, int], _Function]:
    """Return the functions of a module by name and first line; none if it cannot be parsed."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return {}
    return {
        (node.name, min(each.lineno for each in (node, *node.decorator_list))): node
        for node in ast.walk(tree)
        if isinstance(node, _Function)
    }


def _misuses(
    function: _Function, whole: type[Any], base: type[Any]
) -> Iterator[tuple[str, ast.Attribute]]:
    """Yield the name and the node of each misused method of the base class or hook."""
    arguments = _arguments(function)
    self_name = arguments[0] if arguments else ""
    for node in _nodes_in(function, self_name):
        for found in (node, *_used_values(node)):
            if (
                isinstance(found, ast.Attribute)
                and isinstance(found.value, ast.Name)
                and found.value.id == self_name
                and (found is not node or not isinstance(found.ctx, ast.Load))
                and (_is_method(found.attr, whole, base) or _is_too_late(found, function))
            ):
                yield found.attr, found


def _nodes_in(function: _Function, self_name: str) -> Iterator[ast.AST]:
    """Yield all nodes of a function, except nested functions with an argument of that name."""
    waiting: deque[ast.AST] = deque([function])
    while waiting:
        for each in ast.iter_child_nodes(waiting.popleft()):
            if not (isinstance(each, _Function | ast.Lambda) and self_name in _arguments(each)):
                yield each
                waiting.append(each)


def _arguments(function: _Function | ast.Lambda) -> list[str]:
    return [each.arg for each in (*function.args.posonlyargs, *function.args.args)]


def _used_values(node: ast.AST) -> Iterator[ast.expr]:
    """Yield the operands whose value the node uses itself, instead of passing it on."""
    match node:
        case (
            ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test) | ast.Assert(test=test)
        ):
            yield from _tested(test)
        case ast.UnaryOp(operand=operand):
            yield from _tested(operand)
        case ast.BoolOp(values=values):
            yield from values[:-1]
        case ast.Compare(left=left, ops=signs, comparators=others):
            for sign, pair in zip(signs, pairwise((left, *others)), strict=True):
                if not (isinstance(sign, _SAME) and all(isinstance(e, _NAMED) for e in pair)):
                    yield from pair
        case ast.BinOp(left=left, right=right):
            yield from (left, right)
        case ast.For(iter=each):
            yield each
        case ast.comprehension(iter=each, ifs=tests):
            yield each
            for test in tests:
                yield from _tested(test)
        case ast.Attribute(value=value, attr=name) if not name.startswith("__"):
            yield value
        case ast.Subscript(value=value) | ast.Expr(value=value):
            yield value


def _tested(test: ast.expr) -> Iterator[ast.expr]:
    if isinstance(test, ast.BoolOp):
        for each in test.values:
            yield from _tested(each)
    else:
        yield test


def _is_method(name: str, whole: type[Any], base: type[Any]) -> bool:
    is_public = not name.startswith("_") and name not in HOOKS
    return is_public and all(isfunction(getattr(each, name, None)) for each in (base, whole))


def _is_too_late(found: ast.Attribute, function: _Function) -> bool:
    """Whether a hook is assigned after hooks have been looked up."""
    is_set = isinstance(found.ctx, ast.Store) and found.attr in _BOUND_EARLY
    return is_set and function.name != "__init__"


def _required_arguments(method: FunctionType) -> str:
    _, *parameters = signature(method).parameters.values()
    return ", ".join(each.name for each in parameters if each.default is Parameter.empty)
