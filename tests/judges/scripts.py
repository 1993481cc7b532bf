"""The scripts of `data/`, which is no package, as modules."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def script_at(path: Path) -> ModuleType:
    """The script of that path, imported under its own name."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
