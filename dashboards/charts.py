"""The charts. Colours are told apart by colour-blind people, and never tell anything alone."""

import altair as alt
import polars as pl

from dashboards.figures import in_stretches
from dashboards.words import type_words

# After Okabe and Ito: vermillion and blue, both over 3:1 on white and on the dark theme.
POLARITY_COLOURS = {"friction": "#D55E00", "delight": "#2F7FC1"}
# Graver is further from the background, in either theme.
_FEELINGS = [
    f"{severity} {polarity}"
    for polarity in POLARITY_COLOURS
    for severity in ("low", "medium", "high")
]
_LIGHT = ["#F0A868", "#D55E00", "#8A3200", "#8FBCE6", "#2F7FC1", "#10426E"]
_DARK = ["#A85A1E", "#EE7B22", "#FFC08A", "#2E6AA0", "#5CA5E0", "#BBDDFB"]
_KINDS = {
    "person": "circle",
    "agent": "triangle-right",
    "tool call": "square",
    "tool error": "cross",
    "other": "diamond",
}
# What axis and legend take of a chart's height.
_FRAME = 110
_PERCENT = alt.Axis(format="%", title="share of sessions", tickCount=5)
_RATE_TOOLTIP = [
    alt.Tooltip("polarity:N", title="feeling"),
    alt.Tooltip("type:N"),
    alt.Tooltip("rate:Q", format=".0%"),
    alt.Tooltip("rate_low:Q", format=".0%", title="95 % from"),
    alt.Tooltip("rate_high:Q", format=".0%", title="to"),
    alt.Tooltip("affected:Q", title="sessions with it"),
    alt.Tooltip("sessions:Q", title="of judged sessions"),
]


def rates_over_days(rates: pl.DataFrame, changes: pl.DataFrame) -> alt.LayerChart:
    """The line of one polarity's daily rates, with its 95 % band.

    Line and band end where a week or more has no session; a day alone has a bar for its interval.
    A dashed rule stands where the definition changed (`changes`: day and words).
    """
    dated = in_stretches(rates).with_columns(date=pl.col("day").dt.strftime("%-d %B %Y"))
    base = alt.Chart(dated).encode(
        x=_day(rates), color=_polarity_colour(legend=False), detail="stretch:N"
    )
    bounds = {"y": alt.Y("rate_low:Q", title=None), "y2": alt.Y2("rate_high:Q")}
    band = base.mark_area(opacity=0.2).encode(**bounds)
    alone = base.mark_rule(strokeWidth=3, opacity=0.4).encode(**bounds)
    line = base.mark_line(strokeWidth=2).encode(y=_rate_axis())
    points = base.mark_point(filled=True, size=45, opacity=1).encode(
        y=_rate_axis(),
        shape=_polarity_shape(legend=False),
        tooltip=[alt.Tooltip("date:N", title="day"), *_RATE_TOOLTIP],
    )
    layers = [band, alone.transform_filter("datum.alone"), line, points]
    if not changes.is_empty():
        layers.append(_definition_changes(changes, rates))
    return alt.layer(*layers).properties(height=240)


def _definition_changes(changes: pl.DataFrame, rates: pl.DataFrame) -> alt.Chart:
    return (
        alt.Chart(changes)
        .mark_rule(strokeDash=[4, 3], strokeWidth=2, color="#8A8F98")
        .encode(x=_day(rates), tooltip=[alt.Tooltip("words:N", title="the definition changed")])
    )


def rates_by_type(rates: pl.DataFrame) -> alt.LayerChart:
    """A point and its 95 % interval for each type, the most frequent first."""
    labelled = rates.with_columns(
        label=pl.col("type").map_elements(type_words, return_dtype=pl.String)
        + pl.when(pl.col("type") == "other")
        .then(" (" + pl.col("polarity") + ")")
        .otherwise(pl.lit(""))
    )
    return _points_with_intervals(labelled, None, 30)


def rates_by_release(rates: pl.DataFrame) -> alt.LayerChart:
    """A point and its 95 % interval for each release and polarity, the oldest release first."""
    order = rates["label"].unique(maintain_order=True).to_list()
    return _points_with_intervals(rates, order, 44)


def _points_with_intervals(
    rates: pl.DataFrame, order: list[str] | None, step: int
) -> alt.LayerChart:
    labels = rates["label"].unique(maintain_order=True).to_list()
    base = alt.Chart(rates).encode(
        y=alt.Y("label:N", title=None, sort=order or labels, axis=alt.Axis(labelLimit=220)),
        yOffset=alt.YOffset("polarity:N", sort=list(POLARITY_COLOURS)) if order else alt.Undefined,
        color=_polarity_colour(),
        tooltip=[alt.Tooltip("label:N", title="of"), *_RATE_TOOLTIP],
    )
    domain = alt.Scale(domain=[0, max(0.1, *rates["rate_high"])], nice=True)
    bar = base.mark_rule(strokeWidth=3, opacity=0.7).encode(
        x=alt.X("rate_low:Q", axis=_PERCENT, scale=domain), x2="rate_high:Q"
    )
    point = base.mark_point(filled=True, size=90, opacity=1).encode(
        x=alt.X("rate:Q", axis=_PERCENT, scale=domain), shape=_polarity_shape()
    )
    return alt.layer(bar, point).properties(height=step * len(labels) + _FRAME)


def session_timeline(steps: pl.DataFrame, moments: pl.DataFrame, *, dark: bool) -> alt.LayerChart:
    """One session: its steps in the middle, delight above and friction below, by severity."""
    base = alt.Chart(moments).encode(
        x=_position(steps), color=_feeling_colour(dark), tooltip=_moment_tooltip()
    )
    stems = base.mark_rule(strokeWidth=2, opacity=0.6).encode(
        y=_height(), y2=alt.Y2Datum(0), color=_feeling_colour(dark)
    )
    heads = base.mark_point(filled=True, size=170, opacity=1).encode(
        y=_height(), shape=_polarity_shape(legend=False)
    )
    return (
        alt.layer(_step_marks(steps), stems, heads)
        .resolve_scale(shape="independent", color="independent")
        .properties(height=380)
    )


def _step_marks(steps: pl.DataFrame) -> alt.Chart:
    shown = steps.with_columns(
        group=pl.when(pl.col("kind").is_in(list(_KINDS)))
        .then(pl.col("kind"))
        .otherwise(pl.lit("other")),
        used=pl.col("tools").list.join(", "),
        height=pl.lit(0),
    )
    shapes = alt.Scale(domain=list(_KINDS), range=list(_KINDS.values()))
    return (
        alt.Chart(shown)
        .mark_point(filled=True, size=75, opacity=0.9, color="#8A8F98")
        .encode(
            x=_position(steps),
            y=_height(),
            shape=alt.Shape("group:N", scale=shapes, legend=_legend("steps")),
            tooltip=[
                alt.Tooltip("position:Q", title="step"),
                alt.Tooltip("kind:N"),
                alt.Tooltip("used:N", title="tools"),
                alt.Tooltip("source_ref:N", title="in the log"),
            ],
        )
    )


def _moment_tooltip() -> list[alt.Tooltip]:
    return [
        alt.Tooltip("citation:N", title="what happened"),
        alt.Tooltip("type:N"),
        alt.Tooltip("severity:N"),
        alt.Tooltip("confidence:Q", format=".0%"),
        alt.Tooltip("source_ref:N", title="in the log"),
    ]


def _position(steps: pl.DataFrame) -> alt.X:
    positions = steps["position"].to_list()
    low, high = min(positions), max(positions)
    return alt.X(
        "position:Q",
        title="step of the session",
        axis=alt.Axis(format="d", tickMinStep=1, grid=False),
        scale=alt.Scale(domain=[low - 0.5, high + 0.5], nice=False),
    )


def _height() -> alt.Y:
    words = "abs(datum.value) == 3 ? 'high' : abs(datum.value) == 2 ? 'medium' : 'low'"
    label = (
        f"datum.value == 0 ? 'steps' : (datum.value > 0 ? 'delight, ' : 'friction, ') + ({words})"
    )
    return alt.Y(
        "height:Q",
        title=None,
        axis=alt.Axis(values=list(range(-3, 4)), labelExpr=label, labelLimit=120),
        scale=alt.Scale(domain=[-3.4, 3.4]),
    )


def _feeling_colour(dark: bool) -> alt.Color:
    scale = alt.Scale(domain=_FEELINGS, range=_DARK if dark else _LIGHT)
    return alt.Color("feeling:N", scale=scale, legend=None)


def _polarity_colour(*, legend: bool = True) -> alt.Color:
    scale = alt.Scale(domain=list(POLARITY_COLOURS), range=list(POLARITY_COLOURS.values()))
    return alt.Color("polarity:N", scale=scale, legend=_legend(None) if legend else None)


def _polarity_shape(*, legend: bool = True) -> alt.Shape:
    scale = alt.Scale(domain=list(POLARITY_COLOURS), range=["triangle-down", "circle"])
    return alt.Shape("polarity:N", scale=scale, legend=_legend(None) if legend else None)


def _legend(title: str | None) -> alt.Legend:
    return alt.Legend(title=title, orient="top", direction="horizontal")


def _rate_axis() -> alt.Y:
    return alt.Y("rate:Q", axis=_PERCENT, scale=alt.Scale(domain=[0, 1]))


def _day(rates: pl.DataFrame) -> alt.X:
    """Days are UTC: the reader's own zone would move each to the day before or after."""
    ticks = "day" if rates["day"].n_unique() <= 10 else 7
    axis = alt.Axis(format="%-d %b", tickCount=ticks, grid=False)
    return alt.X("day:T", title=None, axis=axis, scale=alt.Scale(type="utc"))
