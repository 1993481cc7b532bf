"""Evidence of a whole session: how much was asked for and done, and how it went on."""

import json
import math
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources

from agent_core.session import Step, ToolCall
from judges.rules.prose import clean
from judges.rules.vocabulary import Action, actions
from judges.rules.wording import Scene

_WORK: frozenset[Action] = frozenset({"edited files", "ran commands", "read files"})
_CERTAIN = 0.9999
"""No turn is worse than this, so that its nats stay finite."""
_AGENT_CHARS = 20_000
_NAME_CHARS = 200
_LISTED_LINE = re.compile(r"^\s*(?:\d{1,3}[.)]|[-*•])\s", re.MULTILINE)
_PART_OF_NAME = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def is_errand(scenes: Sequence[Scene]) -> bool:
    """Whether somebody has an agent act with tools that are not for files and commands.

    There the person rarely sees what was done: how it ended shows less in what they say than in
    how much was asked for and taken up. Who works on files sees the work and speaks of it.
    """
    if any(scene.view.is_autonomous for scene in scenes):
        return False
    names = [call.name for step in _steps(scenes) for call in step.tool_calls]
    return bool(names) and not _WORK & set(actions(names))


def session_evidence(scenes: Sequence[Scene], turn_scores: Sequence[float]) -> dict[str, float]:
    """Names of evidence with their amounts: log(1 + count), or a share in [0, 1].

    A wish is taken up when the agent had not just declined something. What follows a refusal is
    pleading, of which a right refusal makes as much as a wrong one. `turn_scores` is the friction
    of each scene, 0 in the tail; `worst_turn` is in nats: 1 - exp(-x) is its score.
    """
    steps = _steps(scenes)
    calls = [call for step in steps for call in step.tool_calls]
    acts = [call for call in calls if is_act(call)]
    scored = [
        (s, score)
        for s, score in zip(scenes, turn_scores, strict=True)
        if s.view.closing is not None
    ]
    taken_up = [(scene, score) for scene, score in scored if not _declined(scene)]
    wishes = [_words(scene) for scene, _ in taken_up]
    counts = {
        "length": len(steps),
        "several_wishes": sum(count("several", wish) for wish in wishes),
        "bounded_wishes": sum(count("bounded", wish) for wish in wishes),
        "acts": len(_values(acts)),
        "failed_acts": _failed(steps, acts),
        "options": sum(_listed_lines(step) for step in steps),
        "repeated_calls": len(calls)
        - len({(call.name, *sorted(_values([call]))) for call in calls}),
        "declined_after_acts": _declined_after_acts(scenes),
    }
    logs = {name: math.log1p(amount) for name, amount in counts.items()}
    return logs | {
        "early_words": _early_share([_words(scene) for scene, _ in scored]),
        "worst_turn": -math.log(
            1 - min(max((score for _, score in taken_up), default=0.0), _CERTAIN)
        ),
    }


def is_act(call: ToolCall) -> bool:
    """Whether a call changes something, by the words of its name; handing over changes nothing."""
    words = [word.lower() for word in _PART_OF_NAME.findall(call.name[:_NAME_CHARS])]
    looks = bool(words) and bool(_pattern("looking").fullmatch(words[0]))
    return not looks and not any(_pattern("handing").fullmatch(word) for word in words)


def count(kind: str, text: str) -> int:
    """How often a text says a kind of thing of `session_words.toml`."""
    return sum(1 for _ in _pattern(kind).finditer(text))


@cache
def _pattern(kind: str) -> re.Pattern[str]:
    listed = _listed()[kind]
    alternatives = [*listed.get("parts", []), rf"(?<!\w)(?:{'|'.join(listed['words'])})(?!\w)"]
    return re.compile("|".join(alternatives), re.IGNORECASE)


@cache
def _listed() -> Mapping[str, Mapping[str, list[str]]]:
    source = resources.files(__package__).joinpath("session_words.toml")
    listed: dict[str, dict[str, list[str]]] = tomllib.loads(source.read_text(encoding="utf-8"))
    return listed


def _steps(scenes: Sequence[Scene]) -> list[Step]:
    return [step for scene in scenes for step in scene.view.segment.steps]


def _words(scene: Scene) -> str:
    return "" if scene.view.closing is None else scene.view.closing.prose


def _declined(scene: Scene) -> bool:
    return _pattern("declined").search(scene.view.agent_text) is not None


def _early_share(turns: Sequence[str]) -> float:
    """Share of the person's characters in the first half of the turns; 0 below two turns."""
    lengths = [len(text) for text in turns]
    half = len(lengths) // 2
    return sum(lengths[:half]) / sum(lengths) if half and sum(lengths) else 0.0


def _values(calls: Sequence[ToolCall]) -> set[str]:
    """The different values that calls were given."""
    return {value for call in calls for value in _leaves(call.arguments)}


def _leaves(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item)
    else:
        yield json.dumps(value, default=str)[:_NAME_CHARS]


def _listed_lines(step: Step) -> int:
    """Lines of lists in what the agent said."""
    if step.source != "agent":
        return 0
    return sum(1 for _ in _LISTED_LINE.finditer(clean(step.text[:_AGENT_CHARS])))


def _failed(steps: Sequence[Step], acts: Sequence[ToolCall]) -> int:
    ids = {call.call_id for call in acts}
    return sum(o.is_error and o.call_id in ids for step in steps for o in step.observations)


def _declined_after_acts(scenes: Sequence[Scene]) -> int:
    """How often the agent declined something once it had acted."""
    acted, declined = False, 0
    for scene in scenes:
        acted = acted or any(is_act(call) for step in _steps([scene]) for call in step.tool_calls)
        declined += acted and _declined(scene)
    return declined
