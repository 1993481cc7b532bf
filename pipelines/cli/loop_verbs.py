"""Verbs of the loop: run, ingest, judge, evolve, cluster, breaches."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from agent_core.errors import NotBuiltError, NotJudgedError
from pipelines.cli.options import ask_consent, options, print_report

_PATHS = typer.Argument(help="Files or folders with logs.", show_default=False)


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    for verb in (run, ingest, judge, evolve, cluster, breaches):
        app.command()(verb)


def run(context: typer.Context, paths: Annotated[list[Path] | None, _PATHS] = None) -> None:
    """Ingest to publish, as the Dagster job; without PATH the known log folders of this user."""
    from pipelines.inputs import require_sessions
    from pipelines.sources import find_files

    given = options(context)
    prepared = given.context("run")
    if paths:
        find_files(paths)  # a path that is missing is said before anything starts
    from pipelines.job import run_job_in_process

    run_job_in_process(prepared.home, paths or [])
    print_report(given)
    if paths:
        require_sessions(prepared, paths)


def ingest(
    context: typer.Context,
    paths: Annotated[list[Path], _PATHS],
    format_name: Annotated[
        str | None, typer.Option("--format", help="Read every file as this format.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Stay, and read what comes and grows.")
    ] = False,
    list_all: Annotated[
        bool, typer.Option("--list-all", help="Name every file that was not read, not just ten.")
    ] = False,
) -> None:
    """Read logs into the warehouse; what has not changed is not read again."""
    from pipelines.ingest_pass import IngestPasses
    from pipelines.ingest_text import report_as_text
    from pipelines.inputs import require_sessions

    given = options(context)
    prepared = given.context("ingest")
    passes = IngestPasses(prepared, format_name)
    if follow:
        from pipelines.cli.following import follow_paths

        follow_paths(given, prepared, paths, passes)
        return
    report = passes.read(paths)
    given.print(report.as_dict(), lambda: report_as_text(report, list_all=list_all))
    if not report.sessions["found"]:
        require_sessions(prepared, paths)


def judge(
    context: typer.Context,
    judge_name: Annotated[
        Literal["rules", "llm", "cascade"] | None,
        typer.Option("--judge", help="Who judges (cascade: not built yet)."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Judge at most so many.")] = None,
    budget_tokens: Annotated[
        int | None, typer.Option(min=1, help="Stop at so many (not built yet).")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Agree to send text to the model.")] = False,
) -> None:
    """Judge the sessions that have no verdict yet."""
    from pipelines import loop
    from pipelines.judging import make_judge
    from pipelines.runs import run_stage
    from pipelines.stages.judgements import judge_sessions

    given = options(context)
    prepared = given.context("judge")
    name = judge_name or prepared.config.judge.judge
    if name == "cascade" or budget_tokens is not None:
        raise NotBuiltError(
            "the cascade and its token budget are not built yet; use --judge rules or --judge llm, "
            "with --limit N to bound what is sent"
        )
    judge_ = make_judge(prepared, name)  # first: without a key there is nothing to ask
    if name == "llm":
        config = prepared.config.judge
        ask_consent("the text of sessions", config.base_url, yes=yes or config.consent)
    loop.run_stages(prepared, loop.sessions)
    counts = run_stage(
        prepared,
        "judgements",
        lambda: judge_sessions(prepared, judge_, limit=limit, is_paid=name == "llm"),
    )
    loop.run_stages(prepared, loop.moments)
    given.print({"judged": 0, **counts})
    if counts.get("unscored"):
        raise NotJudgedError(
            f"{counts['unscored']} sessions could not be judged and are tried again tomorrow; "
            "signals export judgements gives the reasons"
        )


def evolve(context: typer.Context) -> None:
    """Embed, cluster, fill facets and propose what the schema has no name for."""
    from pipelines import loop

    given = options(context)
    counts = loop.run_stages(given.context("evolve"), loop.embeddings, loop.clusters, loop.facets)
    given.print({f"{stage}: {key}": n for stage, of in counts.items() for key, n in of.items()})


def cluster(
    context: typer.Context,
    texts: Annotated[Path, typer.Argument(help='JSON lines {"id", "text"}.')],
    assign: Annotated[
        Literal["all", "core"], typer.Option(help="all: no noise; core: -1 is noise.")
    ] = "all",
) -> None:
    """Cluster any texts; rows {"id", "cluster", "name"} on stdout."""
    from pipelines.clustering_texts import cluster_file

    for row in cluster_file(texts, options(context).config().embedding, assign):
        print(json.dumps(row, ensure_ascii=False))


def breaches(context: typer.Context) -> None:
    """Compare the newest releases with the ones before; open tasks for what rose."""
    from pipelines import loop
    from pipelines.warehouse import query

    given = options(context)
    prepared = given.context("breaches")
    loop.run_stages(prepared, loop.breaches, loop.patch_tasks)
    with prepared.warehouse() as connection:
        rows = query(
            connection, "FROM breaches WHERE run_id = ? ORDER BY q_value", [prepared.run_id]
        ).to_dicts()
    given.print(rows, lambda: "\n".join(_breach_line(row) for row in rows) or "no breach")


def _breach_line(row: dict[str, object]) -> str:
    where = " ".join(str(row[key]) for key in ("tool", "error_class") if row[key])
    return (
        f"{row['agent']} {row['release']}: {row['type']} {where} in {row['rate']:.0%} of sessions "
        f"(95 % {row['rate_low']:.0%} to {row['rate_high']:.0%}), before {row['baseline_rate']:.0%}"
        f", q = {row['q_value']:.2g}; task {row['task_id'] or 'none'}"
    )
