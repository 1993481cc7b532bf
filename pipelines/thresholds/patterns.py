"""Which sessions show which pattern of friction."""

import polars as pl

from pipelines.rates import AUTONOMOUS_FRICTION

PARTS = ("kind", "of_type", "tool", "error_class", "signature", "cluster_id")
"""What makes a pattern; `of_type` is null where the pattern is not of one friction type."""
_SEVERITY = {"low": 1.0, "medium": 2.0, "high": 3.0}
_KINDS: dict[str, tuple[str, ...]] = {
    "type": ("of_type",),
    "error": ("of_type", "tool", "error_class"),
    "signature": ("error_class", "signature"),
    "tool": ("tool",),
    "cluster": ("cluster_id",),
}


def session_patterns(moments: pl.DataFrame) -> pl.DataFrame:
    """Rows of PARTS, session_key, type and severity: a session and a pattern that it shows.

    `type` is the friction type of a moment of it, a row for each; `severity` is the session's
    gravest moment of that type (low 1, medium 2, high 3).
    """
    weighed = moments.with_columns(
        of_type=pl.col("type"),
        severity=pl.col("severity").replace_strict(_SEVERITY, default=1.0),
    )
    found = pl.concat(_of_kind(weighed, kind, parts) for kind, parts in _KINDS.items())
    return (
        found.group_by(*PARTS, "session_key", "type")
        .agg(pl.col("severity").max())
        .sort(*PARTS, "session_key", "type", nulls_last=True)
    )


def _of_kind(moments: pl.DataFrame, kind: str, parts: tuple[str, ...]) -> pl.DataFrame:
    null = pl.lit(None, dtype=pl.String)
    return moments.drop_nulls(list(parts)).select(
        pl.lit(kind).alias("kind"),
        *(pl.col(part) if part in parts else null.alias(part) for part in PARTS[1:]),
        *("session_key", "type", "severity"),
    )


def needs_person(types: pl.Series) -> bool:
    """Whether moments of these types can be seen only in sessions with a person.

    Of the friction types only error_event applies to runs without one.
    """
    return AUTONOMOUS_FRICTION not in types
