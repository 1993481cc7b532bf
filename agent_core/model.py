"""How a chat model is called: one callable, messages in, a reply out.

`OpenAIModel` speaks the chat completions API of any OpenAI-compatible endpoint. 429, 5xx and broken
connections are tried again (agent_core.model_tries), after as long as the endpoint says; what is
late is not. What remains is one of two errors: `ModelError` when the endpoint cannot be used at all
(unreachable, wrong key, no such model, quota), `ModelReplyError` when this one call failed and
another may not.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, cast
from urllib.parse import urlsplit, urlunsplit

from agent_core.errors import ModelError, ModelReplyError
from agent_core.model_tries import Tries, is_connecting, is_used_up, limits_the_rate
from agent_core.rate_limit import say_when_to_retry
from agent_core.session import Tokens

if TYPE_CHECKING:
    from openai import APIStatusError, OpenAI
    from openai.types.chat import ChatCompletion

Role = Literal["system", "user", "assistant", "tool"]
FinishReason = Literal["stop", "tool_calls", "length", "content_filter", "other"]

DEFAULT_TIMEOUT_SECONDS = 300.0
"""A model that thinks first takes minutes; an answer that comes too late is billed all the same."""
DEFAULT_MAX_RETRIES = 4

_FINISH_REASONS: Mapping[str, FinishReason] = {
    "stop": "stop",
    "tool_calls": "tool_calls",
    "length": "length",
    "content_filter": "content_filter",
}
# OpenAI's models that think refuse `max_tokens`, and some other servers know no other name; no
# limit at all where the endpoint takes neither, or has no room for it beside the question.
_LIMIT_NAMES: tuple[str | None, ...] = ("max_completion_tokens", "max_tokens", None)
_REFUSALS = frozenset({400, 422})


@dataclass(frozen=True, slots=True)
class CallRequest:
    """A tool call that the model asks for; `arguments` is its JSON text, untouched."""

    call_id: str
    name: str
    arguments: str

    def parsed(self) -> dict[str, Any] | None:
        """The arguments as an object; None when the text is not a JSON object."""
        try:
            value = json.loads(self.arguments or "{}")
        except ValueError:
            return None
        return value if isinstance(value, dict) else None


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a conversation; `call_id` is set on the result of a tool call only."""

    role: Role
    content: str = ""
    tool_calls: tuple[CallRequest, ...] = ()
    call_id: str | None = None


@dataclass(frozen=True, slots=True)
class ToolSchema:
    """A tool that the model may call; `parameters` is a JSON schema of type object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ResponseSchema:
    """The JSON schema that the reply's text must satisfy (sent as strict)."""

    name: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ModelReply:
    """What the model answered; `refusal` is its text when it declined a structured answer."""

    text: str
    tool_calls: tuple[CallRequest, ...] = ()
    tokens: Tokens = field(default_factory=Tokens)
    finish_reason: FinishReason = "stop"
    refusal: str | None = None
    lost_tries: int = 0
    """Tries before it that brought no answer and may have been billed all the same."""


class ChatModel(Protocol):
    """One callable. Raises ModelError (endpoint unusable) or ModelReplyError (this call)."""

    @property
    def name(self) -> str: ...

    def __call__(
        self,
        messages: Sequence[ChatMessage],
        *,
        tools: Sequence[ToolSchema] = (),
        response_schema: ResponseSchema | None = None,
    ) -> ModelReply: ...


class OpenAIModel:
    """A model behind an OpenAI-compatible endpoint, for example `http://127.0.0.1:8000/v1`.

    Threads may share it. An answer comes whole, not as a stream: a judge can use no half of one,
    and one that is cut is tried again. The client is made at the first call, so that building the
    model costs nothing; close it, or use the model as a context. An empty key is sent as a
    placeholder (local servers want none): the environment's keys are never read here.

    `max_output_tokens` limits an answer with the thought before it, where the endpoint takes such a
    limit: it is sent as `max_completion_tokens`, after a refusal of that as `max_tokens`, then not.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        api_key: str = "",
        *,
        timeout: float = DEFAULT_TIMEOUT_SECONDS,
        max_retries: int = DEFAULT_MAX_RETRIES,
        max_output_tokens: int | None = None,
    ) -> None:
        self._base_url = base_url
        self._model = model
        self._api_key = api_key or "none"
        self._timeout = timeout
        self._max_retries = max_retries
        self._max_output_tokens = max_output_tokens
        self._limit_names = _LIMIT_NAMES if max_output_tokens else (None,)
        self._client: OpenAI | None = None
        self._opening = Lock()

    @property
    def name(self) -> str:
        """The model's name as the endpoint knows it."""
        return self._model

    def __call__(
        self,
        messages: Sequence[ChatMessage],
        *,
        tools: Sequence[ToolSchema] = (),
        response_schema: ResponseSchema | None = None,
    ) -> ModelReply:
        """One completion; see ChatModel for what is raised."""
        import openai  # 1 s to import, and most runs never call a model

        request = request_body(self._model, messages, tools, response_schema)
        tries = Tries(self._max_retries)
        try:
            completion = tries.run(lambda: self._completion(request))
        except openai.OpenAIError as error:
            raise self._counted(self.explained(error, tries.retries), tries) from error
        except ValueError as error:  # the body claims to be JSON and is not
            raise self._bad_reply("a body that is not JSON", tries.lost + 1) from error
        return self._read(completion, tries)

    def close(self) -> None:
        """Closes the connections; the next call opens new ones."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def client(self) -> "OpenAI":
        """The open client; for other calls to the same endpoint. It tries nothing again itself."""
        import openai

        with self._opening:
            if self._client is None:
                self._client = openai.OpenAI(
                    base_url=self._base_url,
                    api_key=self._api_key,
                    timeout=self._timeout,
                    max_retries=0,
                    http_client=openai.DefaultHttpxClient(
                        event_hooks={"response": [say_when_to_retry]}
                    ),
                )
            return self._client

    def _completion(self, request: Mapping[str, Any]) -> "ChatCompletion":
        """One completion under the limit that the endpoint takes; a refusal is not billed."""
        import openai

        create: Callable[..., Any] = self.client().chat.completions.create
        names, are_unknown = self._limit_names, True
        while (name := names[0]) is not None:
            try:
                completion = create(**request, **{name: self._max_output_tokens})
            except openai.APIStatusError as error:
                if not _is_about_the_limit(error):
                    raise
                # Too much beside a long question may be right beside the next one.
                are_unknown = are_unknown and "context" not in str(error)
                names = names[1:]
            else:
                break
        else:
            completion = create(**request)
        if are_unknown:
            self._limit_names = names
        return cast("ChatCompletion", completion)

    def _read(self, completion: "ChatCompletion", tries: Tries) -> ModelReply:
        try:
            return replace(read_completion(completion), lost_tries=tries.lost)
        except (AttributeError, IndexError, TypeError) as error:
            # The client does not validate: a foreign body arrives as a string or half a model.
            raise self._bad_reply("a body that is no chat completion", tries.lost + 1) from error

    def _bad_reply(self, what: str, tries: int = 1) -> ModelReplyError:
        return ModelReplyError(
            f"{self.place} answered with {what}; check that the base URL is that of an "
            "OpenAI-compatible API (it usually ends in /v1)",
            tries=tries,
            is_endpoints=True,
        )

    def _counted(self, error: ModelError, tries: Tries) -> ModelError:
        if isinstance(error, ModelReplyError):
            error.tries = tries.lost
        return error

    def explained(self, error: Exception, retries: int = 0) -> ModelError:
        """An error of the client, after so many `retries`, in words and with the remedy."""
        import openai

        if isinstance(error, openai.APIStatusError):
            return self._status_error(error, retries)
        if isinstance(error, openai.APITimeoutError) and not is_connecting(error):
            return ModelReplyError(
                f"{self.place} did not answer within {self._timeout:g} s; "
                "raise the time-out or choose a faster model",
                is_endpoints=True,
                is_late=True,
            )
        if isinstance(error, openai.APIConnectionError) and not is_connecting(error):
            return ModelReplyError(
                f"{self.place} broke off its answer; try again later", is_endpoints=True
            )
        if isinstance(error, openai.APIConnectionError):
            return ModelError(
                f"{self.place} cannot be reached; check the base URL and that the server runs"
            )
        return self._bad_reply(f"something the client cannot read ({type(error).__name__})")

    def _status_error(self, error: "APIStatusError", retries: int) -> ModelError:
        status = error.status_code
        fatal = {
            401: "refused the key (401); set the right API key",
            403: "forbids this key the call (403); use a key with access to the model",
            404: f"knows no model {self._model!r} or no such path (404); "
            "check the model's name and the base URL",
            429: "says that the quota is used up (429); top up the account, or use another key"
            if is_used_up(error)
            else f"{limits_the_rate(error, retries)}; wait, or lower [judge] concurrency",
        }
        if status in fatal:
            return ModelError(f"{self.place} {fatal[status]}")
        if status >= 500:
            return ModelReplyError(
                f"{self.place} failed ({status}); try again later", is_endpoints=True
            )
        return ModelReplyError(
            f"{self.place} refused the request ({status}); "
            "the session may be too long for the model, or the endpoint lacks JSON schemas"
        )

    @property
    def place(self) -> str:
        """The endpoint as errors name it; without user or password."""
        return f"model endpoint {shown_url(self._base_url)}"


def shown_url(url: str) -> str:
    """A URL as it is told and kept: the same for all ways to write one endpoint.

    Without user, password, query and last slash, its host in lower case.
    """
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2].lower()
    return urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))


def _is_about_the_limit(error: "APIStatusError") -> bool:
    """Whether a request was refused for the limit of its answer, or for it beside the question."""
    said = str(error)
    named = any(name in said for name in _LIMIT_NAMES if name) or "context length" in said
    return named and error.status_code in _REFUSALS


def request_body(
    model: str,
    messages: Sequence[ChatMessage],
    tools: Sequence[ToolSchema],
    response_schema: ResponseSchema | None,
) -> dict[str, Any]:
    """The body of a chat completions request."""
    request: dict[str, Any] = {"model": model, "messages": [_message(m) for m in messages]}
    if tools:
        request["tools"] = [_tool(tool) for tool in tools]
    if response_schema is not None:
        request["response_format"] = {
            "type": "json_schema",
            "json_schema": {
                "name": response_schema.name,
                "schema": dict(response_schema.schema),
                "strict": True,
            },
        }
    return request


def _message(message: ChatMessage) -> dict[str, Any]:
    sent: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.call_id is not None:
        sent["tool_call_id"] = message.call_id
    if message.tool_calls:
        sent["tool_calls"] = [
            {
                "id": call.call_id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
    return sent


def _tool(tool: ToolSchema) -> dict[str, Any]:
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.parameters),
    }
    return {"type": "function", "function": function}


def read_completion(completion: "ChatCompletion") -> ModelReply:
    """The reply in a completion; AttributeError, IndexError or TypeError where it is none."""
    choice = completion.choices[0]
    message = choice.message
    # Custom tools are never offered, so every call is a function's.
    calls = tuple(
        CallRequest(call.id, cast(Any, call).function.name, cast(Any, call).function.arguments)
        for call in message.tool_calls or ()
    )
    return ModelReply(
        text=message.content or "",
        tool_calls=calls,
        tokens=_tokens(completion),
        finish_reason=_FINISH_REASONS.get(choice.finish_reason, "other"),
        refusal=message.refusal,
    )


def _tokens(completion: "ChatCompletion") -> Tokens:
    usage = completion.usage
    if usage is None:
        return Tokens()
    prompt, completed = usage.prompt_tokens_details, usage.completion_tokens_details
    return Tokens(
        input=usage.prompt_tokens or 0,
        cached=(prompt.cached_tokens or 0) if prompt else 0,
        output=usage.completion_tokens or 0,
        reasoning=(completed.reasoning_tokens or 0) if completed else 0,
    )
