"""Remedies for arguments that models get wrong: their names, their values, their defaults."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence

from agent_core.remedies.case import Case, FailedCall, NothingToDoError
from agent_core.remedies.rules import AcceptAlias, AcceptValue, MendDefault
from agent_core.toml_edit import with_value

_NAME = re.compile(r"[a-z][a-z0-9_]{1,29}", re.IGNORECASE)
_WORD = re.compile(r"[a-z][a-z_-]{1,19}")
_LIKE = 0.75


def accept_alias(rule: AcceptAlias, case: Case, texts: Mapping[str, str]) -> dict[str, str]:
    """The spec with the names that the recorded calls used for its arguments."""
    spec, properties = case.spec(texts), case.properties(texts)
    known = {**{name: name for name in properties}, **spec.get("aliases", {})}
    required = set(spec["parameters"].get("required", ()))
    found: dict[str, str] = {}
    for call in case.calls:
        unknown = [name for name in call.arguments if name not in known and _NAME.fullmatch(name)]
        given = {known[name] for name in call.arguments if name in known}
        for name in unknown:
            free = [argument for argument in properties if argument not in given]
            missing = [argument for argument in free if argument in required]
            target = _meant_by(name, free, missing if len(unknown) == 1 else [], rule.synonyms)
            if target is not None:
                found.setdefault(name, target)
                given.add(target)
    if not found:
        raise NothingToDoError(f"no recorded call names an argument that {case.tool} lacks")
    text = texts[case.spec_path]
    for name, target in sorted(found.items()):
        text = with_value(text, "aliases", name, target)
    return {case.spec_path: text}


def _meant_by(
    name: str, free: list[str], missing: list[str], synonyms: Mapping[str, tuple[str, ...]]
) -> str | None:
    """The argument that a wrong name stands for; None where it is not clear."""
    meant = [argument for argument in free if name.lower() in synonyms.get(argument, ())]
    if len(meant) == 1:
        return meant[0]
    if len(missing) == 1:
        return missing[0]
    like = difflib.get_close_matches(name.lower(), free, n=1, cutoff=_LIKE)
    return like[0] if like else None


def accept_value(rule: AcceptValue, case: Case, texts: Mapping[str, str]) -> dict[str, str]:
    """The spec with the forms of values that the recorded calls used."""
    spec, properties = case.spec(texts), case.properties(texts)
    coerced = list(spec.get("coerced", ()))
    synonyms: dict[tuple[str, str], str] = {}
    for name, value in _texts(case.calls, spec.get("aliases", {})):
        wanted = properties.get(name)
        if wanted is None:
            continue
        if _is_coercible(value, wanted["type"]) and name not in coerced:
            coerced.append(name)
        for accepted in wanted.get("enum", ()):
            word = value.strip().lower()
            if word in rule.synonyms.get(accepted, ()) and _WORD.fullmatch(word):
                synonyms[name, word] = accepted
    text = texts[case.spec_path]
    if coerced != list(spec.get("coerced", ())):
        text = with_value(text, "", "coerced", coerced)
    for (name, word), accepted in sorted(synonyms.items()):
        text = with_value(text, f"values.{name}", word, accepted)
    if text == texts[case.spec_path]:
        raise NothingToDoError(f"no recorded call gives {case.tool} a value in another form")
    return {case.spec_path: text}


def _texts(calls: Sequence[FailedCall], aliases: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for call in calls:
        for name, value in call.arguments.items():
            if isinstance(value, str):
                yield aliases.get(name, name), value


def _is_coercible(value: str, wanted: str) -> bool:
    if wanted == "integer":
        return bool(re.fullmatch(r"\s*-?\d{1,18}\s*", value))
    return wanted == "boolean" and value.strip().lower() in {"true", "false"}


def mend_default(rule: MendDefault, case: Case, texts: Mapping[str, str]) -> dict[str, str]:
    """The spec with another default for an argument that every recorded call left out."""
    properties = case.properties(texts)
    aliases = case.spec(texts).get("aliases", {})
    text = texts[case.spec_path]
    for argument, default in rule.defaults.get(case.tool, {}).items():
        present = properties.get(argument, {}).get("default")
        named = [{aliases.get(n, n) for n in call.arguments} for call in case.calls]
        left_out = [argument not in names for names in named]
        # It is the default's doing where calls fail that leave the argument out.
        if present is not None and present != default and any(left_out):
            text = with_value(text, f"parameters.properties.{argument}", "default", default)
    if text == texts[case.spec_path]:
        raise NothingToDoError(f"no default of {case.tool} is behind the recorded calls")
    return {case.spec_path: text}
