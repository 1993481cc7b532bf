"""Whether a breach is told from the causes that patch tasks cover already: precision and recall.

    python tests/benchmarks/task_dedup.py [--seed N] [--out FILE]

Every pair is a task and a new breach. Near-duplicates have one cause: the same failure in another
release, its message reworded (another signature, or a class that is no longer recognised), its tool
under another name, or seen as a signature. Near-misses have two: the same tool with another class,
the same class at another tool of the target, at one that is new, or with the same message, another
message of a class that holds all kinds, what people do in consequence, another agent. Descriptions
are made of the words that the rules judge's templates have.

The causes are halved at random. The similarity from which two descriptions mean the same is the
one with the best F1 on the first half; all figures are of the other half. The rule is compared
with equality of the pattern, and with itself where the embedding model is missing. What sessions
have in common, which the stage looks at too, is left out here. Intervals: 95 %, Wilson.
"""

import argparse
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from agent_core.embedding import Embedder
from agent_core.proportions import wilson_interval
from agent_core.signature import salted_signature
from judges.rules.vocabulary import actions, failure_words
from judges.rules.wording import _BY_TYPE, _PERSON_DID
from pipelines.config import TasksConfig
from pipelines.task_matching import Cause, Means, find_match, is_undecided
from pipelines.task_wording import meaning
from pipelines.tasks import pattern_key

_TOOLS: dict[str, tuple[str, ...]] = {
    "run_command": ("run_shell", "bash", "terminal"),
    "edit_file": ("str_replace_editor", "patch_file", "replace_in_file"),
    "write_file": ("create_file", "save_file"),
    "read_file": ("view", "open_file", "show_file"),
    "list_files": ("ls", "list_directory"),
    "search": ("grep", "find_text", "search_code"),
    "web_fetch": ("fetch_url", "http_get"),
    "web_search": ("search_web", "look_up_online"),
    "query_database": ("run_sql", "sql_query"),
    "send_mail": ("mail_send", "email_customer"),
    "create_ticket": ("open_ticket", "file_issue"),
    "book_meeting": ("schedule_meeting", "add_calendar_event"),
}
"""Tools of the target, each with names that a later release might give it."""
_CLASSES = (
    "timeout", "no_match", "not_found", "permission", "invalid_arguments", "syntax", "rate_limit",
    "network", "output_limit", "command_failed", "other",
)  # fmt: skip
_CONSEQUENCES = ("correction", "repeated_rephrasing", "escalation_tone", "backtracking")
_PLACES = ("early in the session", "in the middle of the session", "late in the session")
_TIMES = ("once", "twice", "several times")
_SALT = b"benchmark"
_MOST = 5
_GRID = [number / 100 for number in range(50, 100)]


@dataclass(frozen=True, slots=True)
class Pair:
    """A task and a breach found later."""

    kind: str
    is_duplicate: bool
    task: Cause
    breach: Cause


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one rule on the half that nothing was chosen on."""

    rule: str
    precision: float
    precision_low: float
    precision_high: float
    recall: float
    recall_low: float
    recall_high: float
    joined_right: int
    joined_wrong: int
    duplicates: int


Rule = Callable[[Pair], bool]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("test-output/task_dedup.json"))
    options = parser.parse_args()
    halves = _halves(options.seed)
    embedder = Embedder()
    tools = frozenset(_TOOLS)
    open_ = [p for half in halves for p in half if is_undecided(p.breach, p.task, tools)]
    texts = sorted({text for pair in open_ for text in (pair.task.text, pair.breach.text)})
    vectors = dict(zip(texts, embedder.embed(texts), strict=True))

    def similarity(one: str, other: str) -> float | None:
        return float(np.dot(vectors[one], vectors[other]))

    def rule_at(threshold: float) -> Rule:
        return _matching(Means(similarity, threshold, tools))

    chosen = max(_GRID, key=lambda threshold: (_f1(halves[0], rule_at(threshold)), threshold))
    alone = _matching(Means(lambda one, other: None, 1.0, tools))
    rules = {
        "equal patterns (baseline)": _has_equal_pattern,
        "pattern and signature (no model)": alone,
        f"with meaning from {chosen:.2f} (chosen)": rule_at(chosen),
        f"with meaning from {TasksConfig().same_meaning:.2f} (shipped)": rule_at(
            TasksConfig().same_meaning
        ),
    }
    rows = [_figures(name, halves[1], rule) for name, rule in rules.items()]
    kinds = {name: _by_kind(halves[1], rule) for name, rule in rules.items()}
    _show(rows, kinds, halves, embedder.model_id)
    document = {
        "model": embedder.model_id,
        "seed": options.seed,
        "chosen": chosen,
        "rows": [asdict(row) for row in rows],
        "joined_by_kind": kinds,
    }
    options.out.parent.mkdir(exist_ok=True)
    options.out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _halves(seed: int) -> tuple[list[Pair], list[Pair]]:
    chance = random.Random(seed)
    causes = [(tool, error_class) for tool in _TOOLS for error_class in _CLASSES]
    chance.shuffle(causes)
    middle = len(causes) // 2
    first, second = (
        [pair for cause in half for pair in _pairs(*cause, chance)]
        for half in (causes[:middle], causes[middle:])
    )
    return first, second


def _pairs(tool: str, error_class: str, chance: random.Random) -> Iterator[Pair]:
    task = _error(tool, error_class, "a", chance)
    yield from (Pair(kind, True, task, breach) for kind, breach in _duplicates(task, chance))
    yield from (Pair(kind, False, task, breach) for kind, breach in _near_misses(task, chance))


def _duplicates(task: Cause, chance: random.Random) -> Iterator[tuple[str, Cause]]:
    assert task.tool is not None
    assert task.error_class is not None
    name = chance.choice(_TOOLS[task.tool])
    again = _error(task.tool, task.error_class, "a", chance)
    yield "another release", again
    if task.error_class not in ("other", "command_failed"):
        yield "reworded message", _error(task.tool, task.error_class, "b", chance)
        yield "reworded beyond its class", _error(task.tool, "other", "b", chance)
    yield "renamed tool", _error(name, task.error_class, "a", chance)
    yield "renamed tool, reworded", _error(name, task.error_class, "b", chance)
    yield "its signature", replace(again, tool=None)


def _near_misses(task: Cause, chance: random.Random) -> Iterator[tuple[str, Cause]]:
    assert task.tool is not None
    assert task.error_class is not None
    other_class = chance.choice([one for one in _CLASSES[:-2] if one != task.error_class])
    other_tool = chance.choice([one for one in _TOOLS if one != task.tool])
    new_tool = chance.choice(_TOOLS[other_tool])
    yield "same tool, other class", _error(task.tool, other_class, "c", chance)
    yield "same class, other tool", _error(other_tool, task.error_class, "c", chance)
    yield "same message, other tool", _error(other_tool, task.error_class, "a", chance)
    yield "same class, new tool", _error(new_tool, task.error_class, "c", chance)
    if task.error_class in ("other", "command_failed"):
        yield "other message of a wide class", _error(task.tool, task.error_class, "c", chance)
    else:
        yield "unknown class, new tool", _error(new_tool, "other", "c", chance)
    yield "consequence", _consequence(task, chance)
    yield "other agent", replace(_error(task.tool, task.error_class, "a", chance), agent="other")


def _error(tool: str, error_class: str, message: str, chance: random.Random) -> Cause:
    """A breach at a tool; `message` names the wording, the same word at all tools."""
    salted = salted_signature(error_class, f"{message} {error_class}", _SALT)
    seen = [_descriptor(tool, error_class, chance) for _ in range(_MOST)]
    return Cause(
        agent="core",
        type="error_event",
        tool=tool,
        error_class=error_class,
        signatures=frozenset([salted]),
        text=_text(tool, error_class, seen, chance),
    )


def _consequence(task: Cause, chance: random.Random) -> Cause:
    kind = chance.choice(_CONSEQUENCES)
    assert task.tool is not None
    assert task.error_class is not None
    seen = [_descriptor(task.tool, task.error_class, chance, kind) for _ in range(_MOST)]
    return Cause(task.agent, kind, None, None, text=_text(None, None, seen, chance))


def _text(
    tool: str | None, error_class: str | None, seen: Sequence[str], chance: random.Random
) -> str:
    counted = [f"{line} ({chance.randint(1, 9)} sessions)" for line in dict.fromkeys(seen)]
    return meaning(tool, error_class, counted)


def _descriptor(
    tool: str, error_class: str, chance: random.Random, kind: str = "error_event"
) -> str:
    """In the words of `judges.rules.wording`."""
    did = [chance.choice(_OTHER_ACTIONS), *map(str, actions([tool]))]
    chance.shuffle(did)
    person = chance.choice([words for _, words in _PERSON_DID[:14]] + [_BY_TYPE[kind]])
    failed = f"while {tool} {failure_words(error_class)} {chance.choice(_TIMES)}"
    return (
        f"after the agent {' and '.join(dict.fromkeys(did))}, {failed}, the person {person}, "
        f"{chance.choice(_PLACES)}"
    )


_OTHER_ACTIONS = ("ran commands", "read files", "edited files", "searched", "planned")


def _matching(means: Means) -> Rule:
    return lambda pair: find_match(pair.breach, [("task", pair.task)], means) is not None


def _has_equal_pattern(pair: Pair) -> bool:
    return _key(pair.task) == _key(pair.breach)


def _key(cause: Cause) -> str:
    of_signature = cause.error_class is not None and cause.tool is None
    signature = next(iter(cause.signatures), None) if of_signature else None
    return pattern_key(
        cause.agent, cause.type, cause.tool, cause.error_class, signature, cause.cluster_id
    )


def _f1(pairs: Sequence[Pair], rule: Rule) -> float:
    right, wrong, duplicates = _counts(pairs, rule)
    return 2 * right / (right + wrong + duplicates)


def _counts(pairs: Sequence[Pair], rule: Rule) -> tuple[int, int, int]:
    joined = [pair.is_duplicate for pair in pairs if rule(pair)]
    return sum(joined), len(joined) - sum(joined), sum(pair.is_duplicate for pair in pairs)


def _figures(name: str, pairs: Sequence[Pair], rule: Rule) -> Figures:
    right, wrong, duplicates = _counts(pairs, rule)
    return Figures(
        name,
        right / (right + wrong),
        *wilson_interval(right, right + wrong),
        right / duplicates,
        *wilson_interval(right, duplicates),
        right,
        wrong,
        duplicates,
    )


def _by_kind(pairs: Sequence[Pair], rule: Rule) -> dict[str, tuple[int, int]]:
    kinds = dict.fromkeys(pair.kind for pair in pairs)
    return {
        kind: (
            sum(rule(pair) for pair in pairs if pair.kind == kind),
            sum(pair.kind == kind for pair in pairs),
        )
        for kind in kinds
    }


def _show(
    rows: Sequence[Figures],
    kinds: dict[str, dict[str, tuple[int, int]]],
    halves: tuple[list[Pair], list[Pair]],
    model_id: str,
) -> None:
    print(
        f"model {model_id}; {len(halves[0])} pairs to choose on, {len(halves[1])} to measure on\n"
    )
    print(f"{'rule':<40} {'precision':<24} {'recall':<24} wrong")
    for row in rows:
        precision = f"{row.precision:.3f} ({row.precision_low:.3f} to {row.precision_high:.3f})"
        recall = f"{row.recall:.3f} ({row.recall_low:.3f} to {row.recall_high:.3f})"
        print(f"{row.rule:<40} {precision:<24} {recall:<24} {row.joined_wrong}")
    duplicates = {pair.kind for pair in halves[1] if pair.is_duplicate}
    print("\njoined, of all pairs of a kind (baseline; without a model; chosen; shipped)")
    for kind in next(iter(kinds.values())):
        counts = "  ".join(f"{counted[kind][0]:>3}" for counted in kinds.values())
        total = next(iter(kinds.values()))[kind][1]
        said = "should join" if kind in duplicates else "should not"
        print(f"{kind:<32} {said:<12} {counts}  of {total}")


if __name__ == "__main__":
    main()
