"""Numbers and statuses in words, and data made safe to stand in Markdown."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

STATUS_WORDS = {
    "judged": "judged",
    "excluded": "left out",
    "pending": "pending",
    "unscored": "could not be judged",
    "waiting": "not judged yet",
}
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>$:~^&\"'])")


def plain(text: str) -> str:
    """`text` so that Markdown shows it as it is: nothing from data formats, links or loads."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def percent(share: float | None) -> str:
    """`58 %`, or a dash where it is not known."""
    return "–" if share is None else f"{100 * share:.0f} %"


def interval(rate: Mapping[str, Any]) -> str:
    """`95 % interval 43 to 72 %, 23 of 40 judged sessions`"""
    if rate["rate"] is None:
        return "no judged session to tell"
    low, high = 100 * rate["rate_low"], 100 * rate["rate_high"]
    return (
        f"95 % interval {low:.0f} to {high:.0f} %, "
        f"{rate['affected']} of {rate['sessions']} judged sessions"
    )


def judge_caption(accuracy: str) -> str:
    """`Judge: kappa 0.67 [0.60, 0.73] on 609 labelled turns`, safe to stand in Markdown."""
    return plain(f"Judge: {accuracy}")


def type_words(name: str) -> str:
    """`error event` for `error_event`."""
    return "any type" if name == "any" else name.replace("_", " ")


def moment_words(moment: datetime) -> str:
    """`2 March 2026, 12:00 UTC`"""
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"
