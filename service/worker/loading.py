"""Importing the modules that define task types."""

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterable

from service.errors import Invalid

# The subjects of the service, by name: the worker knows no subject, and runs all there are.
BUILT_IN = ("service.coverage.handlers",)


def import_modules(modules: Iterable[str]) -> None:
    """Import the built-in subjects and these, so that their handlers register. Raises Invalid.

    Modules are looked for in the working directory too, as `python -m` does.
    """
    if (here := os.getcwd()) not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
    for name in (*filter(_exists, BUILT_IN), *modules):
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise Invalid(
                f"Cannot import {name}: {error}.", hint="Name a module as in `import`, not a file."
            ) from error


def _exists(module: str) -> bool:
    package = module.rpartition(".")[0]
    return importlib.util.find_spec(package) is not None
