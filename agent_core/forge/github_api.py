"""Calls of GitHub's REST API: which failures are worth another try, and what the others mean.

https://docs.github.com/rest: rate limits come as 429, or as 403 with `retry-after` or with
`x-ratelimit-remaining: 0`; `x-ratelimit-reset` is the moment of the reset, in seconds of the epoch.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from agent_core.errors import ForgeError
from agent_core.markdown import one_line

if TYPE_CHECKING:
    from httpx2 import Client, Response

_Answer = TypeVar("_Answer")
_API_VERSION = "2022-11-28"
_TRIES = 3
_PAUSE_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 60.0
_UNSTATED_WAIT_SECONDS = 60.0  # what the documentation asks for where no header says it
_TIMEOUT_SECONDS = 30.0


class UnsureError(ForgeError):
    """The request may have been carried out or not: what is there has to be looked up."""


class RefusedError(ForgeError):
    """GitHub understood the request and says no."""

    def __init__(self, words: str, status: int) -> None:
        super().__init__(words)
        self.status = status


@dataclass
class GithubApi:
    """One repository's part of the API; `call` takes paths below `/repos/owner/name`."""

    api_url: str
    repository: str
    token: str = field(repr=False)
    token_env: str
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.time

    def call(
        self,
        method: str,
        path: str,
        *,
        send: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        again: bool = True,
    ) -> Any:
        """The answer's JSON, None where it has none.

        `again`: a second time does no harm. Raises ForgeError; RefusedError where GitHub says no,
        UnsureError where a request that is not to be repeated was lost.
        """
        with self._client() as client:
            for tries_left in reversed(range(_TRIES)):
                response = self._sent(client, method, path, send, query)
                pause = self._pause(response, tries_left, again=again)
                if pause is None:
                    return self._read(response, method, path)
                self.sleep(pause)
        raise AssertionError("the last try pauses no more")

    def ask(
        self,
        kind: type[_Answer],
        method: str,
        path: str,
        *,
        send: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        again: bool = True,
    ) -> _Answer:
        """The same as a value of `kind`. Raises ForgeError where the answer is none."""
        answer = self.call(method, path, send=send, query=query, again=again)
        try:
            return TypeAdapter(kind).validate_python(answer)
        except ValidationError:
            raise ForgeError(self._unreadable(method, path)) from None

    def _client(self) -> "Client":
        import httpx2

        headers = {
            "Authorization": f"Bearer {self.token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": _API_VERSION,
            "User-Agent": "signals",
        }
        return httpx2.Client(headers=headers, timeout=_TIMEOUT_SECONDS)

    def _sent(
        self,
        client: "Client",
        method: str,
        path: str,
        send: Mapping[str, Any] | None,
        query: Mapping[str, str] | None,
    ) -> "Response | str":
        """The answer, or the name of the failure that kept it away."""
        import httpx2

        url = f"{self.api_url.rstrip('/')}/repos/{self.repository}{path}"
        try:
            return client.request(method, url, json=send, params=query)
        except httpx2.HTTPError as error:
            return type(error).__name__
        except httpx2.InvalidURL:
            raise ForgeError(f"{self.repository}: [forge] api_url is no URL") from None

    def _pause(self, response: "Response | str", tries_left: int, *, again: bool) -> float | None:
        """Seconds until the next try; None where there is none."""
        if isinstance(response, str) or response.status_code >= 500:
            # A connection that never stood carried nothing out.
            is_safe = again or response in ("ConnectError", "ConnectTimeout")
            return _PAUSE_SECONDS * 2.0 ** (_TRIES - tries_left) if is_safe and tries_left else None
        wait = self._limited_for(response)
        return wait if tries_left and wait is not None and wait <= _LONGEST_WAIT_SECONDS else None

    def _limited_for(self, response: "Response") -> float | None:
        """Seconds until the rate limit is lifted; None where the answer names none."""
        if response.status_code not in (403, 429):
            return None
        headers = response.headers
        if (after := _number(headers.get("retry-after"))) is not None:
            return after
        reset = _number(headers.get("x-ratelimit-reset"))
        if headers.get("x-ratelimit-remaining") == "0" and reset is not None:
            return max(0.0, reset - self.now())
        is_limit = response.status_code == 429 or "rate limit" in _said(response).lower()
        return _UNSTATED_WAIT_SECONDS if is_limit else None

    def _read(self, response: "Response | str", method: str, path: str) -> Any:
        place = f"{self.repository} on {self.api_url}"
        if isinstance(response, str):
            raise UnsureError(f"{place}: no answer ({response}); run the task again later")
        if response.status_code >= 500:
            raise UnsureError(f"{place}: fails ({response.status_code}); run the task again later")
        if not response.is_success:
            raise RefusedError(f"{place}: {self._meaning(response)}", response.status_code)
        try:
            return response.json() if response.content else None
        except ValueError:
            raise ForgeError(self._unreadable(method, path)) from None

    def _unreadable(self, method: str, path: str) -> str:
        call = f"{method} /repos/{self.repository}{path}"
        return f"{self.api_url}: {call} gave no answer of GitHub's; check [forge] api_url"

    def _meaning(self, response: "Response") -> str:
        """What an error means here, and the remedy."""
        wait = self._limited_for(response)
        if wait is not None:
            at = datetime.fromtimestamp(self.now() + wait, UTC)
            return f"limits the rate until {at:%H:%M} UTC; run the task again after it"
        if response.is_redirect:
            return "the repository has moved: set [forge] repository to its new name"
        meaning = {
            401: f"the token in {self.token_env} is not valid: make a new one",
            403: f"the token in {self.token_env} may not do this: it needs to write contents and "
            "pull requests",
            404: f"not found: check [forge] repository, and that the token in {self.token_env} "
            "may see it",
            410: "is gone: check [forge] repository",
        }.get(response.status_code)
        return meaning or f"says no ({response.status_code}: {_said(response)})"


def _said(response: "Response") -> str:
    """GitHub's own words, one line."""
    try:
        body = response.json()
    except ValueError:
        return "no reason"
    if not isinstance(body, dict):
        return "no reason"
    errors = [e for e in body.get("errors") or () if isinstance(e, dict)]
    details = [str(e.get("message") or f"{e.get('field')} {e.get('code')}") for e in errors]
    return one_line("; ".join([str(body.get("message", "no reason")), *details]), 200)


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else max(0.0, float(text))
    except ValueError:
        return None
