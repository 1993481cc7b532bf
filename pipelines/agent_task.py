"""The bundled agent on a task of the user's own, driven by the configured model."""

import uuid
from collections.abc import Callable
from pathlib import Path

from agent_core.agent import Opening, open_session
from agent_core.loop import AgentResult
from agent_core.model import ChatModel
from agent_core.model_policy import ModelPolicy, TokenLimits
from agent_core.sandbox import find_sandbox
from pipelines.config import AgentConfig
from pipelines.context import Context
from pipelines.judging import make_model
from pipelines.live_advice import LiveAdviser

Answer = Callable[[str], str]
"""A person's answer to a question of the agent; an empty one ends the work."""


def work_on(context: Context, task: str, repo: Path, answer: Answer | None = None) -> AgentResult:
    """Work on `task` in `repo`; the session is logged in the home and analysed like any other.

    Without `answer` a question of the agent ends the work with the status `asked`. Raises
    ModelError where the endpoint cannot be used.
    """
    with make_model(context.config.judge) as model:
        session = open_session(
            repo,
            context.home.root,
            model_policy(context.config.agent, model),
            opening=Opening(
                session_id=str(uuid.uuid4()),
                clock=context.clock,
                user=context.config.sources.user,
                project=str(repo),
            ),
            sandbox=find_sandbox(),
            advise=LiveAdviser(context.home),
        )
        result = session.send(task)
        while answer is not None and result.status == "asked" and (said := answer(result.text)):
            result = session.send(said)
        return result


def model_policy(config: AgentConfig, model: ChatModel) -> ModelPolicy:
    """The policy of a model for one task, within the limits of `[agent]`."""
    return ModelPolicy(model, limits=TokenLimits(config.context_tokens, config.task_tokens))
