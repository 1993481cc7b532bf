"""Claude Code's tool results: whether they failed, by the flag and by what stands beside it."""

from typing import Any

from agent_core.session import Observation
from pipelines.sources.fields import content_text, id_of
from pipelines.sources.tool_errors import is_rejection, observe

_ERROR_MARK = "<tool_use_error>"
_MARK_CHARS = 80
_HTTP_ERROR = 400


def observations_of(
    source_ref: str, record: dict[str, Any], blocks: list[Any]
) -> list[Observation]:
    """The results among the blocks of a user record.

    `toolUseResult` beside the message is the program's own account of a record's only result.
    """
    results = [b for b in blocks if isinstance(b, dict) and b.get("type") == "tool_result"]
    account = record.get("toolUseResult") if len(results) == 1 else None
    return [_observation(source_ref, block, account) for block in results]


def _observation(source_ref: str, block: dict[str, Any], account: Any) -> Observation:
    content = content_text(block.get("content"))
    flag = block.get("is_error")
    if not content and isinstance(account, str):
        content = account
    is_marked = flag is None and content[:_MARK_CHARS].lstrip().startswith(_ERROR_MARK)
    return observe(
        content,
        call_id=id_of(block, "tool_use_id") or None,
        is_error=flag is True or is_marked or _tells_failure(account) or is_rejection(content),
        source_ref=source_ref,
    )


def _tells_failure(account: Any) -> bool:
    """Whether the account says that the tool was stopped, or was not served."""
    if not isinstance(account, dict):
        return False
    if account.get("interrupted") is True or account.get("success") is False:
        return True
    code = account.get("code") if "codeText" in account else None
    return isinstance(code, int) and code >= _HTTP_ERROR
