"""A plan before its programme starts: are goals measurable, sums right, milestones met?"""

from __future__ import annotations

import re

import pandas as pd

from evalkit.process import period_days
from evalkit.published_indicators import passed_over

__all__ = [
    "MEASURABILITY",
    "budget_checks",
    "goal_measurability",
    "measure_chain",
    "measure_progress",
    "measured_sizes",
    "milestone_deadlines",
    "milestone_status",
    "of_version",
    "plan_changes",
    "recomputed_risks",
    "without_risk_register",
]

# What a goal must say before it can be measured, in the order a reader asks.
MEASURABILITY = ("what", "for_whom", "how_much", "by_when", "baseline", "measured_by")
MEASURED_KINDS = ("effect_goal", "result_goal", "local_goal")
# Beginnings of the words by which goals and indicators name those they are for.
GROUPS = re.compile(
    r"\b(?:barn|unge\b|ungdom|elev|famili|foreldre|ansatt|leder|innbygger|brukere|målgrupp|"
    r"deltaker|kommunene\b|direktorat)",
    re.IGNORECASE,
)


def of_version(table: pd.DataFrame, version: str | None = None) -> pd.DataFrame:
    """The rows of one version of the plan; the study's own where ``version`` is ``None``."""
    if "version" not in table.columns:
        return table
    kept = table["version"].isna() if version is None else table["version"] == version
    return table.loc[kept]


def goal_measurability(
    goals: pd.DataFrame,
    *,
    targets: pd.DataFrame,
    indicators: pd.DataFrame,
    observations: pd.DataFrame,
    version: str | None = None,
) -> pd.DataFrame:
    """Whether each goal says what it takes to measure it.

    Parameters
    ----------
    goals, targets, indicators, observations
        Rows of their tables, observations as from ``withheld_values`` where some are withheld.
        Goals for society are passed over: they give direction and are
        not to be reached within the programme.
    version
        The plan whose goals are asked for; ``None`` for the study's own.

    Returns
    -------
    DataFrame
        One row per goal, indicator and target, a goal without indicator or target once; effect goals first:
        ``goal_id``, ``goal``, ``kind``, ``indicator_id``, ``indicator``, ``unit``, ``data_source``,
        ``target_id``, ``target_value``, ``target_direction``, ``target_unit``, ``due``, ``target_note``, ``observation_id``,
        ``baseline_value``, ``baseline_qualifier``, ``baseline_period``, ``baseline_withheld`` (why the
        value is not shown), ``passed_over_count`` (values of the indicator for groups only); then True or False for

        - ``what``: an indicator follows the goal;
        - ``for_whom``: the goal or the indicator names a group;
        - ``how_much`` and ``by_when``: a target has a value, and a date;
        - ``baseline``: the municipality has a value of the indicator; the first is used;
        - ``measured_by``: it is said where the indicator's values come from;

        ``missing`` (names of those that are False, separated by semicolons), ``measurable``
        (none is) and ``met_at_baseline`` (the first value already reaches the target); last
        ``source`` and ``locator`` of the goal.
    """
    asked = of_version(goals, version)
    asked = asked.loc[asked["kind"].isin(MEASURED_KINDS)]
    order = asked["kind"].map({kind: place for place, kind in enumerate(MEASURED_KINDS)})
    asked = asked.assign(place=order).sort_values(["place", "position"], kind="stable")
    own = asked[["goal_id", "text", "kind", "source", "locator"]].rename(columns={"text": "goal"})
    rows = own.merge(indicators_of_goals(indicators), on="goal_id", how="left")
    rows = rows.merge(first_values(observations), on="indicator_id", how="left")
    left_out = rows["indicator_id"].map(passed_over(observations)).fillna(0).astype(int)
    rows = with_targets(rows.assign(passed_over_count=left_out), targets)
    said = rows["goal"] + " " + rows["indicator"].fillna("").astype(object)
    parts = {
        "what": rows["indicator_id"].notna(),
        "for_whom": said.map(lambda text: bool(GROUPS.search(text))).astype(bool),
        "how_much": rows["target_value"].notna(),
        "by_when": rows["due"].notna(),
        "baseline": rows["baseline_period"].notna(),
        "measured_by": rows["data_source"].notna(),
    }
    rows = rows.assign(**parts)
    lacking = [
        "; ".join(name for name in MEASURABILITY if not row[name])
        for row in rows[list(MEASURABILITY)].to_dict("records")
    ]
    at_least = rows["target_direction"] == "at_least"
    reached = (rows["baseline_value"] >= rows["target_value"]).where(
        at_least, rows["baseline_value"] <= rows["target_value"]
    ) & rows["target_direction"].notna()
    reached &= rows["unit"].isna() | (rows["target_unit"] == rows["unit"])
    columns = [c for c in rows.columns if c not in ("source", "locator")]
    return rows.assign(
        missing=pd.Series(lacking, index=rows.index, dtype=object),
        measurable=[not text for text in lacking],
        met_at_baseline=reached.astype(bool),
    )[[*columns, "missing", "measurable", "met_at_baseline", "source", "locator"]]


def indicators_of_goals(indicators: pd.DataFrame) -> pd.DataFrame:
    """One row per goal and indicator that measures it."""
    named = indicators[["indicator_id", "name", "unit", "data_source", "goal_ids"]]
    split = named.assign(goal_id=named["goal_ids"].astype(object).str.split(r";\s*"))
    long = split.explode("goal_id").dropna(subset=["goal_id"]).drop(columns="goal_ids")
    return long.rename(columns={"name": "indicator"}).astype({"goal_id": object})


def first_values(observations: pd.DataFrame) -> pd.DataFrame:
    """The earliest value of each indicator that is the municipality's own and not a group's."""
    if "withheld" not in observations:
        observations = observations.assign(withheld=None)
    known = observations["value"].notna() | observations["withheld"].notna()
    own = observations.loc[observations["area"].isna() & observations["group"].isna() & known]
    first = own.assign(day=period_days(own["period"])["last_day"]).sort_values("day", kind="stable")
    names = {
        "value": "baseline_value",
        "qualifier": "baseline_qualifier",
        "period": "baseline_period",
        "withheld": "baseline_withheld",
    }
    columns = ["indicator_id", "observation_id", *names]
    return first.drop_duplicates("indicator_id")[columns].rename(columns=names)


def with_targets(rows: pd.DataFrame, targets: pd.DataFrame) -> pd.DataFrame:
    """The rows with each target of their indicator, or of their goal where it has none.

    A target without a unit is in the indicator's own.
    """
    names = {"value": "target_value", "direction": "target_direction", "unit": "target_unit"}
    held = targets[["target_id", "indicator_id", "goal_id", *names, "due", "note"]].rename(
        columns={**names, "note": "target_note"}
    )
    aimed = rows["indicator_id"].isin(held["indicator_id"].dropna())
    by_indicator = held.dropna(subset=["indicator_id"]).drop(columns="goal_id")
    by_goal = held.loc[held["indicator_id"].isna()].drop(columns="indicator_id")
    by_goal = by_goal.dropna(subset=["goal_id"])
    placed = rows.assign(row=range(len(rows)))
    found = pd.concat(
        [
            placed.loc[aimed].merge(by_indicator, on="indicator_id"),
            placed.loc[~aimed].merge(by_goal, on="goal_id", how="left"),
        ]
    ).sort_values("row", kind="stable", ignore_index=True)
    return found.assign(target_unit=found["target_unit"].fillna(found["unit"])).drop(columns="row")


def measured_sizes(
    measurability: pd.DataFrame, *, sizes: tuple[int, ...] = (50, 100, 200)
) -> pd.DataFrame:
    """What to reckon a smallest detectable change for: surveys of several sizes, and indicators.

    Plans seldom say how many a survey or an indicator rests on, so both are reckoned for several
    sizes: a survey whose answers split in half, and each indicator that is a share and has a
    first value.

    Returns
    -------
    DataFrame
        Rows as ``planned_detectable_change`` takes them: ``measurement`` (blank for a survey, else
        the indicator), ``invited_count``, ``response_share`` (1) and ``before_share``.
    """
    shares = measurability.loc[
        (measurability["unit"] == "percent") & measurability["baseline_value"].between(1, 99)
    ].drop_duplicates("indicator_id")
    named = [("", 0.5), *zip(shares["indicator"], shares["baseline_value"] / 100, strict=True)]
    rows = [(name, size, 1.0, share) for name, share in named for size in sizes]
    columns = ["measurement", "invited_count", "response_share", "before_share"]
    return pd.DataFrame(rows, columns=columns)


def measure_chain(
    measures: pd.DataFrame, goals: pd.DataFrame, *, version: str | None = None
) -> pd.DataFrame:
    """From measures to the goals they serve, and on to the goals above these.

    Returns
    -------
    DataFrame
        One row per measure and goal: ``measure_id``, ``measure``, ``goal_id``, ``goal``,
        ``kind``, ``parents`` (wording of the goals above), ``source``, ``locator``. A measure
        without goal keeps its row; then come goals that no measure serves, neither directly nor
        through a goal below.
    """
    own = of_version(goals, version)
    texts = own.set_index("goal_id")["text"].to_dict()
    parents = {
        row.goal_id: "; ".join(
            texts[goal] for goal in re.split(r";\s*", row.parent_goal_ids) if goal in texts
        )
        if isinstance(row.parent_goal_ids, str)
        else ""
        for row in own.itertuples()
    }
    kinds = own.set_index("goal_id")["kind"].to_dict()
    rows = []
    for measure in measures.sort_values("position", kind="stable").itertuples():
        listed = re.split(r";\s*", measure.goal_ids) if isinstance(measure.goal_ids, str) else []
        served = [goal for goal in listed if goal in texts] or [None]
        rows += [
            (measure.measure_id, measure.name, goal, measure.source, measure.locator)
            for goal in served
        ]
    reached = with_goals_above({row[2] for row in rows} - {None}, own)
    rows += [
        (None, None, goal.goal_id, goal.source, goal.locator)
        for goal in own.itertuples()
        if goal.kind != "impact_goal" and goal.goal_id not in reached
    ]
    columns = ["measure_id", "measure", "goal_id", "source", "locator"]
    chain = pd.DataFrame(rows, columns=columns, dtype=object)
    return chain.assign(
        goal=chain["goal_id"].map(texts),
        kind=chain["goal_id"].map(kinds),
        parents=chain["goal_id"].map(parents),
    )[["measure_id", "measure", "goal_id", "goal", "kind", "parents", "source", "locator"]]


def with_goals_above(reached: set[str], goals: pd.DataFrame) -> set[str]:
    """The goals together with those that they serve, all the way up."""
    above = {
        row.goal_id: set(re.split(r";\s*", row.parent_goal_ids))
        for row in goals.itertuples()
        if isinstance(row.parent_goal_ids, str)
    }
    every, added = set(reached), set(reached)
    while added:
        added = {goal for below in added for goal in above.get(below, ())} - every
        every |= added
    return every


def recomputed_risks(risks: pd.DataFrame) -> pd.DataFrame:
    """Risks with the factor computed anew as probability times consequence.

    Returns
    -------
    DataFrame
        The columns of ``risks`` with ``computed_factor`` (missing where a grade is) and
        ``factor_agrees`` (True where nothing is printed that differs); the gravest first, those
        that are not graded last in the plan's order.
    """
    computed = risks["probability"] * risks["consequence"]
    differs = computed.notna() & risks["factor"].notna() & (computed != risks["factor"])
    return (
        risks.assign(computed_factor=computed, factor_agrees=~differs)
        .sort_values(["computed_factor", "position"], ascending=[False, True], kind="stable")
        .reset_index(drop=True)
    )


def without_risk_register(risks: pd.DataFrame) -> bool:
    """Whether a plan names its risks in prose alone, so that each of them is our reading."""
    return bool(len(risks)) and bool((risks["stated_in"] == "prose").all())


def years_of(span: object) -> tuple[int, ...]:
    """The years of ``2021`` or ``2020-2022``; none where the year is not said."""
    if not isinstance(span, str):
        return ()
    limits = [int(year) for year in re.findall(r"\d{4}", span)]
    return tuple(range(limits[0], limits[-1] + 1)) if limits else ()


def budget_checks(budget_lines: pd.DataFrame) -> pd.DataFrame:
    """Printed totals of a budget held against the lines they sum.

    A total that bears the name of an ordinary line sums that line over the total's years. Any
    other total sums all lines of its kind in its years; a total without year, those without year.

    Returns
    -------
    DataFrame
        One row per printed total, in the plan's order: ``budget_id``, ``line``, ``kind``,
        ``year``, ``printed_nok``, ``summed_nok``, ``difference_nok`` (printed less summed),
        ``line_count`` and ``blank_count`` (lines with and without an amount), ``adds_up``,
        ``is_itemised`` (no line of it lacks its amount), ``source``, ``locator``.
    """
    is_total = budget_lines["is_total"] == "yes"
    lines = budget_lines.loc[~is_total]
    of_line = lines["year"].map(years_of, na_action=None)
    rows = []
    for total in budget_lines.loc[is_total].sort_values("position", kind="stable").itertuples():
        span = years_of(total.year)
        within = of_line.map(lambda years, s=span: set(years) <= set(s) and bool(years) == bool(s))
        kept = within.astype(bool) & (lines["kind"] == total.kind)
        if (lines["line"] == total.line).any():
            kept &= lines["line"] == total.line
        amounts = lines.loc[kept, "amount_nok"]
        summed = float(amounts.sum())
        rows.append(
            (
                total.budget_id,
                total.line,
                total.kind,
                total.year,
                total.amount_nok,
                summed,
                total.amount_nok - summed,
                int(amounts.notna().sum()),
                int(amounts.isna().sum()),
                bool(abs(total.amount_nok - summed) < 0.5),
                bool(amounts.notna().all()),
                total.source,
                total.locator,
            )
        )
    columns = [
        "budget_id",
        "line",
        "kind",
        "year",
        "printed_nok",
        "summed_nok",
        "difference_nok",
        "line_count",
        "blank_count",
        "adds_up",
        "is_itemised",
        "source",
        "locator",
    ]
    return pd.DataFrame(rows, columns=columns)


def milestone_deadlines(milestones: pd.DataFrame, *, version: str | None = None) -> pd.DataFrame:
    """Milestones of a plan in the order of their deadlines, those without one last.

    Returns
    -------
    DataFrame
        The columns of ``milestones`` with ``first_day`` and ``last_day`` of the deadline.
    """
    own = of_version(milestones, version)
    return (
        own.assign(**period_days(own["due"]))
        .sort_values(["last_day", "position"], kind="stable", na_position="last")
        .reset_index(drop=True)
    )


def milestone_status(
    milestones: pd.DataFrame,
    *,
    as_of: str,
    reported: str | None = None,
    soon_days: int = 31,
    version: str | None = None,
) -> pd.DataFrame:
    """Where each milestone stands on a day, as far as the study's sources tell.

    Parameters
    ----------
    milestones
        Rows of ``MilestonesTable``.
    as_of
        The day, such as ``2021-12-01``; nothing is read from the clock.
    reported
        The last day that the sources report on. A milestone due by then and not reported as
        done is late; of one due after it nothing is known. ``None``: nothing was reported.
    soon_days
        Days ahead within which a deadline is near.
    version
        The plan; ``None`` for the study's own.

    Returns
    -------
    DataFrame
        The columns of ``milestones`` with ``first_day`` and ``last_day`` of the deadline,
        ``days_past`` (days since it; negative before it) and ``state``, in the order of the
        deadlines, those without one last. ``state`` is ``done``, ``done_late``, ``late`` (due and
        known not to be done), ``not_reported`` (due, nothing known), ``due`` (on the day or
        soon after), ``upcoming``, ``no_deadline`` or ``cancelled``. What was done after
        ``as_of`` is not done yet.
    """
    own = milestone_deadlines(milestones, version=version)
    day = pd.Timestamp(as_of)
    done_days = period_days(own["done"])
    past = (day - own["last_day"]).dt.days
    known = pd.Timestamp(reported) if reported is not None else pd.Timestamp.min
    done = (done_days["first_day"] <= day) | ((own["status"] == "done") & own["done"].isna())
    late_done = done & (done_days["first_day"] > own["last_day"])
    known_open = (own["status"] == "in_progress") | (own["last_day"] <= known)
    state = pd.Series("upcoming", index=own.index, dtype=object)
    state = state.mask(past.between(-soon_days, 0), "due")
    state = state.mask(past > 0, "not_reported").mask((past > 0) & known_open, "late")
    state = state.mask(own["due"].isna(), "no_deadline")
    state = state.mask(done, "done").mask(late_done, "done_late")
    state = state.mask(own["status"] == "cancelled", "cancelled")
    return own.assign(days_past=past.astype(float), state=state)


def measure_progress(measures: pd.DataFrame, *, as_of: str) -> pd.DataFrame:
    """The measures, with those that should have begun by a day and are still only planned.

    Returns
    -------
    DataFrame
        The columns of ``measures`` with ``is_overdue``, in the plan's order.
    """
    own = measures.sort_values("position", kind="stable").reset_index(drop=True)
    begun = period_days(own["start"])["last_day"] < pd.Timestamp(as_of)
    return own.assign(is_overdue=(begun & (own["status"] == "planned")).astype(bool))


def plan_changes(goals: pd.DataFrame, milestones: pd.DataFrame) -> pd.DataFrame:
    """What differs between earlier versions of a plan and the one in use.

    A row of an earlier version bears the identifier of the row it became, with the version
    before it: ``draft-1-start`` became ``start``. A version none of whose identifiers is known
    now is another plan and is passed over.

    Returns
    -------
    DataFrame
        One row per goal and milestone of an earlier version, then those that none of them has:
        ``version``, ``table``, ``row_id`` (that in use), ``before`` and ``now`` (wording; missing
        where there is none), ``due_before`` and ``due_now`` (of milestones), ``change``
        (``same``, ``reworded``, ``moved`` for a deadline, ``dropped`` or ``added``), ``source``,
        ``locator``.
    """
    columns = ["table", "row_id", "text", "due", "version", "source", "locator"]
    every = pd.concat(
        [
            table.rename(columns={identifier: "row_id", wording: "text"})
            .assign(table=name)
            .reindex(columns=columns)
            .astype(object)
            for name, table, identifier, wording in (
                ("goals", goals, "goal_id", "text"),
                ("milestones", milestones, "milestone_id", "title"),
            )
        ]
    )
    now = every.loc[every["version"].isna()].set_index("row_id")
    rows, paired = [], set()
    for version, earlier in every.dropna(subset=["version"]).groupby("version", sort=False):
        ids = earlier["row_id"].str.removeprefix(f"{version}-")
        if not ids.isin(now.index).any():
            continue
        for row_id, old in zip(ids, earlier.itertuples(), strict=True):
            new = now.loc[row_id] if row_id in now.index else None
            paired.add(row_id)
            rows.append((version, old.table, row_id, *versions_apart(old, new)))
    if rows:
        rows += [
            (None, new.table, row_id, *versions_apart(None, new))
            for row_id, new in now.iterrows()
            if row_id not in paired
        ]
    names = ["before", "now", "due_before", "due_now", "change", "source", "locator"]
    return pd.DataFrame(rows, columns=["version", "table", "row_id", *names], dtype=object)


def versions_apart(old, new) -> tuple:
    """Wording and deadline before and now, what became of them, and where it is read."""
    if new is None:
        return old.text, None, old.due, None, "dropped", old.source, old.locator
    if old is None:
        return None, new["text"], None, new["due"], "added", new["source"], new["locator"]
    same_due = old.due == new["due"] or (pd.isna(old.due) and pd.isna(new["due"]))
    change = "reworded" if old.text != new["text"] else "same" if same_due else "moved"
    return old.text, new["text"], old.due, new["due"], change, new["source"], new["locator"]
