"""The task as the agent finds it in its workspace; see `TASK_FILE`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent_core.knowledge import Lesson, lesson_rows
from agent_core.patching.target import Target
from agent_core.patching.task import TASK_FILE, PatchTask
from agent_core.replay_records import CallHalf, RecordedCall


def write_task_file(
    workspace: Path, task: PatchTask, target: Target, calls: CallHalf, lessons: Sequence[Lesson]
) -> None:
    """All of it is data: the agent is told so in its request."""
    file = workspace / TASK_FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "task": task.to_dict(),
        "patchable": list(target.patchable),
        "failed_calls": [_failed(call) for call in calls.failed],
        "served_calls": [_described(call) for call in calls.served],
        "earlier": lesson_rows(lessons),
    }
    file.write_text(json.dumps(content, indent=1), encoding="utf-8")


def _described(call: RecordedCall) -> dict[str, Any]:
    return {
        "session_id": call.session_id,
        "number": call.number,
        "tool": call.tool,
        "arguments": dict(call.arguments),
    }


def _failed(call: RecordedCall) -> dict[str, Any]:
    return _described(call) | {"error_class": call.error_class, "message": call.content}
