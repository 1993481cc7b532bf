"""Verbs of the loop: run, ingest, judge, evolve, cluster."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from agent_core.errors import BadInputError, ModelError, NotJudgedError
from pipelines.cli.options import Options, ask_consent, options, print_report

if TYPE_CHECKING:
    import polars as pl

    from pipelines.budget import Budget
    from pipelines.context import Context

_PATHS = typer.Argument(help="Files or folders with logs.", show_default=False)


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    for verb in (run, ingest, judge, evolve, cluster):
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

    failed: NotJudgedError | None = None
    try:
        run_job_in_process(prepared.home, paths or [])
    except NotJudgedError as error:  # what the rules say is published all the same
        failed = error
    print_report(given)
    if failed is not None:
        raise failed
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
        typer.Option("--judge", help="Who judges; cascade: rules all, a model what pays most."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Judge at most so many.")] = None,
    budget_tokens: Annotated[
        int | None, typer.Option(min=1, help="Let a model send and receive at most so many.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Agree to send text to the model.")] = False,
    batch: Annotated[
        bool, typer.Option("--batch", help="Use the Batch API: hand in, collect, go on.")
    ] = False,
) -> None:
    """Judge the sessions that have no verdict yet."""
    from pipelines import loop

    given = options(context)
    prepared = given.context("judge")
    prepared = prepared.with_batch() if batch else prepared
    name = judge_name or prepared.config.judge.judge
    if name != "rules":
        by = _judge_by_cascade if name == "cascade" else _judge_by_model
        try:
            counts = by(given, prepared, limit, budget_tokens, yes=yes)
        except ModelError:
            # Of the verdicts that came before it.
            loop.run_stages(prepared, loop.moments, loop.types)
            raise
    elif budget_tokens is not None or batch:
        raise BadInputError(
            f"{'--batch' if batch else '--budget-tokens'}: the rules send nothing; use it with "
            "--judge llm or cascade"
        )
    else:
        counts = _judge_by_rules(prepared, limit)
    if name != "rules":
        _say_what_is_open(given, prepared)
    loop.run_stages(prepared, loop.moments, loop.types)
    given.print({"judged": 0, **counts})
    if counts.get("judged"):
        given.say("Reports and dashboards show it once signals run has published it")
    if counts.get("unscored"):
        raise NotJudgedError(
            f"{counts['unscored']} sessions could not be judged and are tried again tomorrow; "
            "signals export judgements gives the reasons"
        )


def _judge_by_rules(prepared: "Context", limit: int | None) -> dict[str, int]:
    from pipelines import loop
    from pipelines.runs import run_stage
    from pipelines.stages.rules_judgements import judge_by_rules

    loop.run_stages(prepared, loop.sessions)
    return run_stage(prepared, "judgements", lambda: judge_by_rules(prepared, limit=limit))


def _judge_by_model(
    given: Options,
    prepared: "Context",
    limit: int | None,
    budget_tokens: int | None,
    *,
    yes: bool,
) -> dict[str, int]:
    from pipelines import loop
    from pipelines.judging import make_budget, make_model_judge
    from pipelines.runs import run_stage
    from pipelines.stages.model_judgements import judge_by_model, sessions_for_model

    judge_ = make_model_judge(prepared)  # first: without a key there is nothing to ask
    budget = make_budget(prepared, budget_tokens)
    loop.run_stages(prepared, loop.sessions)
    chosen, left_out = sessions_for_model(prepared, judge_.identity, limit)
    _agree(given, prepared, chosen, budget, yes=yes)
    return run_stage(
        prepared,
        "judgements",
        lambda: {**left_out, **judge_by_model(prepared, judge_, chosen, budget)},
    )


def _judge_by_cascade(
    given: Options,
    prepared: "Context",
    limit: int | None,
    budget_tokens: int | None,
    *,
    yes: bool,
) -> dict[str, int]:
    from pipelines.cascade import judge_by_cascade, plan_cascade
    from pipelines.judging import make_budget, make_model_judge
    from pipelines.runs import run_stage

    judge_ = make_model_judge(prepared)
    budget = make_budget(prepared, budget_tokens)
    by_rules = _judge_by_rules(prepared, None)
    plan = plan_cascade(prepared, judge_.identity, tokens=budget.tokens, limit=limit)
    _agree(given, prepared, plan.order, budget, yes=yes)
    counts = run_stage(
        prepared, "cascade", lambda: judge_by_cascade(prepared, judge_, plan, budget)
    )
    return {"judged_by_rules": by_rules.get("judged", 0), **counts}


def _agree(
    given: Options, prepared: "Context", chosen: "pl.DataFrame", budget: "Budget", *, yes: bool
) -> None:
    """Say what is to be sent, and ask before anything is; raises BadInputError without a yes."""
    from agent_core.model import shown_url
    from pipelines.run_estimate import what_is_sent

    config = prepared.config.judge
    sending = what_is_sent(prepared, chosen, budget)
    if sending.what:
        ask_consent(sending.what, shown_url(config.base_url), yes=yes or config.consent)
        given.say(sending.doing[0].upper() + sending.doing[1:])


def _say_what_is_open(given: Options, prepared: "Context") -> None:
    from pipelines.batch_judging import open_batches_in_words

    for line in open_batches_in_words(prepared):
        given.say(line)


def evolve(context: typer.Context) -> None:
    """Embed, cluster, fill facets and propose what the schema has no name for."""
    from pipelines import loop
    from pipelines.runs import failure_of
    from pipelines.schema_inbox import INBOX_STAGE

    given = options(context)
    prepared = given.context("evolve")
    counts = loop.run_stages(prepared, *loop.EVOLUTION)
    refused = failure_of(prepared, INBOX_STAGE)
    if refused is not None:
        given.say(f"Set aside in inbox/refused: {refused}")
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
