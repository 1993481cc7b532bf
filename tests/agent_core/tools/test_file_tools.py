"""The tools that read and write files, on real files.

A patch may reword messages and move limits: what is asserted of a message is what an agent needs
of it to go on, of a limit that it is neither absurdly small nor absurdly large.
"""

from pathlib import Path
from typing import Any

import pytest

from agent_core.toolkit import load_tools
from tests.agent_core.workbench import call_tool

CODE = (
    "def total(items):\n\tresult = 0  \n\tfor item in items:\n\t\tresult -= item\n\treturn result\n"
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/shop.py").write_text(CODE)
    (tmp_path / "notes.md").write_text("one\ntwo\nthree\n")
    (tmp_path / "blob.bin").write_bytes(b"\xff\xfe\x00")
    return tmp_path


@pytest.mark.parametrize(
    ("tool", "arguments", "expected"),
    [
        pytest.param("read_file", {"path": "src/shop.py"}, CODE, id="read"),
        pytest.param(
            "read_file",
            {"path": "notes.md", "start_line": 2, "lines": 1},
            "two\n\n[lines 2 to 2 of 3; read on with start_line=3]",
            id="read a part",
        ),
        pytest.param("list_files", {}, "blob.bin\nnotes.md\nsrc/shop.py", id="list"),
        pytest.param("list_files", {"path": "src"}, "src/shop.py", id="list a folder"),
        pytest.param("search", {"pattern": "tw."}, "notes.md:2: two", id="search"),
        pytest.param(
            "search",
            {"pattern": "^t", "path": "notes.md"},
            "notes.md:2: two\nnotes.md:3: three",
            id="search a file",
        ),
        pytest.param(
            "write_file",
            {"path": "x/y.txt", "content": "a\nb\n"},
            "created x/y.txt (2 lines)",
            id="write",
        ),
        pytest.param(
            "write_file",
            {"path": "notes.md", "content": ""},
            "replaced notes.md (0 lines)",
            id="overwrite",
        ),
        pytest.param("submit", {"summary": "ok"}, "submitted: done", id="submit"),
    ],
)
def test_serves(root: Path, tool: str, arguments: dict[str, Any], expected: str) -> None:
    observed = call_tool(root, tool, **arguments)
    assert (observed.content, observed.is_error) == (expected, False)


def test_edits_exactly_one_place(root: Path) -> None:
    observed = call_tool(
        root,
        "edit_file",
        path="src/shop.py",
        old_text="\t\tresult -= item",
        new_text="\t\tresult += item",
    )
    assert (observed.content, observed.is_error) == ("replaced 1 occurrence in src/shop.py", False)
    assert (root / "src/shop.py").read_text() == CODE.replace("-=", "+=")


def test_replaces_everywhere_when_told_to(root: Path) -> None:
    arguments: dict[str, Any] = {"path": "src/shop.py", "old_text": "item", "new_text": "price"}
    refused = call_tool(root, "edit_file", **arguments)
    assert (refused.is_error, refused.error_class) == (True, "no_match")
    assert "3" in refused.content or "4" in refused.content
    assert (root / "src/shop.py").read_text() == CODE
    call_tool(root, "edit_file", **arguments, replace_all=True)
    assert (root / "src/shop.py").read_text() == CODE.replace("item", "price")


def test_an_edit_that_does_not_match_says_what_to_do(root: Path) -> None:
    observed = call_tool(
        root,
        "edit_file",
        path="src/shop.py",
        old_text="    result = 0\n",
        new_text="    result = 1\n",
    )
    assert (observed.is_error, observed.error_class) == (True, "no_match")
    assert (root / "src/shop.py").read_text() == CODE
    for needed in ("src/shop.py", r"'\tresult = 0  '", "read_file"):
        assert needed in observed.content


@pytest.mark.parametrize(
    ("tool", "arguments", "error_class", "mentions"),
    [
        pytest.param("read_file", {"path": "shop.py"}, "not_found", ["src/shop.py"], id="similar"),
        pytest.param("read_file", {"path": "../x"}, "permission", ["../x"], id="outside"),
        pytest.param(
            "read_file", {"path": "blob.bin"}, "invalid_arguments", ["blob.bin"], id="bin"
        ),
        pytest.param("read_file", {}, "invalid_arguments", ["path is missing"], id="missing"),
        pytest.param("list_files", {"path": "nope"}, "not_found", ["nope"], id="no folder"),
        pytest.param("search", {"pattern": "("}, "invalid_arguments", ["pattern"], id="regex"),
        pytest.param("search", {"pattern": "zzz"}, "no_match", ["zzz"], id="no match"),
        pytest.param(
            "edit_file",
            {"path": "n.md", "old_text": "a", "new_text": "b"},
            "not_found",
            ["n.md"],
            id="edit nothing",
        ),
        pytest.param(
            "edit_file",
            {"path": "notes.md", "old_text": "", "new_text": "b"},
            "invalid_arguments",
            ["old_text"],
            id="empty old text",
        ),
        pytest.param(
            "write_file",
            {"path": "src", "content": "x"},
            "invalid_arguments",
            ["src"],
            id="write on a folder",
        ),
        pytest.param(
            "submit",
            {"summary": "x", "status": "maybe"},
            "invalid_arguments",
            ["gave_up"],
            id="status",
        ),
        pytest.param("fly", {}, "unknown_tool", ["edit_file", "submit"], id="no such tool"),
    ],
)
def test_fails_with_a_class_and_a_way_on(
    root: Path, tool: str, arguments: dict[str, Any], error_class: str, mentions: list[str]
) -> None:
    observed = call_tool(root, tool, **arguments)
    assert (observed.is_error, observed.error_class) == (True, error_class)
    assert observed.error_signature
    assert [word for word in mentions if word not in observed.content] == []


BOUNDS = {
    ("edit_file", "max_bytes"): (10_000, 50_000_000),
    ("edit_file", "nearest_lines"): (1, 200),
    ("list_files", "max_files"): (50, 20_000),
    ("list_files", "output_chars"): (1000, 500_000),
    ("read_file", "max_bytes"): (10_000, 50_000_000),
    ("read_file", "max_lines"): (100, 50_000),
    ("run_command", "error_lines"): (5, 1000),
    ("run_command", "head_lines"): (5, 2000),
    ("run_command", "memory_mb"): (256, 65_536),
    ("run_command", "output_bytes"): (10_000, 100_000_000),
    ("run_command", "processes"): (8, 4096),
    ("run_command", "tail_lines"): (5, 2000),
    ("run_command", "timeout_seconds"): (5, 900),
    ("search", "max_bytes"): (10_000, 50_000_000),
    ("search", "max_matches"): (10, 10_000),
    ("search", "output_chars"): (1000, 500_000),
    ("write_file", "max_bytes"): (10_000, 50_000_000),
}


def test_limits_are_within_reason() -> None:
    absurd = {
        (name, limit): value
        for name, tool in load_tools().items()
        for limit, value in tool.spec.limits.items()
        if not BOUNDS[name, limit][0] <= value <= BOUNDS[name, limit][1]
    }
    assert absurd == {}


def test_every_example_of_a_spec_is_a_valid_call() -> None:
    for tool in load_tools().values():
        for example in tool.spec.examples:
            assert tool.spec.checked(example.arguments).items() >= example.arguments.items()


def test_a_limit_in_the_spec_drives_the_tool(root: Path) -> None:
    most = int(load_tools()["list_files"].spec.limits["max_files"])
    (root / "many").mkdir()
    for number in range(most + 1):
        (root / "many" / f"{number:06}").touch()
    lines = call_tool(root, "list_files", path="many").content.splitlines()
    assert len(lines) == most + 1
    assert lines[-1] == f"[more than {most} files; name a folder as path]"
