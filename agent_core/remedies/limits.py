"""Remedies for what runs into a limit: raise it, or give what is too large in pages."""

from collections.abc import Mapping

from agent_core.remedies.case import Case, NothingToDoError
from agent_core.remedies.rules import RaiseLimit, SplitOutput
from agent_core.toml_edit import with_value


def raise_limit(rule: RaiseLimit, case: Case, texts: Mapping[str, str]) -> dict[str, str]:
    """The spec with the limit multiplied, never above the cap."""
    limit = rule.limits.get(case.tool, {}).get(case.error_class)
    if limit is None:
        raise NothingToDoError(f"the playbook names no limit of {case.tool}")
    value = case.spec(texts).get("limits", {}).get(limit.name)
    if not isinstance(value, int | float):
        raise NothingToDoError(f"the spec of {case.tool} has no limit {limit.name}")
    if value >= limit.cap:
        raise NothingToDoError(
            f"{limit.name} of {case.tool} is {value:g} already, the cap {limit.cap:g}"
        )
    raised = min(value * limit.factor, limit.cap)
    whole = int(raised) if raised == int(raised) else raised
    return {case.spec_path: with_value(texts[case.spec_path], "limits", limit.name, whole)}


def split_output(rule: SplitOutput, case: Case, texts: Mapping[str, str]) -> dict[str, str]:
    """The spec with an argument that picks a page; only where results are refused for size."""
    spec = case.spec(texts)
    if "output_chars" not in spec.get("limits", {}):
        raise NothingToDoError(f"{case.tool} refuses no result for its size")
    if spec.get("paging"):
        raise NothingToDoError(f"{case.tool} gives long results in pages already")
    text = with_value(texts[case.spec_path], "", "paging", rule.argument)
    coerced = [*spec.get("coerced", ()), rule.argument]
    text = with_value(text, "", "coerced", list(dict.fromkeys(coerced)))
    table = f"parameters.properties.{rule.argument}"
    if rule.argument not in case.properties(texts):
        described = {"description": rule.description, "type": "integer"}
        values: dict[str, int | str] = {"minimum": 1, "default": 1, **described}
        for key, value in values.items():
            text = with_value(text, table, key, value)
    return {case.spec_path: text}
