"""The chat model against a real HTTP server with the real client."""

import os
import socket

import pytest

from agent_core.errors import ModelError, ModelReplyError
from agent_core.model import (
    CallRequest,
    ChatMessage,
    ModelReply,
    OpenAIModel,
    ResponseSchema,
    ToolSchema,
)
from agent_core.session import Tokens
from tests.fake_openai import Answer, FakeOpenAI, cut, failure, raw, refusal, text, tool_calls

pytestmark = pytest.mark.skipif(
    "SIGNALS_SANDBOX" in os.environ, reason="needs a socket, which the sandbox denies"
)

HELLO = [ChatMessage("user", "hello")]
TOKENS = Tokens(input=11, cached=3, output=7, reasoning=2)


def ask(script: list[Answer], *, timeout: float = 5.0, retries: int = 0) -> ModelReply:
    with (
        FakeOpenAI(script) as endpoint,
        OpenAIModel(endpoint.base_url, "m", "k", timeout=timeout, max_retries=retries) as model,
    ):
        return model(HELLO)


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        pytest.param(text("hi"), ModelReply("hi", (), TOKENS, "stop"), id="text"),
        pytest.param(
            text("half", finish_reason="length"), ModelReply("half", (), TOKENS, "length"), id="cut"
        ),
        pytest.param(
            tool_calls(("read_file", '{"path": "a"}'), ("submit", "{}")),
            ModelReply(
                "",
                (
                    CallRequest("call_1", "read_file", '{"path": "a"}'),
                    CallRequest("call_2", "submit", "{}"),
                ),
                TOKENS,
                "tool_calls",
            ),
            id="tools",
        ),
        pytest.param(refusal("no"), ModelReply("", (), TOKENS, "stop", refusal="no"), id="refusal"),
        pytest.param(
            text("x", finish_reason="new"),
            ModelReply("x", (), TOKENS, "other"),
            id="unknown",
        ),
    ],
)
def test_reads_a_reply(answer: Answer, reply: ModelReply) -> None:
    assert ask([answer]) == reply


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (failure(401), ModelError, "refused the key (401); set the right API key"),
        (failure(403), ModelError, "forbids this key the call (403)"),
        (failure(404), ModelError, "knows no model 'm'"),
        (failure(429), ModelError, "limits the rate or the quota is used up (429"),
        (failure(400), ModelReplyError, "refused the request (400)"),
        (failure(500), ModelReplyError, "failed (500); try again later"),
        (raw(b"not json"), ModelReplyError, "a body that is not JSON"),
        (raw(b'{"choices": []}'), ModelReplyError, "a body that is no chat completion"),
        (raw(b'"hello"'), ModelReplyError, "a body that is no chat completion"),
        (cut("hello"), ModelReplyError, "broke off its answer"),
        (text("late", delay_seconds=5), ModelReplyError, "did not answer within 0.2 s"),
    ],
    ids=["401", "403", "404", "429", "400", "500", "bad", "half", "string", "cut", "slow"],
)
def test_names_endpoint_and_remedy(answer: Answer, kind: type[ModelError], words: str) -> None:
    with pytest.raises(ModelError) as raised:
        ask([answer], timeout=0.2 if "did not" in words else 5.0)
    assert type(raised.value) is kind
    assert str(raised.value).startswith("model endpoint http://127.0.0.1:")
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_retries_what_passes() -> None:
    script = [failure(429, retry_after=0.01), failure(500, retry_after=0.01), text("hi")]
    assert ask(script, retries=2).text == "hi"


def test_unreachable_endpoint_is_named() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    model = OpenAIModel(f"http://user:secret@127.0.0.1:{port}/v1", "m", max_retries=0)
    with model, pytest.raises(ModelError) as raised:
        model(HELLO)
    assert str(raised.value) == (
        f"model endpoint http://127.0.0.1:{port}/v1 cannot be reached; "
        "check the base URL and that the server runs"
    )


def test_sends_conversation_tools_and_schema() -> None:
    call = CallRequest("c1", "add", '{"a":1}')
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    messages = [
        ChatMessage("system", "be brief"),
        ChatMessage("assistant", "", (call,)),
        ChatMessage("tool", "2", call_id="c1"),
    ]
    with FakeOpenAI([text("2")]) as endpoint, OpenAIModel(endpoint.base_url, "m", "k") as model:
        model(
            messages,
            tools=[ToolSchema("add", "adds", schema)],
            response_schema=ResponseSchema("sum", schema),
        )
    sent_call = {
        "id": "c1",
        "type": "function",
        "function": {"name": "add", "arguments": '{"a":1}'},
    }
    assert endpoint.requests == [
        {
            "model": "m",
            "messages": [
                {"role": "system", "content": "be brief"},
                {"role": "assistant", "content": "", "tool_calls": [sent_call]},
                {"role": "tool", "content": "2", "tool_call_id": "c1"},
            ],
            "tools": [
                {
                    "type": "function",
                    "function": {"name": "add", "description": "adds", "parameters": schema},
                }
            ],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "sum", "schema": schema, "strict": True},
            },
        }
    ]
    assert endpoint.headers[0]["authorization"] == "Bearer k"


@pytest.mark.parametrize(
    ("arguments", "parsed"),
    [('{"a": 1}', {"a": 1}), ("", {}), ("{", None), ("[1]", None)],
)
def test_arguments_parse_or_say_so(arguments: str, parsed: dict[str, int] | None) -> None:
    assert CallRequest("c", "t", arguments).parsed() == parsed


def test_fake_fails_on_an_unexpected_call() -> None:
    endpoint = FakeOpenAI([])
    with (
        pytest.raises(AssertionError, match="unexpected: call 1"),
        endpoint,
        OpenAIModel(endpoint.base_url, "m", max_retries=0) as model,
        pytest.raises(ModelReplyError),
    ):
        model(HELLO)


def test_fake_fails_on_a_missing_call() -> None:
    with pytest.raises(AssertionError, match="1 of 1 scripted answers"), FakeOpenAI([text("hi")]):
        pass
