"""The whole job over all real logs, into a fresh home."""

from pathlib import Path
from typing import Any

import pytest

from pipelines.home import Home
from pipelines.warehouse import open_warehouse, query
from tests.pipelines.cli.command import signals

pytestmark = [pytest.mark.slow, pytest.mark.shared]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, shared_dir: Path) -> Home:
    """A home after `signals run SHARED/logs`, which has nothing to complain of."""
    home = Home(tmp_path_factory.mktemp("shared") / "home")
    done = signals("run", shared_dir / "logs", home=home.root)
    assert (done.returncode, done.stderr) == (0, "")
    return home


def _rows(home: Home, sql: str) -> list[tuple[Any, ...]]:
    with open_warehouse(home.warehouse) as connection:
        return query(connection, sql).rows()


def test_every_file_given_has_a_status(home: Home, shared_dir: Path) -> None:
    files = {str(path) for path in (shared_dir / "logs").rglob("*") if path.is_file()}
    listed = dict(_rows(home, "SELECT path, status FROM source_files"))
    assert set(listed) == files
    assert set(listed.values()) <= {"read", "unknown", "empty", "metadata"}


def test_each_format_gives_its_sessions(home: Home) -> None:
    counts = "SELECT format, count(*), count(conversion_of) FROM sessions GROUP BY 1 ORDER BY 1"
    assert _rows(home, counts) == [
        ("atif", 24, 24),
        ("claude_code", 138, 0),
        ("codex", 26, 0),
        ("copilot_cli", 12, 0),
        ("gemini_cli", 8, 0),
        ("inspect", 38, 0),
        ("mini_swe_agent", 42, 0),
        ("openai_chat", 388, 0),
        ("openhands", 10, 0),
        ("otlp", 13, 0),
        ("pi", 9, 0),
        ("swe_agent", 22, 0),
    ]


def test_every_selected_session_is_judged_or_says_why(home: Home) -> None:
    silent = """
        SELECT count(*) FROM sessions LEFT JOIN judgements USING (session_key, content_hash)
        WHERE exclusion IS NULL AND (status IS NULL OR (status <> 'judged' AND reason IS NULL))
    """
    assert _rows(home, silent) == [(0,)]
    assert _rows(home, "SELECT count(*) > 400 FROM judgements WHERE current") == [(True,)]


def test_moments_are_found_wherever_many_people_speak(home: Home) -> None:
    formats = """
        SELECT DISTINCT format FROM sessions WHERE format NOT IN (
            SELECT format FROM moments JOIN sessions USING (session_key))
        GROUP BY format HAVING sum(person_turns) FILTER (exclusion IS NULL) > 10
    """
    assert _rows(home, formats) == []


def test_conversions_of_present_logs_are_linked_and_not_counted(home: Home) -> None:
    linked = "SELECT count(*), count(conversion_of) FROM sessions WHERE exclusion LIKE 'conv%'"
    ((excluded, with_link),) = _rows(home, linked)
    assert excluded == with_link == 24


def test_no_record_counts_twice(home: Home) -> None:
    twice = """
        SELECT count(*) FROM (
            SELECT content_id FROM steps JOIN sessions USING (session_key)
            WHERE content_id IS NOT NULL AND NOT is_copied_context AND conversion_of IS NULL
            GROUP BY content_id HAVING count(DISTINCT session_key) > 1)
    """
    assert _rows(home, twice) == [(0,)]


def test_a_second_run_changes_no_row(home: Home, shared_dir: Path) -> None:
    tables = ("source_files", "sessions", "steps", "judgements", "moments", "facet_values",
              "embeddings", "patch_tasks")  # fmt: skip
    counts = {name: f"SELECT md5(string_agg(t::VARCHAR, '' ORDER BY t::VARCHAR)) FROM {name} AS t"
              for name in tables}  # fmt: skip
    before = {name: _rows(home, sql) for name, sql in counts.items()}
    assert signals("run", shared_dir / "logs", home=home.root).returncode == 0
    assert {name: _rows(home, sql) for name, sql in counts.items()} == before
