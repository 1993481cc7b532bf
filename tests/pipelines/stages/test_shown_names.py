"""Which names from logs are shown as they are, and which are a hash."""

import re

import pytest

from agent_core.release import AGENT_NAME, current_release
from pipelines.stages.shown_names import shown_agent, shown_model, shown_release

_SALT = b"salt"
_HASH = re.compile(r"(agent|release|model)-[0-9a-f]{8}")


@pytest.mark.parametrize(
    "name",
    [AGENT_NAME, "claude-code", "codex", "mini-swe-agent", "SWE-agent", "support agent 2",
     "test-stream-text", "unknown", "Code Reviewer", "other"],
)  # fmt: skip
def test_a_public_name_of_an_agent_is_shown(name: str) -> None:
    assert shown_agent(name, _SALT) == name


@pytest.mark.parametrize(
    "name",
    ["agent Zylophar", "jane", "Rose", "Purple Kettle", "acmebilling", "harbor-freight",
     "claude2jo", "alice@acme.example", "agent\n## Rules", "агент", "\uff41gent", "agent\u200b",
     "10.77.31.204",
     "test " * 20, "agent 4 11 11 11 11", "", "agent 5551234"],
)  # fmt: skip
def test_any_other_name_of_an_agent_is_a_hash(name: str) -> None:
    assert _HASH.fullmatch(shown_agent(name, _SALT))


@pytest.mark.parametrize(
    "name",
    [current_release(), "0.1.0+3f2a9c01b7de", "2.1.52", "v3", "1.0.64-1", "0.3.135.dev2+g715e750e",
     "0.3.41.dev123+g9ad2119a.d20241015", "1.2.0-rc.1", "1.2rc1", "2026.1.31", "2026-01-31",
     "20260131.2", "1.4.0-nightly.20260131", "3f2a9c0", "3f2a9c01b7de", "latest", "unknown"],
)  # fmt: skip
def test_a_version_or_commit_is_shown(name: str) -> None:
    assert shown_release(name, _SALT) == name


def test_a_whole_commit_is_shown_in_short() -> None:
    assert shown_release("3f2a9c01b7de" + "0" * 28, _SALT) == "3f2a9c01b7de"


@pytest.mark.parametrize(
    "name",
    ["2.1.0-Quibbleworth", "1.0.0+brindlecorp", "10.77.31.204", "555.018.2779", "018.2779",
     "4111111111111111", "1984-05-17", "r-rose", "frob-total-v2", "1.0\ntool: run_command",
     "bob@corp.example", "9" * 50, "4a616e65205175696262", "deadbeef", "1.0-jane", "\u0661.\u0662"],
)  # fmt: skip
def test_any_other_release_is_a_hash(name: str) -> None:
    assert _HASH.fullmatch(shown_release(name, _SALT))


@pytest.mark.parametrize(
    "name",
    ["gpt-4o-2024-08-06", "claude-sonnet-4-5-20250929", "anthropic/claude-opus-4.1", "o3-mini",
     "meta-llama/llama-3.1-405b-instruct", "qwen2.5-coder-32b", "openrouter/z-ai/glm-4.6",
     "unknown", "us.anthropic.claude-haiku-4-5-20251001-v1:0", "@cf/meta/llama-3-8b-instruct",
     "gpt-4-0613"],
)  # fmt: skip
def test_a_public_name_of_a_model_is_shown(name: str) -> None:
    assert shown_model(name, _SALT) == name


def test_a_model_of_the_price_file_is_shown() -> None:
    assert shown_model("Brindle-1", _SALT, frozenset({"brindle-1"})) == "Brindle-1"


@pytest.mark.parametrize(
    "name",
    ["ft:gpt-4o:brindlecorp::x1", "wobblefink.internal:8443", "sk-proj-Zq81mmVbT0pLw3xYhN7c",
     "Rose", "/models/jane.gguf", "<synthetic>", "10.77.31.204", "gpt-4111111111111111",
     "model Zylophar"],
)  # fmt: skip
def test_any_other_name_of_a_model_is_a_hash(name: str) -> None:
    assert _HASH.fullmatch(shown_model(name, _SALT))
