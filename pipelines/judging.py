"""Which judge the configuration asks for, and whether session text may be sent to it."""

import os
from math import inf
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from agent_core.errors import ConfigError
from agent_core.model import OpenAIModel, shown_url
from pipelines.config import JudgeConfig
from pipelines.context import Context

if TYPE_CHECKING:
    from judges.llm import LLMJudge
    from pipelines.budget import Budget


def judge_with_consent(context: Context) -> "LLMJudge":
    """The configured model as a judge.

    Raises ConfigError where nobody agreed to send it session text.
    """
    require_consent(context.config.judge, "session text")
    return make_model_judge(context)


def require_consent(config: JudgeConfig, what: str) -> None:
    """Raise ConfigError unless the configuration agrees to send `what` to its endpoint."""
    if not config.consent:
        raise ConfigError(
            f"{what} would be sent to {shown_url(config.base_url)}: "
            "set [judge] consent = true to agree"
        )


def make_model_judge(context: Context) -> "LLMJudge":
    """The configured model as a judge, without asking anybody. Raises ConfigError."""
    from judges.llm import LLMJudge
    from judges.llm.reading import unknown_cost
    from pipelines.model_price import price_of

    price = price_of(context, context.config.judge.model)
    cost_of = price.cost if price else unknown_cost
    model = make_model(context.config.judge)
    return LLMJudge(model, salt=context.home.salt(), cost_of=cost_of)


def make_budget(context: Context, tokens: int | None = None) -> "Budget":
    """The budget of one run: `tokens`, else that of `[judge]`; none of either is no limit.

    Raises ConfigError where money is limited and the model has no price.
    """
    from pipelines.budget import Budget
    from pipelines.model_price import price_of

    config = context.config.judge
    price = price_of(context, config.model)
    return Budget(tokens or config.budget_tokens or inf, config.budget_usd or inf, price)


def make_model(config: JudgeConfig) -> OpenAIModel:
    """The chat model of the `[judge]` section."""
    return OpenAIModel(
        base_url=config.base_url,
        model=config.model,
        api_key=api_key(config),
        timeout=config.timeout_seconds,
        max_retries=config.max_retries,
        max_output_tokens=config.max_output_tokens,
    )


def api_key(config: JudgeConfig) -> str:
    """The key from the environment; a loopback endpoint needs none."""
    key = os.environ.get(config.api_key_env, "")
    if key:
        return key
    if is_on_this_machine(config):
        return "not-needed"
    raise ConfigError(
        f"no key for {shown_url(config.base_url)}: set {config.api_key_env}, or name another "
        "variable with [judge] api_key_env"
    )


def is_on_this_machine(config: JudgeConfig) -> bool:
    """Whether the endpoint is a loopback one, which needs no key."""
    return urlsplit(config.base_url).hostname in ("127.0.0.1", "localhost", "::1")
