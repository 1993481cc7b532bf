"""The tries of one call to a model: which failures are worth another, and after how long.

As the `openai` client does it, but for an answer that did not come in time: it is made and billed
all the same, and the same question takes as long again, so it is asked once.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import random
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from httpx2 import Response
    from openai import APIStatusError

_Came = TypeVar("_Came")
_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS, _LONGEST_RETRY_AFTER = 0.5, 8.0, 120.0
_RETRIED = frozenset({408, 409, 429})
_USED_UP = "insufficient_quota"
"""The code of a 429 that no waiting mends: the account is empty."""
_CONNECTING = frozenset({"ConnectError", "ConnectTimeout", "UnsupportedProtocol"})


@dataclass(slots=True)
class Tries:
    """The tries of one call; `lost` of them may have been billed and brought no answer."""

    max_retries: int
    lost: int = 0
    retries: int = 0
    """Tries after the first."""

    def run(self, call: Callable[[], _Came]) -> _Came:
        """What `call` returns; raises the client's error of the last try.

        `call` must not retry by itself.
        """
        import openai

        while True:
            try:
                return call()
            except openai.APIError as error:
                self.lost += may_be_billed(error)
                pause = pause_before_retry(error, self.retries)
                if pause is None or self.retries >= self.max_retries:
                    raise
            time.sleep(pause)
            self.retries += 1


def may_be_billed(error: Exception) -> bool:
    """Whether the endpoint may have made an answer that it counts."""
    import openai

    if isinstance(error, openai.APIStatusError):
        return error.status_code >= 500
    return isinstance(error, openai.APIConnectionError) and not is_connecting(error)


def is_connecting(error: Exception) -> bool:
    """Whether the connection never stood; the transport's error is the cause of the client's."""
    return type(error.__cause__).__name__ in _CONNECTING


def pause_before_retry(error: Exception, retries: int) -> float | None:
    """Seconds to wait; None where another try is not worth it."""
    import openai

    asked = None
    if isinstance(error, openai.APIStatusError):
        if is_used_up(error):
            return None
        asked = _asked_pause(error.response)
        if not _is_retried(error.response, asked):
            return None
    elif not isinstance(error, openai.APIConnectionError) or _is_late(error):
        return None
    if asked is not None and asked > 0:
        return asked
    return min(_PAUSE_SECONDS * 2.0**retries, _LONGEST_PAUSE_SECONDS) * (1 - 0.25 * random())


def is_used_up(error: Exception) -> bool:
    """Whether the endpoint says that the account has nothing left."""
    return getattr(error, "code", None) == _USED_UP


def limits_the_rate(error: "APIStatusError", retries: int) -> str:
    """What a 429 says after so many `retries`, with a pause that nobody waits for."""
    asked = _asked_pause(error.response)
    more = f" for {asked:.0f} s more" if asked is not None and asked > _LONGEST_RETRY_AFTER else ""
    tried = f", after {retries} {'retry' if retries == 1 else 'retries'}" if retries else ""
    return f"limits the rate{more} (429{tried})"


def _is_late(error: Exception) -> bool:
    import openai

    return isinstance(error, openai.APITimeoutError) and not is_connecting(error)


def _is_retried(response: "Response", asked: float | None) -> bool:
    if asked is not None and asked > _LONGEST_RETRY_AFTER:
        return False
    said = response.headers.get("x-should-retry")  # no standard, but the endpoint's own word
    if said in ("true", "false"):
        return said == "true"
    return response.status_code in _RETRIED or response.status_code >= 500


def _asked_pause(response: "Response") -> float | None:
    """What `retry-after-ms` or `Retry-After` (seconds or a date) asks for."""
    after = response.headers.get("retry-after", "")
    try:
        if "retry-after-ms" in response.headers:
            return float(response.headers["retry-after-ms"]) / 1000
        return float(after)
    except ValueError:
        pass
    try:
        return (parsedate_to_datetime(after) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):
        return None
