"""Remedies of words: messages, descriptions, examples, rules in a prompt."""

import json
import re
from collections.abc import Mapping
from typing import Any

from agent_core.remedies.case import Case, NothingToDoError, mentions
from agent_core.remedies.rules import (
    ActionableError,
    AddExample,
    AddRule,
    Guidance,
    Hint,
    MendDescription,
    TemplateRule,
    Wording,
)
from agent_core.toml_edit import with_value
from agent_core.toolkit.spec import ALWAYS_SUPPLIED


def actionable_error(rule: ActionableError, case: Case, texts: Mapping[str, str]) -> dict[str, str]:
    """The spec with a message that says what comes next, and the prompt with the guidance."""
    wanted = {
        key: template
        for key, template in (
            *rule.templates.get("any", {}).items(),
            *rule.templates.get(case.tool, {}).items(),
        )
        if key == case.error_class or key.startswith(f"{case.error_class}_")
    }
    if not wanted:
        raise NothingToDoError(f"the playbook has no message for {case.error_class} of {case.tool}")
    changed = {case.spec_path: texts[case.spec_path]}
    for key, template in wanted.items():
        changed[case.spec_path] = _with_template(template, key, case, changed)
    if case.tool in rule.guidance:
        changed[rule.prompt] = guided(rule.guidance[case.tool], texts[rule.prompt])
    return changed


def _with_template(rule: TemplateRule, key: str, case: Case, texts: Mapping[str, str]) -> str:
    spec, text = case.spec(texts), texts[case.spec_path]
    if mentions(spec.get("errors", {}).get(key, ""), rule.mentions):
        return text
    if key != case.error_class and key not in spec.get("error_fields", {}):
        return text  # the tool knows no such case
    supplied = {*spec.get("error_fields", {}).get(key, ()), *ALWAYS_SUPPLIED}
    if missing := set(re.findall(r"\{(\w+)\}", rule.template)) - supplied:
        raise NothingToDoError(f"{case.tool} does not supply {', '.join(sorted(missing))}")
    return with_value(text, "errors", key, rule.template)


def add_rule(rule: AddRule, case: Case, texts: Mapping[str, str]) -> dict[str, str]:
    """The prompt with the lines that it lacks, the spec with the same advice in its message."""
    prompt = texts[rule.prompt]
    for guidance in (*rule.rules.get("any", ()), *rule.rules.get(case.error_class, ())):
        prompt = guided(guidance, prompt)
    if prompt == texts[rule.prompt]:
        raise NothingToDoError("the prompt has every rule of the playbook for it")
    hint = rule.hints.get(case.tool, {}).get(case.error_class)
    return {rule.prompt: prompt, case.spec_path: hinted(hint, case, texts)}


def add_example(rule: AddExample, case: Case, texts: Mapping[str, str]) -> dict[str, str]:
    """The spec with an example, and a message that shows it."""
    example = rule.examples.get(case.tool)
    if example is None:
        raise NothingToDoError(f"the playbook has no example for {case.tool}")
    spec = case.spec(texts)
    shown = [json.dumps(dict(one["arguments"])) for one in spec.get("examples", ())]
    text = texts[case.spec_path]
    if not any(example.mentions in one for one in shown):
        text = f"{text.rstrip()}\n{_example(example.arguments, example.explains)}"
    if text == texts[case.spec_path]:
        raise NothingToDoError(f"the spec of {case.tool} shows the example already")
    return {case.spec_path: hinted(rule.hint, case, {case.spec_path: text})}


def _example(arguments: Mapping[str, Any], explains: str) -> str:
    # JSON's strings, numbers and booleans are TOML's too.
    inner = ", ".join(f"{n} = {json.dumps(v, ensure_ascii=False)}" for n, v in arguments.items())
    return (
        f"\n[[examples]]\narguments = {{ {inner} }}\n"
        f"explains = {json.dumps(explains, ensure_ascii=False)}\n"
    )


def mend_description(rule: MendDescription, case: Case, texts: Mapping[str, str]) -> dict[str, str]:
    """The spec with descriptions that promise what the tool does."""
    spec, text = case.spec(texts), texts[case.spec_path]
    for place, wording in rule.wordings.get(case.tool, {}).items():
        of_tool = place == "tool"
        said = spec if of_tool else case.properties(texts).get(place)
        if said is None or _holds(wording, str(said.get("description", ""))):
            continue
        table = "" if of_tool else f"parameters.properties.{place}"
        text = with_value(text, table, "description", wording.text)
    if text == texts[case.spec_path]:
        raise NothingToDoError(f"the description of {case.tool} promises nothing wrong")
    changed = {case.spec_path: text}
    hint = rule.hints.get(case.tool, {}).get(case.error_class)
    return {case.spec_path: hinted(hint, case, changed)}


def _holds(wording: Wording, description: str) -> bool:
    lowered = description.lower()
    says = all(word.lower() in lowered for word in wording.says)
    return says and not any(word.lower() in lowered for word in wording.never)


def hinted(hint: Hint | None, case: Case, texts: Mapping[str, str]) -> str:
    """The spec with the hint's sentence behind the message of the failure."""
    text = texts[case.spec_path]
    template = case.spec(texts).get("errors", {}).get(case.error_class)
    if hint is None or not template or mentions(template, hint.mentions):
        return text
    ended = template if template.rstrip().endswith((".", "!", "}", ":")) else f"{template}."
    return with_value(text, "errors", case.error_class, f"{ended} {hint.sentence}")


def guided(guidance: Guidance, prompt: str) -> str:
    """The prompt with the line at the end of its section."""
    lines = prompt.splitlines(keepends=True)
    header = f"## {guidance.section}"
    start = next((i for i, line in enumerate(lines) if line.strip() == header), None)
    if start is None:
        return f"{prompt.rstrip()}\n\n{header}\n- {guidance.line}\n"
    end = next((i for i in range(start + 1, len(lines)) if lines[i].startswith("#")), len(lines))
    if any(mentions(line, guidance.mentions) for line in lines[start:end]):
        return prompt
    while not lines[end - 1].strip():
        end -= 1
    return "".join([*lines[:end], f"- {guidance.line}\n", *lines[end:]])
