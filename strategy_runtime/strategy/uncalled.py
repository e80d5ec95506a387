"""Methods that a strategy names and does not call, as in `if not self.position:`.

To Python such a method is true, and it does nothing, without a word. So the source of a class is
looked through when it is defined, as far as there is one.
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
"""Signs that may ask which of two methods one is, and between what they do so."""
_FOUND_ONCE = {*EVENT_HOOKS.values(), "on_event"}
"""Hooks that are looked up before `on_start`, and then no more."""


def check_calls(part: type[Any], whole: type[Any], base: type[Any]) -> None:
    """Refuse a method of the base class that is named where only its result has a meaning, or that
    something else is put in the place of; a hook, where that is done too late.

    Args:
        part: Whose functions are looked through: a class itself, or one that is mixed into it.
        whole: The class itself.

    Raises:
        TypeError: Names the class, the line, and what to write.
    """
    sources: dict[str, str] = {}
    for value in vars(part).values():
        function = value.fget if isinstance(value, property) else value
        node = _node_of(unwrap(function), sources) if isfunction(function) else None
        if node is not None:
            for name, found in _of_self(node, whole, base):
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
                    f"write self.{name}({_needed(getattr(base, name))})"
                )


def _node_of(function: Callable[..., Any], sources: dict[str, str]) -> _Function | None:
    """What was written of a function; the sources of files are kept for the next one."""
    if not isfunction(function):
        return None
    code = function.__code__
    file = code.co_filename
    if file not in sources:
        linecache.checkcache(file)
        sources[file] = "".join(linecache.getlines(file, function.__globals__))
    return _functions_in(sources[file]).get((code.co_name, code.co_firstlineno))


@lru_cache(maxsize=4)  # a class and what is mixed into it may be of several
def _functions_in(source: str) -> dict[tuple[str, int], _Function]:
    """The functions of a module by name and first line; nothing where it is not Python."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return {}
    return {
        (node.name, min(each.lineno for each in (node, *node.decorator_list))): node
        for node in ast.walk(tree)
        if isinstance(node, _Function)
    }


def _of_self(
    function: _Function, whole: type[Any], base: type[Any]
) -> Iterator[tuple[str, ast.Attribute]]:
    """Methods of the base class and hooks that are misused, with where."""
    arguments = _arguments(function)
    own = arguments[0] if arguments else ""
    for node in _within(function, own):
        for found in (node, *_asked(node)):
            if (
                isinstance(found, ast.Attribute)
                and isinstance(found.value, ast.Name)
                and found.value.id == own
                and (found is not node or not isinstance(found.ctx, ast.Load))
                and (_is_method(found.attr, whole, base) or _is_too_late(found, function))
            ):
                yield found.attr, found


def _within(function: _Function, own: str) -> Iterator[ast.AST]:
    """All parts of a function, but for functions in it in which that name is another thing."""
    waiting: deque[ast.AST] = deque([function])
    while waiting:
        for each in ast.iter_child_nodes(waiting.popleft()):
            if not (isinstance(each, _Function | ast.Lambda) and own in _arguments(each)):
                yield each
                waiting.append(each)


def _arguments(function: _Function | ast.Lambda) -> list[str]:
    return [each.arg for each in (*function.args.posonlyargs, *function.args.args)]


def _asked(node: ast.AST) -> Iterator[ast.expr]:
    """The parts of some code that it makes something of, and does not just hand on."""
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
    """Whether a hook is set where it is no longer looked up."""
    is_set = isinstance(found.ctx, ast.Store) and found.attr in _FOUND_ONCE
    return is_set and function.name != "__init__"


def _needed(method: FunctionType) -> str:
    _, *parameters = signature(method).parameters.values()
    return ", ".join(each.name for each in parameters if each.default is Parameter.empty)
