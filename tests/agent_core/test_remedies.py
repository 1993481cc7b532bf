"""Each remedy on the specs of the bundled tools with a defect in them, and when it does nothing."""

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agent_core.patching.task import TASK_FILE
from agent_core.playbook import load_playbooks, parse_playbook
from agent_core.playbook_policy import TASK_FILE as READ_BY_THE_POLICY
from agent_core.remedies import (
    CarriedOut,
    Case,
    FailedCall,
    NothingToDoError,
    carry_out,
    files_needed,
    recorded_calls,
)
from agent_core.session import Observation, ToolCall
from agent_core.toolkit import TOOLS_FOLDER, Toolbox, Workspace, load_tools

REPOSITORY = Path(__file__).resolve().parents[2]


class Patient:
    """A copy of tools and prompt with edits, and what a playbook makes of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        ignore = shutil.ignore_patterns("__pycache__")
        for name in ("tools", "prompts"):
            source = REPOSITORY / "agent_core" / name
            shutil.copytree(source, root / "agent_core" / name, ignore=ignore)
        (root / "work").mkdir()
        (root / "work/a.py").write_text("def total(a):\n\treturn a\n" + "# filler\n" * 120)

    def spoil(self, path: str, pattern: str, new: str) -> None:
        """Plant a defect."""
        file = self.root / path
        text, count = re.subn(pattern, lambda _: new, file.read_text(), count=1, flags=re.DOTALL)
        assert count == 1, f"{path} has nothing like {pattern}"
        file.write_text(text)

    def treat(
        self, name: str, tool: str, error_class: str, calls: Sequence[dict[str, Any]] = ()
    ) -> CarriedOut:
        """Carry one playbook out, in the copy."""
        (playbook,) = (one for one in load_playbooks() if one.front.name == name)
        assert playbook.applies_to(tool, error_class)
        remedies = [playbook.front.remedy]
        case = Case(tool, error_class, [FailedCall(arguments, "") for arguments in calls])
        texts = {p: (self.root / p).read_text() for p in files_needed(remedies, case)}
        done = carry_out(remedies, case, texts)
        for change in done.changes:
            assert texts[change.path].count(change.old_text) == 1
            new = texts[change.path].replace(change.old_text, change.new_text)
            (self.root / change.path).write_text(new)
        return done

    def call(self, tool: str, **arguments: Any) -> Observation:
        """A call with the tools of the copy."""
        tools = load_tools(self.root / "agent_core/tools")
        toolbox = Toolbox(tools, Workspace(self.root / "work"), None)
        return toolbox.execute(ToolCall("c", tool, arguments))


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    return Patient(tmp_path)


def spec(tool: str) -> str:
    return f"agent_core/tools/{tool}.toml"


PROMPT = "agent_core/prompts/system.md"


def test_a_name_that_calls_used_becomes_an_alias(patient: Patient) -> None:
    patient.spoil(spec("search"), r'query = "pattern"\n', "")
    used = {"query": "total", "glob_filter": "x", "path": "."}
    assert patient.call("search", query="total").error_class == "invalid_arguments"
    patient.treat("accept_alias", "search", "invalid_arguments", [used])
    assert not patient.call("search", query="total").is_error
    # What stands for nothing that the tool has is not taken.
    assert patient.call("search", query="total", glob_filter="x").is_error


def test_a_name_without_a_synonym_is_the_one_that_is_missing(patient: Patient) -> None:
    patient.treat("accept_alias", "read_file", "invalid_arguments", [{"which_one": "a.py"}])
    assert patient.call("read_file", which_one="a.py").content.startswith("def total")


@pytest.mark.parametrize("name", ["x y", "path'\\n[limits]", "../up", "A" * 60])
def test_a_name_that_is_none_never_reaches_the_spec(patient: Patient, name: str) -> None:
    with pytest.raises(NothingToDoError, match="names an argument that read_file lacks"):
        patient.treat("accept_alias", "read_file", "invalid_arguments", [{name: "a.py"}])


def test_numbers_as_text_and_synonyms_of_values_are_taken(patient: Patient) -> None:
    patient.spoil(spec("read_file"), r"coerced = [^\n]*\n", "")
    patient.spoil(spec("submit"), r"\[values\.status\].*?\n\n", "")
    as_text = {"path": "a.py", "start_line": "2", "lines": "1"}
    assert patient.call("read_file", **as_text).error_class == "invalid_arguments"
    patient.treat("accept_value", "read_file", "invalid_arguments", [as_text])
    assert patient.call("read_file", **as_text).content.startswith("\treturn a")
    worded = {"summary": "s", "status": "Completed", "x": "?"}
    patient.treat("accept_value", "submit", "invalid_arguments", [worded])
    assert patient.call("submit", summary="s", status="completed").content == "submitted: done"
    assert patient.call("submit", summary="s", status="perhaps").is_error


def test_a_default_that_fails_is_replaced_where_calls_leave_it_out(patient: Patient) -> None:
    patient.spoil(spec("search"), r'default = "\."', 'default = "src"')
    assert patient.call("search", pattern="total").error_class == "not_found"
    given = [{"pattern": "total", "path": "lib"}]
    with pytest.raises(NothingToDoError, match="no default of search is behind"):
        patient.treat("mend_default", "search", "not_found", given)
    patient.treat("mend_default", "search", "not_found", [{"pattern": "total"}, *given])
    assert "def total" in patient.call("search", pattern="total").content


def test_a_result_that_is_too_large_comes_in_pages(patient: Patient) -> None:
    patient.spoil(spec("search"), r'coerced = \["page"\]\npaging = "page"\n', "")
    patient.spoil(spec("search"), r"\[parameters\.properties\.page\].*?minimum = 1\n\n", "")
    patient.spoil(spec("search"), r"output_chars = [\d_]+", "output_chars = 1000")
    refused = patient.call("search", pattern="filler")
    assert (refused.error_class, "you gave pattern=filler" in refused.content) == (
        "output_limit",
        True,
    )
    patient.treat("split_output", "search", "output_limit")
    pages = [patient.call("search", pattern="filler", page=n).content for n in (1, "2")]
    assert [page.splitlines()[-1] for page in pages] == [
        "[page 1 of 2; go on with page=2]",
        "[page 2 of 2]",
    ]
    assert pages[0].splitlines()[0] == "a.py:3: # filler"
    beyond = patient.call("search", pattern="filler", page=9)
    assert (beyond.error_class, "page 9 of 2" in beyond.content) == ("invalid_arguments", True)
    with pytest.raises(NothingToDoError, match="in pages already"):
        patient.treat("split_output", "search", "output_limit")


def test_a_description_that_promises_the_wrong_thing_is_put_right(patient: Patient) -> None:
    wrong = 'description = "Absolute path of the file."'
    patient.spoil(spec("edit_file"), 'description = "Path of the file[^\n]*"', wrong)
    before = load_tools(patient.root / "agent_core/tools")["edit_file"].spec
    patient.treat("mend_description", "edit_file", "permission")
    after = load_tools(patient.root / "agent_core/tools")["edit_file"].spec
    sound = load_tools(TOOLS_FOLDER)["edit_file"].spec
    assert before.parameters != sound.parameters
    assert after.parameters == sound.parameters
    assert "list_files" in after.errors["permission"]
    with pytest.raises(NothingToDoError, match="promises nothing wrong"):
        patient.treat("mend_description", "edit_file", "permission")


def test_an_example_is_added_and_the_error_shows_one(patient: Patient) -> None:
    patient.spoil(spec("search"), r'\[\[examples\]\]\narguments = \{ pattern = "parse.*', "")
    patient.treat("add_example", "search", "no_match")
    tool = load_tools(patient.root / "agent_core/tools")["search"]
    assert "parse\\(text\\)" in [one.arguments["pattern"] for one in tool.spec.examples]
    said = patient.call("search", pattern="total(a)b").content
    assert "You gave pattern=total(a)b. A call that serves: search {" in said
    with pytest.raises(NothingToDoError, match="shows the example already"):
        patient.treat("add_example", "search", "no_match")


def test_a_rule_is_added_to_its_section_and_the_advice_to_the_error(patient: Patient) -> None:
    sound = (patient.root / PROMPT).read_text()
    patient.spoil(PROMPT, r"- A tool that fails says[^\n]*\n", "")
    patient.treat("add_rule", "edit_file", "no_match")
    lines = (patient.root / PROMPT).read_text().splitlines()
    assert sorted(lines) == sorted(sound.splitlines())
    wrong = {"path": "a.py", "old_text": "nowhere", "new_text": "x"}
    assert "write_file" in patient.call("edit_file", **wrong).content
    with pytest.raises(NothingToDoError, match="has every rule"):
        patient.treat("add_rule", "edit_file", "no_match")


def test_a_limit_of_bytes_is_raised(patient: Patient) -> None:
    patient.spoil(spec("read_file"), r"max_bytes = [\d_]+", "max_bytes = 30")
    assert patient.call("read_file", path="a.py").error_class == "output_limit"
    patient.treat("raise_limit", "read_file", "output_limit")
    assert not patient.call("read_file", path="a.py").is_error


@pytest.mark.slow
def test_every_remedy_leaves_sound_tools_alone(patient: Patient) -> None:
    """On sound tools and calls that give no evidence nothing at all is changed."""
    changed = []
    for playbook in load_playbooks():
        applies = playbook.front.applies
        for tool in applies.tools:
            for error_class in applies.error_classes:
                try:
                    done = patient.treat(playbook.front.name, tool, error_class)
                except NothingToDoError:
                    continue
                changed.append((playbook.front.name, tool, done.changes[0].new_text))
    assert [one for one in changed if one[1] != "run_command"] == []
    # A limit below its cap, and the two messages of run_command that could say more, may grow.
    assert {one[0] for one in changed} <= {"raise_limit", "actionable_error"}


def test_the_example_of_the_documentation_repairs_what_it_says(patient: Patient) -> None:
    text = (REPOSITORY / "docs/playbooks.md").read_text()
    (example,) = re.findall(r"````markdown\n(.*?)````", text, re.DOTALL)
    playbook = parse_playbook("too_large.md", example)
    patient.spoil(spec("write_file"), r'output_limit = "the content[^\n]*"', 'output_limit = "no"')
    patient.spoil(spec("write_file"), r"max_bytes = [\d_]+", "max_bytes = 10")
    assert playbook.applies_to("write_file", "output_limit")
    remedies, case = [playbook.front.remedy], Case("write_file", "output_limit")
    texts = {p: (patient.root / p).read_text() for p in files_needed(remedies, case)}
    ((change,), _) = carry_out(remedies, case, texts)
    patient.spoil(change.path, re.escape(change.old_text), change.new_text)
    said = patient.call("write_file", path="a.md", content="eleven chars").content
    assert said.startswith("a.md would hold 12 bytes, 10 are allowed.")


def test_a_task_file_that_is_none_holds_no_calls() -> None:
    assert TASK_FILE == READ_BY_THE_POLICY
    one = {"failed_calls": [{"arguments": {"a": 1}, "message": "m"}]}
    assert recorded_calls(json.dumps(one)) == (FailedCall({"a": 1}, "m"),)
    for text in ("", "[]", '{"failed_calls": 3}', '{"failed_calls": [{}]}'):
        assert recorded_calls(text) == ()
