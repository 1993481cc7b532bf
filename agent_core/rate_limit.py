"""When an endpoint that limits the rate says it can be asked again.

The client waits as long as `Retry-After` or `retry-after-ms` says. Endpoints that give neither
often name the moment in `x-ratelimit-reset-requests` and `-tokens`, as `1s`, `6m0s` or `250ms`
(https://developers.openai.com/api/docs/guides/rate-limits): that of a limit with nothing remaining
is put in the words the client knows. Of any other it says when all of it is there again, which
nobody has to wait for.
"""

import re
from collections.abc import MutableMapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from httpx2 import Response

_TOO_MANY = 429
_KINDS = ("requests", "tokens")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def say_when_to_retry(response: "Response") -> None:
    """Give a 429 without `Retry-After` one that says what its rate-limit headers say."""
    headers = response.headers
    if response.status_code != _TOO_MANY or "retry-after" in headers or "retry-after-ms" in headers:
        return
    seconds = seconds_to_reset(headers)
    if seconds is not None:
        headers["retry-after"] = f"{seconds:.3f}"


def seconds_to_reset(headers: MutableMapping[str, str]) -> float | None:
    """How long until the limit that was hit is lifted; None where the headers do not say.

    The limit that was hit is one with nothing remaining; of two the later counts.
    """
    resets = {kind: _seconds(headers.get(f"x-ratelimit-reset-{kind}", "")) for kind in _KINDS}
    hit = [kind for kind in _KINDS if headers.get(f"x-ratelimit-remaining-{kind}") == "0"]
    return max((seconds for kind in hit if (seconds := resets[kind]) is not None), default=None)


def _seconds(text: str) -> float | None:
    """`1m30s` as 90.0; a bare number is seconds; None for anything else."""
    if re.fullmatch(r"\d+(?:\.\d+)?", text):
        return float(text)
    if not re.fullmatch(rf"(?:{_PART.pattern})+", text):
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
