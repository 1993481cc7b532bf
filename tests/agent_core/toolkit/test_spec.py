"""Specs: what is refused, and what of them drives a tool."""

from pathlib import Path
from typing import Any

import pytest

from agent_core.errors import ConfigError
from agent_core.toolkit import ToolError, load_spec, load_tools

GOOD = """
name = "cut"
description = "Cuts after {seconds} s."
coerced = ["times"]
[parameters]
type = "object"
required = ["path"]
additionalProperties = false
[parameters.properties.path]
type = "string"
description = "p"
[parameters.properties.times]
type = "integer"
description = "t"
default = 2
minimum = 1
[parameters.properties.how]
type = "string"
description = "h"
enum = ["fast", "slow"]
[values.how]
quickly = "fast"
[aliases]
file = "path"
[limits]
seconds = 3
[errors]
no_match = "nothing in {path}"
[error_fields]
no_match = ["path"]
"""


def spec_file(folder: Path, text: str) -> Path:
    path = folder / "cut.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param(
            "[limits]", "[limit]", "cut.toml: limit: Extra inputs are not permitted", id="unknown"
        ),
        pytest.param(
            "seconds = 3",
            "seconds = 0",
            "cut.toml: limits.seconds: Input should be greater than 0",
            id="limit of nothing",
        ),
        pytest.param(
            "nothing in {path}",
            "nothing in {file}",
            "cut.toml: the spec: Value error, errors.no_match uses ['file'], not in "
            "error_fields.no_match",
            id="field that is not supplied",
        ),
        pytest.param(
            'no_match = "',
            'nomatch = "',
            "cut.toml: the spec: Value error, errors.nomatch names no error class",
            id="no error class",
        ),
        pytest.param(
            'file = "path"',
            'file = "paht"',
            "cut.toml: the spec: Value error, aliases point at unknown arguments ['paht']",
            id="alias of nothing",
        ),
        pytest.param(
            'coerced = ["times"]',
            'coerced = ["time"]',
            "cut.toml: the spec: Value error, coerced names unknown arguments ['time']",
            id="coerced nothing",
        ),
        pytest.param(
            "coerced",
            'paging = "path"\ncoerced',
            "cut.toml: the spec: Value error, paging names path, which is no integer argument",
            id="pages by text",
        ),
    ],
)
def test_a_wrong_spec_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_spec(spec_file(tmp_path, GOOD.replace(old, new, 1)))
    assert str(caught.value) == message


def test_text_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^cut\.toml is no valid TOML"):
        load_spec(spec_file(tmp_path, "name = "))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({"path": "a"}, {"path": "a", "times": 2}, id="default"),
        pytest.param({"file": "a", "times": 5}, {"path": "a", "times": 5}, id="alias"),
        pytest.param({}, "path is missing", id="missing"),
        pytest.param({"path": 1}, "path must be a string", id="type"),
        pytest.param({"path": "a", "times": True}, "times must be a integer", id="bool is no int"),
        pytest.param({"path": "a", "times": 0}, "times must be at least 1", id="minimum"),
        pytest.param({"path": "a", "how": "x"}, "how must be one of fast, slow", id="enum"),
        pytest.param({"path": "a", "times": " 5"}, {"path": "a", "times": 5}, id="number as text"),
        pytest.param({"path": "a", "times": "5x"}, "times must be a integer", id="no number"),
        pytest.param(
            {"path": "a", "how": "Quickly"}, {"path": "a", "times": 2, "how": "fast"}, id="synonym"
        ),
        pytest.param({"path": "a", "x": 1}, "no argument is called x", id="unknown"),
    ],
)
def test_arguments_are_checked(
    tmp_path: Path, given: dict[str, Any], expected: dict[str, Any] | str
) -> None:
    spec = load_spec(spec_file(tmp_path, GOOD))
    if isinstance(expected, dict):
        assert spec.checked(given) == expected
        return
    with pytest.raises(ToolError) as caught:
        spec.checked(given)
    assert caught.value.code == "invalid_arguments"
    assert caught.value.fields == {"problem": expected, "arguments": "path, times, how"}


def test_limits_fill_the_description_and_fields_the_message(tmp_path: Path) -> None:
    spec = load_spec(spec_file(tmp_path, GOOD))
    assert spec.filled_description() == "Cuts after 3 s."
    assert spec.message(ToolError("no_match", path="{how}")) == "nothing in {how}"
    assert spec.message(ToolError("timeout", path="a")) == "cut failed (timeout) path: a"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        pytest.param({}, "no tool specs in", id="empty folder"),
        pytest.param({"cut.toml": GOOD}, "cut.py is missing beside its spec", id="no code"),
        pytest.param(
            {"cut.toml": GOOD, "cut.py": "x = 1"},
            r"cut.py has no function run\(arguments, context\)",
            id="no function",
        ),
        pytest.param(
            {"trim.toml": GOOD, "trim.py": "def run(a, c): ..."},
            "trim.toml calls itself cut",
            id="another name",
        ),
    ],
)
def test_a_folder_of_tools_must_be_whole(
    tmp_path: Path, files: dict[str, str], message: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_tools(tmp_path)
