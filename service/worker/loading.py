"""Importing the modules that define task types."""

import importlib
import os
import sys
from collections.abc import Iterable

from service.errors import Invalid


def import_modules(modules: Iterable[str]) -> None:
    """Import them, so that their handlers register. Raises Invalid for one that cannot be imported.

    They are looked for in the working directory too, as `python -m` does.
    """
    if (here := os.getcwd()) not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
    for name in modules:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise Invalid(
                f"Cannot import {name}: {error}.", hint="Name a module as in `import`, not a file."
            ) from error
