"""What the attributes of a span say, in the conventions of the instrumentations that are known.

Sources: OpenTelemetry semantic conventions for generative AI (current and deprecated names),
OpenInference, the Vercel AI SDK, OpenLLMetry (`traceloop.*`), Langfuse.
"""

from collections.abc import Mapping
from typing import Literal

from agent_core.session import Tokens
from pipelines.sources.fields import mapping_of, text_of
from pipelines.sources.formats.otlp.attributes import (
    decoded,
    first_count,
    first_text,
    first_value,
)
from pipelines.sources.formats.otlp.contents import inputs_of, output_of
from pipelines.sources.formats.otlp.spans import Span

Kind = Literal["chat", "tool", "agent", "wrapper", "other"]

_KINDS: Mapping[str, Mapping[str, Kind]] = {
    "gen_ai.operation.name": {
        "chat": "chat",
        "generate_content": "chat",
        "text_completion": "chat",
        "completion": "chat",
        "execute_tool": "tool",
        "invoke_agent": "agent",
        "invoke_workflow": "wrapper",
    },
    "openinference.span.kind": {
        "llm": "chat",
        "tool": "tool",
        "agent": "agent",
        "chain": "wrapper",
    },
    "traceloop.span.kind": {
        "tool": "tool",
        "agent": "agent",
        "workflow": "wrapper",
        "task": "wrapper",
    },
    "llm.request.type": {"chat": "chat", "completion": "chat"},
    "langfuse.observation.type": {
        "generation": "chat",
        "tool": "tool",
        "agent": "agent",
        "chain": "wrapper",
    },
}
_SESSION_IDS = (
    "gen_ai.conversation.id",
    "session.id",
    "langfuse.session.id",
    "traceloop.association.properties.session_id",
    "ai.telemetry.metadata.sessionId",
    "ai.telemetry.metadata.session.id",
)
_USERS = (
    "user.id",
    "enduser.id",
    "langfuse.user.id",
    "traceloop.association.properties.user_id",
    "ai.telemetry.metadata.userId",
)
_MODELS = (
    "gen_ai.response.model",
    "gen_ai.request.model",
    "llm.model_name",
    "ai.response.model",
    "ai.model.id",
)
_INPUT_TOKENS = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.token_count.prompt",
    "ai.usage.inputTokens",
    "ai.usage.promptTokens",
    "llm.usage.prompt_tokens",
)
_OUTPUT_TOKENS = (
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.token_count.completion",
    "ai.usage.outputTokens",
    "ai.usage.completionTokens",
    "llm.usage.completion_tokens",
)
_READ_TOKENS = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "llm.token_count.prompt_details.cache_read",
    "ai.usage.cachedInputTokens",
    "ai.usage.inputTokenDetails.cacheReadTokens",
)
_WRITE_TOKENS = (
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "llm.token_count.prompt_details.cache_write",
    "ai.usage.inputTokenDetails.cacheWriteTokens",
)
_REASONING_TOKENS = (
    "gen_ai.usage.reasoning.output_tokens",
    "gen_ai.usage.reasoning_tokens",
    "llm.token_count.completion_details.reasoning",
    "ai.usage.reasoningTokens",
    "ai.usage.outputTokenDetails.reasoningTokens",
)
_COST_LIMIT = 1e12


def kind_of(span: Span) -> Kind:
    """What kind of operation a span is; embeddings, retrieval and all unknown are `other`."""
    for key, kinds in _KINDS.items():
        if name := first_text(span.attributes, key):
            return kinds.get(name.lower(), "other")
    if operation := first_text(span.attributes, "ai.operationId"):
        return _vercel_kind(operation)
    if span.is_of_logs:
        return "chat"
    if span.name.startswith("execute_tool "):
        return "tool"
    has_model = first_text(span.attributes, "gen_ai.request.model", "gen_ai.system")
    is_told = has_model and (tokens_of(span) or inputs_of(span) or output_of(span))
    return "chat" if is_told else "other"


def _vercel_kind(operation: str) -> Kind:
    if operation.endswith((".doGenerate", ".doStream")):
        return "chat"
    if operation == "ai.toolCall":
        return "tool"
    return "wrapper" if operation.startswith(("ai.generate", "ai.stream")) else "other"


def session_id_of(span: Span) -> str:
    """The conversation that a span names, else an empty string."""
    return first_text(span.attributes, *_SESSION_IDS) or first_text(span.resource, *_SESSION_IDS)


def user_of(span: Span) -> str:
    """The user that a span names, else an empty string."""
    return first_text(span.attributes, *_USERS)


def agent_of(span: Span) -> str:
    """The agent that a span names, else an empty string."""
    keys = ("gen_ai.agent.name", "agent.name", "ai.telemetry.functionId")
    return first_text(span.attributes, *keys)


def model_of(span: Span) -> str:
    """The model that answered, else the one that was asked."""
    return first_text(span.attributes, *_MODELS)


def response_id_of(span: Span) -> str:
    """The provider's id of the answer, else an empty string."""
    if own := first_text(span.attributes, "gen_ai.response.id", "ai.response.id"):
        return own
    metadata = decoded(first_value(span.attributes, "ai.response.providerMetadata"))
    return text_of(mapping_of(metadata, "openai"), "responseId")


def tokens_of(span: Span) -> Tokens | None:
    """Tokens of one call; `input` includes what was cached, whoever wrote it down."""
    counts = [
        first_count(span.attributes, *keys)
        for keys in (_INPUT_TOKENS, _READ_TOKENS, _OUTPUT_TOKENS, _REASONING_TOKENS, _WRITE_TOKENS)
    ]
    if all(count is None for count in counts):
        return None
    whole, read, output, reasoning, write = (count or 0 for count in counts)
    # Some instrumentations pass on Anthropic's own count, which leaves out what was cached.
    if read + write > whole:
        whole += read + write
    return Tokens(whole, read, max(output, reasoning), reasoning, write)


def cost_of(span: Span) -> float | None:
    """The cost in dollars that a span states."""
    cost = first_value(span.attributes, "llm.cost.total", "gen_ai.usage.cost")
    is_number = isinstance(cost, int | float) and not isinstance(cost, bool)
    return float(cost) if is_number and 0 <= cost < _COST_LIMIT else None
