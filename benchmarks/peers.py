"""Other engines, installed once into an environment of their own."""

import subprocess
import venv
from collections.abc import Iterable
from pathlib import Path

from benchmarks.measure import ROOT

__all__ = ["PEERS", "QUICK", "interpreter"]

PEERS = {
    "backtesting_py": "backtesting==0.6.6",
    "basana_py": "basana==1.11",
    "backtrader_py": "backtrader==1.9.78.123",
    "nautilus": "nautilus_trader==1.221.0",
}
QUICK = ("backtesting_py", "basana_py")
"""Engines that are fast enough to be measured as often as ours."""

_PLACE = ROOT / ".venv-peers"


def interpreter(names: Iterable[str] = tuple(PEERS)) -> tuple[Path, dict[str, str]]:
    """Return the interpreter of that environment, and by name why an engine is missing from it."""
    python = _PLACE / "bin" / "python"
    if not python.exists():
        venv.create(_PLACE, with_pip=True)
    missing = {}
    for name in names:
        requirement = PEERS[name]
        done = subprocess.run(
            [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", requirement],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            missing[name] = f"pip could not install {requirement}"
    return python, missing
