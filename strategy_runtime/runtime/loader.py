"""Load a strategy class from a target such as `module:Class`.

A target is `module:Class`, `package.module:Outer.Inner` or `file.py:Class`. `:Class` may be left
out if the module defines exactly one strategy.
"""

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType, TracebackType

from strategy_runtime.errors import LoadError, reason_of
from strategy_runtime.runtime.targets import FORMS, NO_CODE, PYTHON, look_at, parse_target
from strategy_runtime.strategy import Strategy
from strategy_runtime.suggestions import did_you_mean

__all__ = ["load_strategy"]

_MACHINERY = str(Path(importlib.__file__).parent)


def load_strategy(target: str, *, directory: Path | None = None) -> type[Strategy]:
    """Import the strategy class that `target` names.

    The directory (by default the current one, for a file its own folder) becomes the first entry
    of `sys.path`, and stays there, since the strategy may import its neighbours later.

    Raises:
        LoadError: There is no such module, file or name, it cannot be read, or it is not a
            strategy class.
        Exception: Whatever the user's own module raised on import; the traceback starts in that
            module.
    """
    directory = (directory or _here()).resolve()
    place, name = parse_target(target, directory)
    if place.endswith(PYTHON):
        module = _import_file(directory / place, target)
    else:
        module = _import_module(place, directory, target)
    return _only_strategy(module, place) if name is None else _named(module, name, place)


def _here() -> Path:
    try:
        return Path.cwd()
    except OSError as error:
        raise LoadError(
            f"the current folder cannot be used: {reason_of(error)}; change to another one"
        ) from None


def _import_module(name: str, directory: Path, target: str) -> ModuleType:
    _import_first_from(directory)
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            error.__traceback__ = _users(error.__traceback__)
            raise
        missing = error.name
    except (Exception, SystemExit) as error:
        error.__traceback__ = _users(error.__traceback__)
        _refuse_unreadable(error)
        raise
    else:
        _check_not_shadowed(module, name, directory)
        return module
    raise LoadError(_missing(missing, directory, target))


def _missing(name: str, directory: Path, target: str) -> str:
    """Return the error message for a module that cannot be found."""
    parent, _, last = name.rpartition(".")
    holder = sys.modules.get(parent)
    if holder is not None and not hasattr(holder, "__path__"):
        guesses = [f"{parent}:{each.__name__}" for each in _strategies(holder)]
        hint = did_you_mean(f"{parent}:{last}", guesses) or _listed(_strategies(holder))
        return f"there is no module {name!r}, {parent!r} is not a package{hint}"
    folder = directory.joinpath(*parent.split(".")) if parent else directory
    if _is_file(directory / target):
        return f"{target!r} {NO_CODE}; {FORMS}"
    hint = did_you_mean(last, _modules_in(folder))
    return f"there is no module {name!r} in {folder} nor among those installed{hint}"


def _import_file(path: Path, target: str) -> ModuleType:
    try:
        look_at(path)
        is_there = path.is_file()
    except OSError as error:
        raise LoadError(f"{path} cannot be read: {reason_of(error)}") from None
    if not is_there:
        hint = did_you_mean(path.name, [each.name for each in path.parent.glob("*.py")])
        raise LoadError(f"there is no file {path.name} in {path.parent}{hint}")
    _import_first_from(path.parent)
    name = path.stem
    known = sys.modules.get(name)
    if known is not None:
        if _is_from(known, path):
            return known
        name = f"{name}_from_file"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise LoadError(f"{target!r} cannot be imported; {FORMS}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        error.__traceback__ = _users(error.__traceback__)
        _refuse_unreadable(error)
        if isinstance(error, ImportError) and "relative import" in str(error):
            error.add_note(
                f"a file is not part of a package: in {path.parent.parent}, name it as "
                f"{path.parent.name}.{path.stem}:Class"
            )
        raise
    return module


def _check_not_shadowed(module: ModuleType, name: str, directory: Path) -> None:
    path = directory / f"{name}.py"
    if _is_file(path) and not _is_from(module, path):
        raise LoadError(
            f"{path.name} has the name of another module ({_file_of(module)}); write "
            f"{path.name}:Class, or rename the file"
        )


def _named(module: ModuleType, name: str, place: str) -> type[Strategy]:
    found: object = module
    owner, holder = place, _located(module, place)
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            hint = did_you_mean(part, (each for each in dir(found) if not each.startswith("_")))
            raise LoadError(
                f"{holder} has no {part!r}{hint or _listed(_strategies(module))}"
            ) from None
        owner = f"{owner}{':' if owner == place else '.'}{part}"
        holder = repr(owner)
    if not inspect.isclass(found):
        raise LoadError(f"{owner!r} is {_kind_of(found)}, not a strategy class")
    if not issubclass(found, Strategy):
        raise LoadError(
            f"{owner!r} is a class, but not a subclass of strategy_runtime.Strategy"
            f"{_listed(_strategies(module))}"
        )
    if found is Strategy:
        raise LoadError(f"{owner!r} is the base class itself{_listed(_strategies(module))}")
    return found


def _only_strategy(module: ModuleType, place: str) -> type[Strategy]:
    found = _strategies(module)
    if len(found) == 1:
        return found[0]
    if found:
        choice = " or ".join(f"{place}:{each.__name__}" for each in found)
        raise LoadError(f"{place!r} defines {len(found)} strategies; say which: {choice}")
    if hasattr(module, "__path__"):
        inside = sorted(f"{place}.{name}" for path in module.__path__ for name in _modules_in(path))
        hint = f"; name a module in it: {' '.join(inside)}" if inside else ""
        raise LoadError(f"{place!r} is a folder and defines no strategy itself{hint}")
    borrowed = [each for each in _strategies(module, own=False) if each is not Strategy]
    hint = f"; it imports {place}:{borrowed[0].__name__}" if borrowed else ""
    hint = hint or "".join(
        f"; {each.__name__} is abstract, so derive one from it"
        for each in vars(module).values()
        if inspect.isclass(each) and issubclass(each, Strategy) and inspect.isabstract(each)
    )
    raise LoadError(f"{_located(module, place)} defines no strategy, no subclass of Strategy{hint}")


def _strategies(module: ModuleType, *, own: bool = True) -> list[type[Strategy]]:
    """Return the concrete strategy classes of a module, in the order of their definition.

    Args:
        own: Those that the module defines; False for those it imports.
    """
    return [
        value
        for name, value in vars(module).items()
        if not name.startswith("_")
        and inspect.isclass(value)
        and issubclass(value, Strategy)
        and not inspect.isabstract(value)
        and (value.__module__ == module.__name__) == own
    ]


def _listed(strategies: Iterable[type[Strategy]]) -> str:
    names = ", ".join(each.__name__ for each in strategies)
    return f"; its strategies are {names}" if names else "; it defines no strategy"


def _kind_of(found: object) -> str:
    if isinstance(found, Strategy):
        return f"an instance of {type(found).__name__} (name the class itself)"
    if inspect.ismodule(found):
        return "a module"
    if inspect.isroutine(found):
        return "a function"
    kind = type(found).__name__
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _import_first_from(directory: Path) -> None:
    text = str(directory)
    if sys.path[:1] != [text]:
        sys.path.insert(0, text)
    importlib.invalidate_caches()


def _located(module: ModuleType, place: str) -> str:
    """Return the name of a module as it was given, with the file found for it."""
    return f"{place!r} ({_file_of(module)})"


def _file_of(module: ModuleType) -> str:
    folders: list[str] = list(getattr(module, "__path__", ()))
    file: str | None = getattr(module, "__file__", None)
    return file or (folders[0] if folders else "built into Python")


def _is_from(module: ModuleType, path: Path) -> bool:
    return getattr(module, "__file__", None) == str(path)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # an installed strategy must run even if the folder cannot be read
        return False


def _modules_in(place: str | Path) -> list[str]:
    try:
        inside = [*Path(place).iterdir()]
    except OSError:
        return []
    return [
        each.stem
        for each in inside
        if (each.suffix == PYTHON or (each.is_dir() and any(each.glob("*.py"))))
        and not each.name.startswith("_")
    ]


def _refuse_unreadable(error: BaseException) -> None:
    """Raise LoadError if the module's own file cannot be read, not if its code failed to read one.

    Only the former error has no traceback left once our frames are removed.
    """
    if isinstance(error, OSError) and error.__traceback__ is None:
        raise LoadError(f"{error.filename} cannot be read: {reason_of(error)}") from None


def _users(trace: TracebackType | None) -> TracebackType | None:
    """Drop the leading frames of this module and of the import machinery from a traceback."""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file != __file__ and not file.startswith((_MACHINERY, "<frozen importlib")):
            break
        trace = trace.tb_next
    return trace
