"""One entry for every kind of remedy: which files it needs, and the changes that carry it out."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from agent_core.remedies.arguments import accept_alias, accept_value, mend_default
from agent_core.remedies.case import Case, Change, NothingToDoError
from agent_core.remedies.limits import raise_limit, split_output
from agent_core.remedies.rules import (
    AcceptAlias,
    AcceptValue,
    ActionableError,
    AddRule,
    MendDefault,
    Remedy,
)
from agent_core.remedies.wording import (
    actionable_error,
    add_example,
    add_rule,
    mend_description,
)

_KINDS: Mapping[str, Callable[[Any, Case, Mapping[str, str]], dict[str, str]]] = {
    "raise_limit": raise_limit,
    "split_output": split_output,
    "accept_alias": accept_alias,
    "accept_value": accept_value,
    "mend_default": mend_default,
    "actionable_error": actionable_error,
    "add_rule": add_rule,
    "add_example": add_example,
    "mend_description": mend_description,
}


class CarriedOut(NamedTuple):
    """The changes, and which of the remedies (by position) had something to change."""

    changes: tuple[Change, ...]
    remedies: tuple[int, ...]


def needs_calls(remedies: Sequence[Remedy]) -> bool:
    """Whether one of the remedies goes by the recorded calls."""
    return any(isinstance(one, AcceptAlias | AcceptValue | MendDefault) for one in remedies)


def files_needed(remedies: Sequence[Remedy], case: Case) -> tuple[str, ...]:
    """The files whose texts `changes` needs, the tool's spec first."""
    prompts = [
        remedy.prompt
        for remedy in remedies
        if isinstance(remedy, AddRule)
        or (isinstance(remedy, ActionableError) and case.tool in remedy.guidance)
    ]
    return tuple(dict.fromkeys([case.spec_path, *prompts]))


def carry_out(remedies: Sequence[Remedy], case: Case, texts: Mapping[str, str]) -> CarriedOut:
    """What carries the remedies out, one after the other; each acts on its own evidence only.

    NothingToDoError with the reason of each when none of them has anything to change.
    """
    wanted, reasons, done = dict(texts), [], []
    for number, remedy in enumerate(remedies):
        before = dict(wanted)
        try:
            wanted |= _KINDS[remedy.kind](remedy, case, wanted)
        except NothingToDoError as error:
            reasons.append(str(error))
            continue
        if wanted == before:
            reasons.append(f"the remedy for {case.error_class} in {case.tool} is in place already")
        else:
            done.append(number)
    changed = [path for path in texts if texts[path] != wanted[path]]
    if not changed:
        raise NothingToDoError("; ".join(dict.fromkeys(reasons)) or "no remedy applies")
    edits = tuple(_change(path, texts[path], wanted[path]) for path in changed)
    return CarriedOut(edits, tuple(done))


def _change(path: str, old: str, new: str) -> Change:
    """The lines that differ, widened upwards until they occur once."""
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    blocks = difflib.SequenceMatcher(a=before, b=after, autojunk=False).get_opcodes()
    edits = [block for block in blocks if block[0] != "equal"]
    a1, b1, a2, b2 = edits[0][1], edits[0][3], edits[-1][2], edits[-1][4]
    while a1 and (a1 == a2 or old.count("".join(before[a1:a2])) != 1):
        a1, b1 = a1 - 1, b1 - 1
    return Change(path, "".join(before[a1:a2]), "".join(after[b1:b2]))
