"""One conversation of OpenHands while its events are read, whatever generation they are of."""

import re
from dataclasses import dataclass, field, replace
from typing import Any

from agent_core.session import Session, Step
from pipelines.sources.drafting import SessionDraft, with_facts_of_steps
from pipelines.sources.fields import id_of, mapping_of, text_of
from pipelines.sources.formats.openhands.usage import (
    Meter,
    Usage,
    calls_of,
    stats_model,
    stats_total,
)
from pipelines.sources.person import is_machine_text

NAME = "openhands"

# What harnesses and the runtime put into the user's place.
_MACHINE_STARTS = (
    "<uploaded_files>",
    "<RUNTIME_INFORMATION>",
    "<REPOSITORY_INFO>",
    "<EXTRA_INFO>",
    "Please continue working on the task on whatever approach",
)
_API_ERROR = re.compile(
    r"litellm|\bllm|rate.?limit|api.{0,2}(?:connection|status|error|timeout)|authenticationerror"
    r"|service.?unavailable|internal.?server.?error|badrequesterror|context.?window|overloaded",
    re.IGNORECASE,
)


@dataclass
class Conversation:
    """The steps of a conversation, and what its events say of it as a whole."""

    is_task: bool = False
    """A run of a harness: its prompts come from nobody."""
    draft: SessionDraft = field(default_factory=SessionDraft)
    meter: Meter = field(default_factory=Meter)
    session_id: str = ""
    version: str | None = None
    project: str | None = None
    model: str | None = None
    first_text: str = ""
    """The first of the texts in the user's place."""

    def user_step(self, ref: str, text: str) -> Step:
        """A message in the user's place, the person's turn or not."""
        self.first_text = self.first_text or text
        is_machine = is_machine_text(text) or text.lstrip().startswith(_MACHINE_STARTS)
        return Step(ref, "user", text, is_person=not (is_machine or self.is_task))

    def note_folder(self, place: Any) -> None:
        """The first folder that is named is the project."""
        folder = text_of(place, "working_dir")
        self.project = self.project or folder or None

    def note_state(self, state: Any) -> None:
        """What the SDK's state says: id, model, workspace and usage."""
        llm = mapping_of(mapping_of(state, "agent"), "llm")
        stats = mapping_of(state, "stats")
        self.session_id = self.session_id or id_of(state, "id")
        self.model = self.model or text_of(llm, "model") or stats_model(stats) or None
        self.note_folder(mapping_of(state, "workspace"))
        for metrics in mapping_of(stats, "usage_to_metrics").values():
            self.meter.calls.update(calls_of(metrics))
        total = stats_total(stats)
        if any(total):
            self.meter.total = Usage(*map(max, self.meter.total, total))

    def session(self, session_id: str, source_path: str) -> Session:
        """The whole session."""
        session = Session(
            key=f"{NAME}:{session_id}",
            format=NAME,
            session_id=session_id,
            source_path=source_path,
            steps=tuple(map(self._with_model, self.meter.apply(self.draft.finish()))),
            agent=NAME,
            agent_version=self.version,
            project=self.project,
            extra={"clashes": self.draft.clashes} if self.draft.clashes else {},
        )
        return with_facts_of_steps(session)

    def _with_model(self, step: Step) -> Step:
        if step.source != "agent" or step.model:
            return step
        return replace(step, model=self.model)


def is_api_error(text: str) -> bool:
    """Whether a failure of the whole run is one of calling the model."""
    return bool(_API_ERROR.search(text[:2000]))


def failure_step(ref: str, text: str) -> Step:
    """A failure that belongs to no call: of calling the model, or of the run."""
    return Step(ref, "system", text, event="api_error" if is_api_error(text) else None)
