"""Finding the application that a command names: `module:attribute`, `file.py:attribute`, or nothing at all."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from mastra.errors import BadSetting
from mastra.mastra import Mastra

# Where an application is looked for when none is named.
PLACES = ("app.py", "main.py", "src/app.py", "src/main.py")


def load_application(target: str | None = None, folder: Path | None = None) -> Mastra:
    """The `Mastra` object that `target` names; without one, the only one in the usual files."""
    base = (folder or Path.cwd()).resolve()
    if str(base) not in sys.path:
        sys.path.insert(0, str(base))
    name, _, attribute = (target or discover(base)).partition(":")
    module = _import(name, base)
    found = getattr(module, attribute, None) if attribute else _only(module, name)
    if not isinstance(found, Mastra):
        raise BadSetting(
            f"There is no Mastra called {attribute or 'mastra'!r} in {name!r}.",
            hint="Write module:attribute, such as app:mastra.",
        )
    return found


def discover(base: Path) -> str:
    """The first usual file that is there."""
    for place in PLACES:
        if (base / place).is_file():
            return place
    raise BadSetting(
        f"There is no application in {base}.", hint=f"Name one (app:mastra), or make one of {', '.join(PLACES)}."
    )


def _import(name: str, base: Path) -> ModuleType:
    if not name.endswith(".py"):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not name.startswith(error.name):
                raise  # the application is there, something that it imports is not
            raise BadSetting(f"There is no module {name!r} in {base}.", hint="Write module:attribute.") from error
    path = base / name
    if not path.is_file():
        raise BadSetting(f"There is no file {path}.")
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise BadSetting(f"{path} cannot be imported.")
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    spec.loader.exec_module(module)
    return module


def _only(module: ModuleType, name: str) -> Mastra:
    named = getattr(module, "mastra", None)
    if isinstance(named, Mastra):
        return named
    found = [value for value in vars(module).values() if isinstance(value, Mastra)]
    if len(found) != 1:
        raise BadSetting(f"{name!r} has {len(found)} Mastra objects.", hint="Name one: module:attribute.")
    return found[0]
