"""A tool: its spec, its code, and what a call of it gives."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from agent_core.sandbox import Sandbox
from agent_core.session import Observation, ToolCall
from agent_core.signature import error_signature
from agent_core.toolkit.errors import ToolError
from agent_core.toolkit.paging import page
from agent_core.toolkit.spec import ToolSpec
from agent_core.toolkit.workspace import Workspace


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What a tool's code may use."""

    workspace: Workspace
    sandbox: Sandbox | None
    """None: no sandbox works here, and nothing may be run."""
    limits: Mapping[str, float]
    """The spec's."""


ToolCode = Callable[[Mapping[str, Any], ToolContext], str]


@dataclass(frozen=True, slots=True)
class Tool:
    """A spec and the code that serves it; a call never raises."""

    spec: ToolSpec
    code: ToolCode

    def call(self, call: ToolCall, workspace: Workspace, sandbox: Sandbox | None) -> Observation:
        """The observation of one call; failures are observations too."""
        context = ToolContext(workspace, sandbox, self.spec.limits)
        try:
            arguments = self.spec.checked(call.arguments)
            content = self._shown(self.code(arguments, context), arguments)
        except ToolError as error:
            return failed(call, error.code, self.spec.message(error, call.arguments))
        except Exception as error:  # noqa: BLE001  one call's bug must not end the session
            reason = workspace.relative(f"{type(error).__name__}: {error}")
            return failed(call, "other", f"{self.spec.name} broke: {reason}")
        return Observation(call.call_id, content)

    def _shown(self, content: str, arguments: Mapping[str, Any]) -> str:
        """The result, or the page of it that was asked for; ToolError output_limit or
        invalid_arguments."""
        most = int(self.spec.limits.get("output_chars", len(content)))
        if len(content) <= most:
            return content
        if self.spec.paging is None:
            raise ToolError("output_limit", case="result", chars=len(content), most=most)
        return page(content, arguments[self.spec.paging], most, self.spec.paging)


def failed(call: ToolCall, error_class: str, message: str) -> Observation:
    """The observation of a call that failed."""
    return Observation(call.call_id, message, True, error_class, error_signature(message))
