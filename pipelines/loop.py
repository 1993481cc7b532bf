"""The stages of one run, in order: what the Dagster assets wrap and the verbs call."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from agent_core.errors import ConfigError, JudgingHeldError, ModelError, NotJudgedError
from pipelines.context import Context
from pipelines.known_folders import log_folders
from pipelines.runs import run_stage

MODEL_STAGE = "model"
"""Recorded where the model failed in a run: the rest of the run goes on."""


def ingest_logs(context: Context, paths: Sequence[Path] = ()) -> Mapping[str, int]:
    """Read `paths`, or the known log folders where there are none."""
    from pipelines.stages.ingest import ingest

    return ingest(context, paths or log_folders(context.config.sources, context.home.sessions))


def sessions(context: Context) -> Mapping[str, int]:
    """Ownership of steps, counts and selection of sessions."""
    from pipelines.stages.sessions import summarise_sessions

    return summarise_sessions(context)


def judgements(context: Context) -> Mapping[str, int]:
    """A verdict for every selected session that has none yet, by the configured judges.

    The rules judge first and always: they cost nothing, and stand where the model cannot be had.
    That is recorded, and `model_verdicts` fails for it when all else is done.
    """
    from pipelines.runs import record_failure
    from pipelines.stages.rules_judgements import judge_by_rules

    by_rules = judge_by_rules(context)
    if context.config.judge.judge == "rules":
        return by_rules
    try:
        by_model = _judge_by_model(context)
    except (ModelError, ConfigError, JudgingHeldError) as error:
        record_failure(context, MODEL_STAGE, error)
        return {**by_rules, "model_failed": 1}
    return {**by_rules, **{f"model_{name}": number for name, number in by_model.items()}}


def _judge_by_model(context: Context) -> Mapping[str, int]:
    from pipelines.judging import judge_with_consent, make_budget
    from pipelines.run_estimate import announce

    judge, budget = judge_with_consent(context), make_budget(context)
    if context.config.judge.judge == "cascade":
        from pipelines.cascade import judge_by_cascade, plan_cascade

        plan = plan_cascade(context, judge.identity, tokens=budget.tokens)
        announce(context, plan.order, budget)
        return judge_by_cascade(context, judge, plan, budget)
    from pipelines.stages.model_judgements import judge_by_model, sessions_for_model

    chosen, left_out = sessions_for_model(context, judge.identity)
    announce(context, chosen, budget)
    return {**left_out, **judge_by_model(context, judge, chosen, budget)}


def moments(context: Context) -> Mapping[str, int]:
    """The moments of the verdicts that count."""
    from pipelines.stages.moments import collect_moments

    return collect_moments(context)


def embeddings(context: Context) -> Mapping[str, int]:
    """A vector for every abstract text that has none yet."""
    from pipelines.stages.embeddings import embed_texts

    return embed_texts(context)


def decisions(context: Context) -> Mapping[str, int]:
    """What was decided on proposals in a dashboard, carried out."""
    from pipelines.schema_inbox import apply_inbox

    return apply_inbox(context)


def types(context: Context) -> Mapping[str, int]:
    """What the current schema calls each moment."""
    from pipelines.stages.types import resolve_moment_types

    return resolve_moment_types(context)


def clusters(context: Context) -> Mapping[str, int]:
    """Clusters of moment descriptions and session summaries, and proposals for the schema."""
    from pipelines.stages.clusters import cluster_items

    return cluster_items(context)


def gaps(context: Context) -> Mapping[str, int]:
    """Requests that ended unserved, and the missing capabilities that they amount to."""
    from pipelines.stages.gaps import propose_gaps

    return propose_gaps(context)


def facets(context: Context) -> Mapping[str, int]:
    """Facet values of the current schema."""
    from pipelines.stages.facets import fill_facets

    return fill_facets(context)


def measures(context: Context) -> Mapping[str, int]:
    """Quantities of each session's log."""
    from pipelines.stages.measures import fill_measures

    return fill_measures(context)


def quantities(context: Context) -> Mapping[str, int]:
    """Quantities that explain friction beyond what is known, as proposals."""
    from pipelines.stages.quantities import propose_quantities

    return propose_quantities(context)


def acceptance(context: Context) -> Mapping[str, int]:
    """Proposals that pass the floors of `[evolution]`, where it accepts without a person."""
    from pipelines.schema_acceptance import auto_accept

    with context.warehouse() as connection:
        accepted = auto_accept(connection, context.config, context.clock())
    return {"accepted": len(accepted), "relabelled": sum(one.moments for one in accepted.values())}


def drift(context: Context) -> Mapping[str, int]:
    """What grows, shrinks, appears and vanishes, and what was empty for so long that it may go."""
    from pipelines.stages.drift import find_drift

    return find_drift(context)


EVOLUTION = (
    embeddings, decisions, types, clusters, gaps, facets, measures, quantities, acceptance, drift
)  # fmt: skip
"""What `signals evolve` does, in its order: quantities are held against the facets' counts."""


def breaches(context: Context) -> Mapping[str, int]:
    """Friction of the newest releases that rose above the ones before."""
    from pipelines.stages.breaches import look_for_breaches

    return look_for_breaches(context)


def patch_tasks(context: Context) -> Mapping[str, int]:
    """A patch task for each breach that has none."""
    from pipelines.stages.patch_tasks import open_patch_tasks

    return open_patch_tasks(context)


def effects(context: Context) -> Mapping[str, int]:
    """What became of merged patches: friction before and after, against a control."""
    from pipelines.stages.effects import follow_merged_tasks

    return follow_merged_tasks(context)


def snapshot(context: Context) -> Mapping[str, int]:
    """Publish what people read."""
    from pipelines.stages.publishing import publish

    return publish(context)


def model_verdicts(context: Context) -> Mapping[str, int]:
    """Whether the model judged as the configuration asks; what the rules said is published by now.

    Raises NotJudgedError with the reason why it did not.
    """
    from pipelines.runs import failure_of

    reason = failure_of(context, MODEL_STAGE)
    if reason is not None:
        raise NotJudgedError(f"the model did not judge: {reason}")
    return {}


def run_stages(
    context: Context, *stages: Callable[[Context], Mapping[str, int]]
) -> dict[str, dict[str, int]]:
    """Run `stages` in their order, each recorded; counts by stage name."""
    return {
        stage.__name__: run_stage(context, stage.__name__, partial(stage, context))
        for stage in stages
    }
