"""Which tools there are: every `<name>.toml` of a folder with the `<name>.py` beside it."""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from agent_core.errors import ConfigError
from agent_core.model import ToolSchema
from agent_core.sandbox import Sandbox
from agent_core.session import Observation, ToolCall
from agent_core.toolkit.spec import load_spec
from agent_core.toolkit.tool import Tool, ToolCode, failed
from agent_core.toolkit.workspace import Workspace

TOOLS_FOLDER = Path(__file__).parent.parent / "tools"


def load_tools(root: Path = TOOLS_FOLDER) -> dict[str, Tool]:
    """The tools of a folder by name; ConfigError names the file that is wrong."""
    specs = sorted(root.glob("*.toml"))
    if not specs:
        raise ConfigError(f"no tool specs in {root}; name the folder that holds <tool>.toml")
    return {path.stem: _load(path) for path in specs}


@dataclass(frozen=True)
class Toolbox:
    """The tools at work on one workspace."""

    tools: Mapping[str, Tool]
    workspace: Workspace
    sandbox: Sandbox | None

    def execute(self, call: ToolCall) -> Observation:
        """The observation of a call; a tool that does not exist is a failure like another."""
        tool = self.tools.get(call.name)
        if tool is None:
            message = f"unknown tool {call.name}; the tools are {', '.join(sorted(self.tools))}"
            return failed(call, "unknown_tool", message)
        return tool.call(call, self.workspace, self.sandbox)

    def schemas(self) -> tuple[ToolSchema, ...]:
        """The tools as a model is told of them."""
        return tuple(
            ToolSchema(
                name,
                tool.spec.filled_description(),
                tool.spec.parameters.model_dump(mode="json", exclude_none=True),
            )
            for name, tool in sorted(self.tools.items())
        )


def _load(spec_path: Path) -> Tool:
    spec = load_spec(spec_path)
    if spec.name != spec_path.stem:
        raise ConfigError(f"{spec_path.name} calls itself {spec.name}; the names must agree")
    return Tool(spec, _code(spec_path.with_suffix(".py")))


def _code(path: Path) -> ToolCode:
    # By file, not by module name: the tools of another checkout must not be ours.
    found = importlib.util.spec_from_file_location(f"agent_core.tools.{path.stem}", path)
    if found is None or found.loader is None or not path.is_file():
        raise ConfigError(f"{path.name} is missing beside its spec")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    if not callable(getattr(module, "run", None)):
        raise ConfigError(f"{path.name} has no function run(arguments, context)")
    return cast(ToolCode, module.run)
