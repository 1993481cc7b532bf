"""The bundled agent on a task of the user's own, driven by the configured model."""

import uuid
from pathlib import Path

from agent_core.agent import Opening, run_task
from agent_core.loop import AgentResult
from agent_core.model_policy import ModelPolicy
from agent_core.sandbox import find_sandbox
from pipelines.context import Context
from pipelines.judging import make_model
from pipelines.live_advice import LiveAdviser


def work_on(context: Context, task: str, repo: Path) -> AgentResult:
    """Work on `task` in `repo`; the session is logged in the home and analysed like any other.

    Raises ModelError where the endpoint cannot be used.
    """
    with make_model(context.config.judge) as model:
        return run_task(
            task,
            repo,
            context.home.root,
            ModelPolicy(model),
            opening=Opening(
                session_id=str(uuid.uuid4()),
                clock=context.clock,
                user=context.config.sources.user,
                project=str(repo),
            ),
            sandbox=find_sandbox(),
            advise=LiveAdviser(context.home),
        )
