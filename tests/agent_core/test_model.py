"""The chat model against a real HTTP server with the real client."""

import json
import os
import socket
from concurrent.futures import ThreadPoolExecutor

import httpx2
import openai
import pytest

from agent_core.errors import ModelError, ModelReplyError
from agent_core.model import (
    CallRequest,
    ChatMessage,
    ModelReply,
    OpenAIModel,
    ResponseSchema,
    ToolSchema,
    shown_url,
)
from agent_core.model_tries import pause_before_retry
from agent_core.rate_limit import seconds_to_reset
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
        (failure(429), ModelError, "limits the rate (429); wait"),
        (failure(429, code="insufficient_quota"), ModelError, "the quota is used up (429); top up"),
        (failure(400), ModelReplyError, "refused the request (400)"),
        (failure(500), ModelReplyError, "failed (500); try again later"),
        (raw(b"not json"), ModelReplyError, "a body that is not JSON"),
        (raw(b'{"choices": []}'), ModelReplyError, "a body that is no chat completion"),
        (raw(b'"hello"'), ModelReplyError, "a body that is no chat completion"),
        (cut("hello"), ModelReplyError, "broke off its answer"),
        (text("late", delay_seconds=5), ModelReplyError, "did not answer within 1 s"),
    ],
    ids=["401", "403", "404", "429", "quota", "400", "500", "bad", "half", "string", "cut", "slow"],
)
def test_names_endpoint_and_remedy(answer: Answer, kind: type[ModelError], words: str) -> None:
    with pytest.raises(ModelError) as raised:
        ask([answer], timeout=1.0 if "did not" in words else 5.0)
    assert type(raised.value) is kind
    assert str(raised.value).startswith("model endpoint http://127.0.0.1:")
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_empty_account_is_asked_once() -> None:
    with pytest.raises(ModelError, match="quota is used up"):  # a second call is in no script
        ask([failure(429, code="insufficient_quota")], retries=2)


@pytest.mark.parametrize(
    ("script", "retries", "words"),
    [
        ([failure(429, retry_after=0.01)] * 2, 1, "limits the rate (429, after 1 retry); wait"),
        ([failure(429, retry_after=0.01)] * 3, 2, "limits the rate (429, after 2 retries); wait"),
        ([failure(429, retry_after=360)], 4, "limits the rate for 360 s more (429); wait"),
        ([failure(429, headers={"x-should-retry": "false"})], 4, "limits the rate (429); wait"),
    ],
    ids=["one", "two", "too long a pause", "told not to"],
)
def test_a_limited_rate_says_what_was_tried(script: list[Answer], retries: int, words: str) -> None:
    with pytest.raises(ModelError) as raised:
        ask(script, retries=retries)
    assert words in str(raised.value)


def test_a_limit_that_is_not_used_up_is_tried_again_soon() -> None:
    """A long question is over the limit of tokens while some remain: nobody says for how long."""
    headers = {
        "x-ratelimit-remaining-tokens": "900",
        "x-ratelimit-reset-tokens": "6m0s",
        "x-ratelimit-remaining-requests": "9",
        "x-ratelimit-reset-requests": "8ms",
    }
    assert ask([failure(429, headers=headers), text("hi")], retries=1).text == "hi"


def test_retries_what_passes() -> None:
    script = [failure(429, retry_after=0.01), failure(500, retry_after=0.01), text("hi")]
    assert ask(script, retries=2).text == "hi"


RESETS = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "600ms"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Retry-After": "0.6"},
        {"retry-after-ms": "600"},
        RESETS,
        RESETS | {"x-ratelimit-remaining-tokens": "9", "x-ratelimit-reset-tokens": "1h"},
    ],
    ids=["seconds", "milliseconds", "reset of requests", "reset of what is used up"],
)
def test_waits_as_long_as_the_endpoint_says(headers: dict[str, str]) -> None:
    """The client's own pause before a first retry is half a second at most."""
    with (
        FakeOpenAI([failure(429, headers=headers), text("hi")]) as endpoint,
        OpenAIModel(endpoint.base_url, "m", "k", max_retries=1) as model,
    ):
        assert model(HELLO).text == "hi"
    first, second = endpoint.times
    assert second - first >= 0.6


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"x-ratelimit-reset-requests": "soon"}, None),
        ({"x-ratelimit-reset-requests": "1s"}, None),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "2"}, 2.0),
        (
            {
                "x-ratelimit-reset-requests": "2",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-tokens": "6m0s",
                "x-ratelimit-remaining-tokens": "0",
            },
            360.0,
        ),
        (
            {
                "x-ratelimit-reset-requests": "1h2m3.5s",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-tokens": "2d",
                "x-ratelimit-remaining-tokens": "1",
            },
            3723.5,
        ),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "-1s"}, None),
    ],
    ids=["none", "words", "not used up", "seconds", "later", "used up", "negative"],
)
def test_reads_when_a_limit_is_lifted(headers: dict[str, str], seconds: float | None) -> None:
    assert seconds_to_reset(headers) == seconds


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (failure(500, retry_after=0.01), "failed (500)"),
        (cut("hello"), "broke off its answer"),
    ],
    ids=["500", "cut"],
)
def test_tries_again_and_then_fails_this_call_alone(answer: Answer, words: str) -> None:
    """As often as it may; the endpoint fails the test on a call too many or too few."""
    with pytest.raises(ModelReplyError) as raised:
        ask([answer, answer], retries=1)
    assert words in str(raised.value)
    assert (raised.value.tries, raised.value.is_endpoints) == (2, True)
    served = ask([answer, text("hi")], retries=1)
    assert (served.text, served.lost_tries) == ("hi", 1)


def test_what_is_late_is_asked_for_once() -> None:
    """It is billed although nobody reads it; the endpoint fails the test on a second call."""
    with pytest.raises(ModelReplyError, match="did not answer within 1 s") as raised:
        ask([text("late", delay_seconds=5)], timeout=1.0, retries=4)
    assert (raised.value.tries, raised.value.is_endpoints) == (1, True)


def test_what_is_refused_is_not_billed() -> None:
    with pytest.raises(ModelReplyError) as raised:
        ask([failure(400)], retries=4)
    assert (raised.value.tries, raised.value.is_endpoints) == (0, False)


@pytest.mark.parametrize(
    ("answer", "pause"),
    [
        (failure(429, headers={"retry-after-ms": "20"}), 0.02),
        (failure(429, headers={"Retry-After": "7"}), 7.0),
        (failure(429, headers={"Retry-After": "Thu, 01 Jan 2026 00:00:00 GMT"}), 0.5),
        (failure(429, headers={"Retry-After": "121"}), None),
        (failure(503, headers={"x-should-retry": "false"}), None),
        (failure(400, headers={"x-should-retry": "true", "Retry-After": "3"}), 3.0),
        (failure(404), None),
    ],
    ids=["milliseconds", "seconds", "a date gone by", "too long", "told not", "told to", "404"],
)
def test_the_pause_before_another_try(answer: Answer, pause: float | None) -> None:
    request = httpx2.Request("POST", "http://127.0.0.1/")
    response = httpx2.Response(answer.status, headers=dict(answer.headers), request=request)
    found = pause_before_retry(openai.APIStatusError("", response=response, body=None), 0)
    if "GMT" in answer.headers.get("Retry-After", ""):
        assert found is not None
        assert 0.375 <= found <= 0.5  # the first pause where nothing is asked for
    else:
        assert found == pause


def _refused(words: str) -> Answer:
    return Answer(json.dumps({"error": {"message": words}}).encode(), 400)


_UNKNOWN = "Unsupported parameter: '{}'"
_NO_ROOM = "'max_tokens' is too large: this model's maximum context length is 9 tokens"


@pytest.mark.parametrize(
    ("script", "limits"),
    [
        ([text("a"), text("b")], ["new", "new"]),
        ([_refused(_UNKNOWN.format("max_completion_tokens")), text("a"), text("b")],
         ["new", "old", "old"]),
        ([_refused("extra: max_completion_tokens"), _refused("extra: max_tokens"), text("a"),
          text("b")], ["new", "old", "none", "none"]),
        ([_refused(_NO_ROOM), _refused(_NO_ROOM), text("a"), text("b")],
         ["new", "old", "none", "new"]),
    ],
    ids=["taken", "known by the other name", "unknown", "no room beside one question"],
)  # fmt: skip
def test_an_answer_is_limited_as_the_endpoint_takes_it(
    script: list[Answer], limits: list[str]
) -> None:
    with (
        FakeOpenAI(script) as endpoint,
        OpenAIModel(endpoint.base_url, "m", max_retries=0, max_output_tokens=9) as model,
    ):
        assert [model(HELLO).text, model(HELLO).text] == ["a", "b"]
    names = {"max_completion_tokens": "new", "max_tokens": "old"}
    sent = [[word for name, word in names.items() if r.get(name) == 9] for r in endpoint.requests]
    assert [" ".join(words) or "none" for words in sent] == limits


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://me:pw@127.0.0.1:9/v1?key=k", "http://127.0.0.1:9/v1"),
        ("https://api.example/v1", "https://api.example/v1"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
        ("https://API.example/v1/", "https://api.example/v1"),
        ("no url", "no url"),
    ],
    ids=["password", "plain", "IPv6", "another way to write it", "no url"],
)
def test_a_url_is_shown_without_what_is_secret(url: str, shown: str) -> None:
    assert shown_url(url) == shown


def test_threads_share_one_client() -> None:
    with (
        FakeOpenAI([text("hi")] * 4, at_once=4) as endpoint,
        OpenAIModel(endpoint.base_url, "m", "k", max_retries=0) as model,
        ThreadPoolExecutor(4) as pool,
    ):
        assert [reply.text for reply in pool.map(model, [HELLO] * 4)] == ["hi"] * 4


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
