"""The log formats, found by looking: each module or package here that has a `SOURCE` is one.

`FORMATS` is made when it is first asked for: a hook that reads one format must not wait for all.
"""

import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.sources.reading import Source

    FORMATS: Mapping[str, Source]
    """The format of each name, in the order in which they are asked whether a file is theirs."""


def __getattr__(name: str) -> Any:
    if name != "FORMATS":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = MappingProxyType(find_sources())
    return globals()[name]


def find_sources() -> dict[str, "Source"]:
    """The formats in the folders of this package, in the order in which they are asked."""
    modules = (
        importlib.import_module(f"{__name__}.{module.name}")
        for module in pkgutil.iter_modules(__path__)
    )
    sources: list[Source] = [module.SOURCE for module in modules if hasattr(module, "SOURCE")]
    # The first that recognises a file reads it: the particular before the general.
    return {source.name: source for source in sorted(sources, key=lambda s: (s.is_general, s.name))}
