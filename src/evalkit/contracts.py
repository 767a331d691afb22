"""What each table of a study holds: one class per table.

Column descriptions are the data dictionary, and the "expected" half of every message about a
breach. ``Config.unique`` names the columns that tell a table's rows apart where no single one does.
Metadata of a column says what it refers to (``references="goals.goal_id"``, ``many=True``
for a list separated by semicolons) and whether its value is a claim that the report may name
(``fact="persons"``, the unit). ``examples`` of a column are values that every notebook must be able to
show (``examples_of``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache

import pandas as pd
import pandera.pandas as pa

from evalkit import vocabulary as words
from evalkit.characters import LONGEST, UNSEEN, unseen_in
from evalkit.errors import DataError
from evalkit.units import UNIT_RANGES, number_breaches, unit_of

__all__ = [
    "CONTRACTS",
    "StudyTable",
    "breaches",
    "columns_of",
    "data_dictionary",
    "examples_of",
    "validated",
]

IDENTIFIER = r"[a-z0-9]+(?:-[a-z0-9]+)*"
CODE = r"\d{4}"
PARTIAL_DATE = r"\d{4}(?:-(?:\d{2}(?:-\d{2})?|Q[1-4]|H[12]|spring|summer|autumn|winter))?"
QUANTITY = r"[a-z][a-z0-9_]*"
NOT_A_DATE = "; expected a date such as 2023-03-24, 2023-03, 2023-Q1, 2023-spring or 2023"
YEARS = range(1800, 2101)
DATES = ("2023-03-24", "2023-03", "2023-Q1", "2023-H2", "2023-winter", "2023-spring", "2023")
SPANS_OF_YEARS = ("2021", "2021-2024")
GROUPS_SHOWN = 20  # of rows that are told twice


def prose(description: str, *, needed: bool = True, **metadata) -> pa.Field:
    return pa.Field(nullable=not needed, description=description, metadata=metadata)


def identifier(description: str, *, unique: bool = False, needed: bool = True, **metadata):
    return pa.Field(
        nullable=not needed,
        unique=unique,
        str_matches=rf"^{IDENTIFIER}$",
        description=description + " (small letters a-z, digits and hyphens)",
        metadata=metadata,
    )


def identifiers(description: str, **metadata):
    return pa.Field(
        nullable=True,
        str_matches=rf"^{IDENTIFIER}(?:; ?{IDENTIFIER})*$",
        description=description + ", separated by semicolons",
        metadata={**metadata, "many": True},
    )


def code(description: str, *, needed: bool = True, unique: bool = False, **metadata):
    return pa.Field(
        nullable=not needed,
        unique=unique,
        str_matches=rf"^{CODE}$",
        description=description + ": four digits, kept as text",
        metadata=metadata,
    )


def word(vocabulary: Mapping[str, str], *, needed: bool = True, **metadata):
    return pa.Field(
        nullable=not needed,
        isin=list(vocabulary),
        description="one of " + ", ".join(vocabulary),
        metadata=metadata,
    )


def when(description: str, **metadata):
    return pa.Field(
        nullable=True,
        str_matches=rf"^{PARTIAL_DATE}$",
        description=description + ", such as 2023-03-24, 2023-03, 2023-Q1, 2023-spring or 2023",
        metadata={**metadata, "date": True, "examples": DATES},
    )


def years(description: str):
    return pa.Field(
        nullable=True,
        str_matches=r"^\d{4}(?:-\d{4})?$",
        description=description + ", such as 2021 or 2021-2024",
        metadata={"examples": SPANS_OF_YEARS},
    )


def amount(description: str, *, least: float | None = 0, most: float | None = None, **metadata):
    return pa.Field(nullable=True, ge=least, le=most, description=description, metadata=metadata)


def yes_no(description: str, **metadata):
    return pa.Field(nullable=True, isin=["yes", "no"], description=description, metadata=metadata)


class StudyTable(pa.DataFrameModel):
    """Every table says where each of its rows was read."""

    source: str = identifier("key of the source in sources.bib", references="sources")
    locator: str = prose("place in the source, such as `s. 44`, `kap. 6.2` or `Tabell 11`")

    class Config:
        strict = True
        coerce = False


class FactsTable(StudyTable):
    """The claim store: one row per claim; the same quantity may be claimed more than once."""

    subject: str = identifier(
        "what the claim is about: a municipality's slug, a measure, programme"
    )
    quantity: str = pa.Field(str_matches=rf"^{QUANTITY}$", description="the quantity, a noun")
    label: str = prose(
        "what the claim is about, in Norwegian, for readers; blank for a claim about a table's row",
        needed=False,
    )
    value: str = prose(
        "number with a point for decimals, ISO date or short text", measured_in="unit"
    )
    unit: str = word(words.UNITS)
    as_of: str = when("the time the value holds for")
    qualifier: str = word(words.QUALIFIERS, needed=False)
    version: str = prose(
        "the plan or edition the claim belongs to; blank for the study's own", needed=False
    )
    chosen: str = yes_no("where claims disagree: yes for the one in use, no for the others")
    reason: str = prose("why this claim was chosen or not", needed=False)
    note: str = prose("what a reader must know about the claim", needed=False)


class RegionsTable(StudyTable):
    """The regions of the programme."""

    region_id: str = identifier("the region", unique=True)
    name: str = prose("its name in Norwegian")
    county_governor: str = prose("the county governor that runs the programme there")


class MunicipalitiesTable(StudyTable):
    """The municipalities of the programme, with the codes of the study's years."""

    municipality_code: str = code("kommunenummer", unique=True)
    slug: str = identifier("the municipality in labels and file names", unique=True)
    name: str = prose("its name")
    region_id: str = identifier("its region", references="regions.region_id")
    evaluated_by: str = word(words.EVALUATORS)
    note: str = prose("what is special about its part", needed=False)


class GoalsTable(StudyTable):
    """Goals of the programme (no municipality) and of the municipalities, as officially worded."""

    goal_id: str = identifier("the goal", unique=True)
    municipality_code: str = code(
        "the municipality", needed=False, references="municipalities.municipality_code"
    )
    kind: str = word(words.GOAL_KINDS)
    position: float = amount("its place in the list")
    text: str = prose("the goal in its official wording")
    parent_goal_ids: str = identifiers("goals it serves", references="goals.goal_id")
    version: str = prose("the plan it stands in; blank for the study's own", needed=False)


class MeasuresTable(StudyTable):
    """The measures the municipalities tried."""

    measure_id: str = identifier("the measure", unique=True)
    municipality_code: str = code("the municipality", references="municipalities.municipality_code")
    position: float = amount("its place in the municipality's list")
    name: str = prose("its name")
    description: str = prose("what it is, in one or two sentences")
    parent_measure_id: str = identifier(
        "the measure it is part of", needed=False, references="measures.measure_id"
    )
    status: str = word(words.MEASURE_STATUS, needed=False)
    start: str = when("when it began")
    end: str = when("when it ended")
    goal_ids: str = identifiers("goals it is to serve", references="goals.goal_id")


class MeasureAspectsTable(StudyTable):
    """What is said of a measure, aspect by aspect."""

    measure_id: str = identifier("the measure", references="measures.measure_id")
    aspect: str = word(words.MEASURE_ASPECTS)
    position: float = amount("order within the aspect")
    text: str = prose("one statement")


class MeasureThemesTable(StudyTable):
    """Themes of the measures, as the evaluation grouped them."""

    municipality_code: str = code("the municipality", references="municipalities.municipality_code")
    theme: str = word(words.THEMES)
    label: str = prose("the measure or change as it is named in the grouping")
    measure_id: str = identifier("the measure", needed=False, references="measures.measure_id")
    added_later: str = yes_no("yes if it came as a consequence of the programme")


class LogicModelsTable(StudyTable):
    """The logic models, one row each."""

    model_id: str = identifier("the model", unique=True)
    municipality_code: str = code("the municipality", references="municipalities.municipality_code")
    measure_id: str = identifier("the measure", needed=False, references="measures.measure_id")
    position: float = amount("its place in the municipality's list")
    title: str = prose("its title")
    row_pattern: str = word(words.ROW_PATTERNS)
    note: str = prose("what a reader must know about it", needed=False)


class LogicModelCellsTable(StudyTable):
    """One row per statement in a cell of a logic model."""

    model_id: str = identifier("the model", references="logic_models.model_id")
    row: float = amount("the row of the model, from 1", least=1)
    row_kind: str = word({"logic": "logikk", "indicator": "indikatorer"})
    column: str = word(words.LOGIC_COLUMNS)
    position: float = amount("order within the cell, from 1", least=1)
    text: str = prose("one statement, short")
    status: str = word(words.ACTIVITY_STATUS, needed=False)
    row_span: float = amount("rows the cell covers; blank for one", least=1)
    column_span: float = amount("columns the cell covers; blank for one", least=1)
    indicator_ids: str = identifiers("indicators named here", references="indicators.indicator_id")


class IndicatorsTable(StudyTable):
    """Indicators chosen to follow the goals."""

    indicator_id: str = identifier("the indicator", unique=True)
    municipality_code: str = code(
        "the municipality", needed=False, references="municipalities.municipality_code"
    )
    model_ids: str = identifiers("models it stands in", references="logic_models.model_id")
    measure_ids: str = identifiers("measures it follows", references="measures.measure_id")
    goal_ids: str = identifiers("goals it measures", references="goals.goal_id")
    level: str = word(
        {k: v for k, v in words.LOGIC_COLUMNS.items() if k != "resources"}, needed=False
    )
    name: str = prose("what is measured")
    unit: str = word(words.UNITS, needed=False)
    direction: str = word({"up": "skal øke", "down": "skal ned"}, needed=False)
    data_source: str = prose("where its values come from", needed=False)
    note: str = prose("what a reader must know about it", needed=False)


class ObservationsTable(StudyTable):
    """Values of indicators."""

    observation_id: str = identifier("the observation", unique=True)
    indicator_id: str = identifier("the indicator", references="indicators.indicator_id")
    municipality_code: str = code(
        "the municipality; blank for another area",
        needed=False,
        references="municipalities.municipality_code",
    )
    area: str = prose(
        "county, country or other comparison area; blank for the municipality", needed=False
    )
    group: str = prose("the group it holds for; blank for all", needed=False)
    period: str = when("the time the value holds for")
    value: float = amount("the value, in the indicator's unit", least=None, fact="indicator")
    numerator: float = amount("the count", fact="count")
    denominator: float = amount("its base", fact="count")
    qualifier: str = word(words.QUALIFIERS, needed=False)
    note: str = prose("what a reader must know about it", needed=False)


class MunicipalityChangesTable(StudyTable):
    """Municipalities that were merged or split, one row per old and new municipality."""

    change_id: str = identifier("the change", unique=True)
    old_code: str = code(
        "the municipality before the change", references="municipalities.municipality_code"
    )
    new_code: str = code(
        "the municipality after the change", references="municipalities.municipality_code"
    )
    year: float = pa.Field(
        description="first year of the new municipality", metadata={"measured_in": "year"}
    )
    share: float = amount(
        "share of the old municipality that went to the new, 0 to 1: 1 when all of it did, "
        "blank when nobody knows",
        most=1,
        measured_in="share",
    )
    share_basis: str = prose("what the share is counted in, in Norwegian", needed=False)
    restored_code: str = code(
        "the earlier municipality that the new one is again, within the same borders; blank where "
        "it is none",
        needed=False,
        references="municipalities.municipality_code",
    )
    note: str = prose("what a reader must know about the change", needed=False)


class AreasTable(StudyTable):
    """Areas with values of their own whose municipalities all have theirs: what sums what."""

    area: str = pa.Field(unique=True, description="the area, by its name in observations.csv")
    county_code: str = pa.Field(
        nullable=True,
        str_matches=r"^\d{2}$",
        description="fylkesnummer: the first two digits of its municipalities' codes, kept as "
        "text; blank for the area that holds all municipalities",
    )
    note: str = prose("what a reader must know about the area", needed=False)


class NoiseTable(StudyTable):
    """Sources whose publisher perturbs its counts, so that totals need not be the sums of their parts."""

    noisy_source: str = identifier(
        "key of the source in sources.bib whose counts are perturbed",
        unique=True,
        references="sources",
    )
    width: float = pa.Field(
        gt=0, description="how far a published count may be from the true one, as the source says"
    )
    note: str = prose("what a reader must know about it", needed=False)


class TargetsTable(StudyTable):
    """Targets of indicators and goals; a goal with a date but no amount has only that."""

    target_id: str = identifier("the target", unique=True)
    indicator_id: str = identifier(
        "the indicator", needed=False, references="indicators.indicator_id"
    )
    goal_id: str = identifier("the goal", needed=False, references="goals.goal_id")
    value: float = amount("the value to reach", least=None, fact="unit")
    unit: str = word(words.UNITS, needed=False)
    direction: str = word({"at_least": "minst", "at_most": "høyst"}, needed=False)
    due: str = when("when it is to be reached")
    note: str = prose("what a reader must know about it", needed=False)


class SurveysTable(StudyTable):
    """Surveys and other data collections, one row per wave."""

    survey_id: str = identifier("the survey", unique=True)
    municipality_code: str = code("the municipality", references="municipalities.municipality_code")
    kind: str = word(words.SURVEY_KINDS)
    wave: float = amount("0 for the baseline (nullpunkt), then 1, 2; blank if not part of a series")
    title: str = prose("its name in Norwegian")
    provider: str = prose("who carried it out", needed=False)
    mode: str = word(words.MODES, needed=False)
    population: str = prose("whom it was sent to", needed=False)
    topics: str = prose("what it asked about", needed=False)
    invited_count: float = amount("persons invited", fact="persons")
    answered_count: float = amount("persons who answered", fact="persons")
    response_rate_percent: float = amount(
        "published response rate, per cent", most=100, fact="percent"
    )
    start: str = when("when it was in the field", fact="date")
    end: str = when("when it closed")
    follows: str = identifier("the wave it repeats", needed=False, references="surveys.survey_id")
    linkage: str = word(words.LINKAGES, needed=False)
    note: str = prose("what a reader must know about it", needed=False)


class SurveyServicesTable(StudyTable):
    """Who was invited and who answered in each service: one row per survey and service."""

    survey_id: str = identifier("the survey", references="surveys.survey_id")
    service: str = prose("the service, as the answers name it")
    invited_count: float = amount("persons of the service who were invited", measured_in="persons")
    answered_count: float = amount("those of them who answered", measured_in="persons")

    class Config:
        unique = ("survey_id", "service")


class SurveyResultsTable(StudyTable):
    """Published results of surveys; a finding without a number has only its text."""

    result_id: str = identifier("the result", unique=True)
    survey_id: str = identifier("the survey", references="surveys.survey_id")
    position: float = amount("order within the survey")
    item: str = prose("what was asked or what the finding is about")
    group: str = prose("the group it holds for; blank for all", needed=False)
    answer: str = prose("the answer counted, such as enig", needed=False)
    share_percent: float = amount("published share, per cent", most=100, fact="percent")
    count: float = amount("persons who gave the answer", fact="persons")
    base_count: float = amount("persons who answered the item", fact="persons")
    text: str = prose("the finding in words, where no number is given", needed=False)


class EventsTable(StudyTable):
    """What happened when: workshops, interviews, meetings, milestones."""

    event_id: str = identifier("the event", unique=True)
    municipality_code: str = code(
        "the municipality; blank for a region or all",
        needed=False,
        references="municipalities.municipality_code",
    )
    region_id: str = identifier(
        "the region, where it is one's", needed=False, references="regions.region_id"
    )
    kind: str = word(words.EVENT_KINDS)
    number: float = amount("its number in a series, such as learning workshop 2")
    title: str = prose("what it was", needed=False)
    start: str = when("its first day", fact="date")
    end: str = when("its last day; blank for one day", fact="date")
    mode: str = word(words.MODES, needed=False)
    attended_count: float = amount("persons who took part", fact="persons")
    note: str = prose("what a reader must know about it", needed=False)


class PhasesTable(StudyTable):
    """Implementation phases per municipality, with what shows them."""

    municipality_code: str = code("the municipality", references="municipalities.municipality_code")
    phase: str = word(words.PHASES)
    position: float = amount("order within the phase")
    text: str = prose("what shows the phase")
    measure_id: str = identifier("the measure", needed=False, references="measures.measure_id")


class AttainmentTable(StudyTable):
    """Judgements of how far a goal was reached, with the evidence they rest on."""

    attainment_id: str = identifier("the judgement", unique=True)
    municipality_code: str = code(
        "the municipality; blank for the programme",
        needed=False,
        references="municipalities.municipality_code",
    )
    goal_id: str = identifier("the goal", references="goals.goal_id")
    judgement: str = word(words.ATTAINMENT)
    graded_by: str = word(words.GRADED_BY, needed=False)
    evidence_grade: str = word(words.EVIDENCE_GRADES)
    reason: str = prose("why, in one or two sentences")
    evidence: str = prose("what the judgement rests on")
    too_early: str = prose("what it is too early to say", needed=False)


class GrantSchemesTable(StudyTable):
    """The grant schemes that the programme gathers."""

    scheme_id: str = identifier("the scheme", unique=True)
    name: str = prose("its official name")
    agency: str = prose("who runs it", needed=False)
    note: str = prose("what a reader must know about it", needed=False)


class GrantsTable(StudyTable):
    """Grants given and spent."""

    grant_id: str = identifier("the amount", unique=True)
    municipality_code: str = code(
        "the municipality; blank for the programme",
        needed=False,
        references="municipalities.municipality_code",
    )
    scheme_id: str = identifier(
        "the scheme; blank for all together", needed=False, references="grant_schemes.scheme_id"
    )
    kind: str = word(words.GRANT_KINDS)
    span: str = word(words.GRANT_SPANS)
    period: str = years("the year or years; blank if not said")
    amount_nok: float = amount("kroner, in the prices of the time", fact="nok")
    qualifier: str = word(words.QUALIFIERS, needed=False)
    note: str = prose("what it went to", needed=False)


class ParticipantsTable(StudyTable):
    """Who took part in the measures, and how many."""

    participants_id: str = identifier("the count", unique=True)
    municipality_code: str = code("the municipality", references="municipalities.municipality_code")
    measure_id: str = identifier("the measure", needed=False, references="measures.measure_id")
    group: str = prose("who was counted")
    period: str = when("the time it holds for")
    count: float = amount("how many", fact="unit")
    unit: str = word(words.UNITS)
    qualifier: str = word(words.QUALIFIERS, needed=False)
    note: str = prose("what a reader must know about it", needed=False)


class RecommendationsTable(StudyTable):
    """Recommendations, numbered where the source numbers them."""

    recommendation_id: str = identifier("the recommendation", unique=True)
    municipality_code: str = code(
        "the municipality; blank for the programme",
        needed=False,
        references="municipalities.municipality_code",
    )
    number: float = amount("its number")
    title: str = prose("what it is about")
    text: str = prose("what is recommended, in our own words")
    addressed_to: str = prose("whom it is for", needed=False)
    by: str = prose("who recommends", needed=False)


class RolesTable(StudyTable):
    """Who was to do what in the programme."""

    role_id: str = identifier("the role", unique=True)
    level: str = word({"national": "nasjonalt", "regional": "regionalt", "local": "lokalt"})
    actor: str = prose("who has the role")
    responsibility: str = prose("what they were responsible for")
    version: str = prose("the plan it stands in; blank for the study's own", needed=False)


class SelectionCriteriaTable(StudyTable):
    """How the municipalities were chosen."""

    criterion_id: str = identifier("the criterion", unique=True)
    position: float = amount("its place in the list")
    text: str = prose("the criterion, in our own words")
    version: str = prose("the plan it stands in; blank for the study's own", needed=False)


class OrganisationTable(StudyTable):
    """How services and the project were organised, anchored and staffed."""

    organisation_id: str = identifier("the row", unique=True)
    municipality_code: str = code("the municipality", references="municipalities.municipality_code")
    kind: str = word(words.ORGANISATION_KINDS)
    position: float = amount("order within the kind")
    name: str = prose("the area, group or position")
    text: str = prose("what it holds or does", needed=False)
    members_count: float = amount("members", fact="persons")
    position_percent: float = amount("size of the position, per cent of full time", fact="percent")
    start: str = when("the day or time from which", fact="date")
    end: str = when("the day or time until which", fact="date")


class ProjectsTable(StudyTable):
    """The municipality's other projects, plans and methods."""

    project_id: str = identifier("the project", unique=True)
    municipality_code: str = code("the municipality", references="municipalities.municipality_code")
    kind: str = word(words.PROJECT_KINDS)
    name: str = prose("its name")
    start: str = when("the day or time from which", fact="date")
    end: str = when("the day or time until which", fact="date")
    text: str = prose("what it is and what it means here", needed=False)


class LessonsTable(StudyTable):
    """The learning history: what was experienced, coded by topic, never raw text."""

    lesson_id: str = identifier("the lesson", unique=True)
    municipality_code: str = code(
        "the municipality; blank for all",
        needed=False,
        references="municipalities.municipality_code",
    )
    topic: str = word(words.LESSON_TOPICS)
    told_by: str = word(words.TOLD_BY)
    goal_id: str = identifier("the goal it bears on", needed=False, references="goals.goal_id")
    measure_id: str = identifier(
        "the measure it bears on", needed=False, references="measures.measure_id"
    )
    text: str = prose("one statement, in our own words")


class QuotationsTable(StudyTable):
    """Short published statements, quoted where the wording is the finding."""

    quotation_id: str = identifier("the quotation", unique=True)
    municipality_code: str = code(
        "the municipality; blank for the programme",
        needed=False,
        references="municipalities.municipality_code",
    )
    speaker: str = prose("the speaker's role, never a name")
    quotation: str = prose("the words as they are printed, without quotation marks", fact="text")


class OriginalTablesTable(StudyTable):
    """The tables of the report the study is read from, and what answers to each in ours."""

    number: float = pa.Field(unique=True, ge=1, description="the table's number where it stands")
    title: str = prose("its title, short")
    listed_number: str = prose(
        "its number in the original's own list, where that differs", needed=False
    )
    label: str = prose(
        "label of our table, such as tbl-goals; blank while there is none", needed=False
    )
    row_count: float = amount("rows it has below its heading, as printed", least=1)
    cell_count: float = amount(
        "cells of these rows that hold something, each once, also over several pages", least=1
    )


class OriginalRowsTable(StudyTable):
    """Events and measures that stand in a table of the original report, where not all do."""

    number: float = pa.Field(
        description="number of the original's table",
        metadata={"references": "original_tables.number"},
    )
    row_id: str = identifier("the event or measure that stands in it")


class PlanPhasesTable(StudyTable):
    """Phases of a plan."""

    phase_id: str = identifier("the phase", unique=True)
    municipality_code: str = code(
        "the municipality; blank for the programme",
        needed=False,
        references="municipalities.municipality_code",
    )
    position: float = amount("its place in the plan")
    name: str = prose("its name")
    start: str = when("the day or time from which", fact="date")
    end: str = when("the day or time until which", fact="date")
    text: str = prose("what is to be done in it", needed=False)


class MilestonesTable(StudyTable):
    """What a plan is to have done by when: milestones, activities with deadlines."""

    milestone_id: str = identifier("the milestone", unique=True)
    phase_id: str = identifier("its phase", needed=False, references="plan_phases.phase_id")
    position: float = amount("its place in the plan")
    title: str = prose("what is to be done, short")
    is_decision: str = yes_no("yes for a decision point (political or of the steering group)")
    responsible: str = prose("who is responsible", needed=False)
    due: str = when("deadline", fact="date")
    done: str = when("when it was done", fact="date")
    status: str = word(words.MILESTONE_STATUS, needed=False)
    version: str = prose("the plan it stands in; blank for the study's own", needed=False)
    note: str = prose("what a reader must know about it", needed=False)


class BudgetLinesTable(StudyTable):
    """Budget, one row per line and year; printed totals are rows too and are checked."""

    budget_id: str = identifier("the amount", unique=True)
    position: float = amount("its place in the budget")
    line: str = prose("the line's name")
    kind: str = word(words.BUDGET_KINDS)
    year: str = years("the year or years")
    amount_nok: float = amount("kroner, in the prices of the time", least=None, fact="nok")
    is_total: str = yes_no("yes for a printed sum of the other lines of its kind and year")
    note: str = prose("what a reader must know about it", needed=False)


class RisksTable(StudyTable):
    """Risk register."""

    risk_id: str = identifier("the risk", unique=True)
    position: float = amount("its place in the register")
    text: str = prose("what may happen, in our own words")
    stated_in: str = word(words.RISK_PLACES, needed=False)
    probability: float = amount("as graded by the plan", least=1, most=5, fact="score")
    consequence: float = amount("as graded by the plan", least=1, most=5, fact="score")
    factor: float = amount("the risk factor as printed; it is computed anew", fact="score")
    mitigation: str = prose("what is to be done about it", needed=False)
    responsible: str = prose("who is responsible", needed=False)


class StakeholdersTable(StudyTable):
    """Stakeholders, with interest and influence as the plan grades them."""

    stakeholder_id: str = identifier("the stakeholder", unique=True)
    name: str = prose("who it is")
    interest: str = word({"low": "liten", "medium": "middels", "high": "stor"}, needed=False)
    influence: str = word({"low": "liten", "medium": "middels", "high": "stor"}, needed=False)
    group: str = prose("the plan's name for the group it is placed in", needed=False)
    strategy: str = prose("how they are to be met", needed=False)
    note: str = prose("what is said of their interests", needed=False)


class SuccessCriteriaTable(StudyTable):
    """Success criteria with what may hinder them and what is done about it."""

    success_id: str = identifier("the criterion", unique=True)
    position: float = amount("its place in the plan")
    text: str = prose("the criterion, in our own words")
    hindrance: str = prose("what may hinder it", needed=False)
    action: str = prose("what is to be done about it", needed=False)


class EvaluationPlanTable(StudyTable):
    """When and how the programme is to be evaluated."""

    step_id: str = identifier("the step", unique=True)
    step: str = word(words.EVALUATION_STEPS)
    due: str = when("when it is to be done", fact="date")
    text: str = prose("what is to be done, by whom, from which data")


class AnswersTable(StudyTable):
    """Survey microdata: one row per respondent and item."""

    survey_id: str = identifier("the survey", references="surveys.survey_id")
    municipality_code: str = code("the municipality", references="municipalities.municipality_code")
    respondent_id: str = identifier("the respondent, the same in every wave if linked")
    service: str = prose("the service the respondent works in or uses", needed=False)
    item: str = identifier("the item", references="items.item")
    score: float = pa.Field(
        nullable=True,
        isin=[1, 2, 3, 4, 5],
        description="1 (not at all) to 5 (fully), or blank",
        metadata={"measured_in": "score"},
    )

    class Config:
        unique = ("survey_id", "municipality_code", "respondent_id", "item")


class ItemsTable(StudyTable):
    """The item bank: every question a study may ask."""

    item: str = identifier("the item", unique=True)
    position: float = amount("its place in the questionnaire")
    topic: str = prose("what it is about")
    text: str = prose("the question in its standard wording")
    scale: str = prose("the answer scale")


class CrosswalkTable(StudyTable):
    """What was asked in which survey, beside the item bank."""

    survey_id: str = identifier("the survey", references="surveys.survey_id")
    item: str = identifier("the item", references="items.item")
    status: str = word(words.CROSSWALK_STATUS)
    variant: str = prose("the wording or scale used, where it is not the bank's", needed=False)

    class Config:
        unique = ("survey_id", "item")


class CodingsTable(StudyTable):
    """Coded qualitative material: one row per unit, code and coder."""

    document: str = identifier("the document")
    unit: str = identifier("the unit of text within it")
    municipality_code: str = code(
        "the municipality", needed=False, references="municipalities.municipality_code"
    )
    code_id: str = identifier("the code given")
    coder: str = identifier("who coded")
    excerpt: str = prose("the coded words, if they may be kept", needed=False)
    anonymity: str = word(words.ANONYMITY)

    class Config:
        unique = ("document", "unit", "code_id", "coder")


class RivalExplanationsTable(StudyTable):
    """What else than the measure could explain the change of a goal."""

    rival_id: str = identifier("the explanation", unique=True)
    municipality_code: str = code("the municipality", references="municipalities.municipality_code")
    goal_id: str = identifier("the goal", references="goals.goal_id")
    rival: str = prose("the explanation, in Norwegian")
    status: str = word(words.RIVAL_STATUS)
    grounds: str = prose("what the status rests on, in Norwegian")


class ContributionClaimsTable(StudyTable):
    """Claims that the measure contributed to a goal, with how it is thought to work."""

    claim_id: str = identifier("the claim", unique=True)
    municipality_code: str = code("the municipality", references="municipalities.municipality_code")
    goal_id: str = identifier("the goal", references="goals.goal_id")
    measure_id: str = identifier("the measure", needed=False, references="measures.measure_id")
    claim: str = prose("the claim, in Norwegian")
    mechanism_status: str = word(words.MECHANISM_STATUS)


class ValidationsTable(StudyTable):
    """Comments and changes in the drafts that municipalities validated, and what came of them."""

    validation_id: str = identifier("the comment or change", unique=True)
    municipality_code: str = code(
        "the municipality that validated", references="municipalities.municipality_code"
    )
    round: float = pa.Field(ge=1, description="the municipality's round of validation, from 1")
    received: str = when("the day the file came back")
    kind: str = word(words.FEEDBACK_KINDS)
    section: str = prose("heading of the section it stands in", needed=False)
    row: str = prose("table and row, where it stands in a table", needed=False)
    passage: str = prose("the paragraph or cell as it was sent", needed=False)
    before: str = prose("the words commented on or taken out", needed=False)
    text: str = prose("the comment, or the words put in; blank where words go out", needed=False)
    author: str = identifier(
        "who made it: a number within the returned file, never a name", needed=False
    )
    made: str = when("the day it was made")
    belongs_to: str = identifier(
        "the comment that a reply answers, or the place that moved words were taken from",
        needed=False,
        references="validations.validation_id",
    )
    answer: str = prose("what was done with it; blank until then", needed=False)


CONTRACTS: dict[str, type[StudyTable]] = {
    "facts": FactsTable,
    "regions": RegionsTable,
    "municipalities": MunicipalitiesTable,
    "goals": GoalsTable,
    "measures": MeasuresTable,
    "measure_aspects": MeasureAspectsTable,
    "measure_themes": MeasureThemesTable,
    "logic_models": LogicModelsTable,
    "logic_model_cells": LogicModelCellsTable,
    "indicators": IndicatorsTable,
    "observations": ObservationsTable,
    "municipality_changes": MunicipalityChangesTable,
    "areas": AreasTable,
    "noise": NoiseTable,
    "targets": TargetsTable,
    "surveys": SurveysTable,
    "survey_services": SurveyServicesTable,
    "survey_results": SurveyResultsTable,
    "events": EventsTable,
    "phases": PhasesTable,
    "attainment": AttainmentTable,
    "grant_schemes": GrantSchemesTable,
    "grants": GrantsTable,
    "participants": ParticipantsTable,
    "recommendations": RecommendationsTable,
    "roles": RolesTable,
    "selection_criteria": SelectionCriteriaTable,
    "organisation": OrganisationTable,
    "projects": ProjectsTable,
    "lessons": LessonsTable,
    "quotations": QuotationsTable,
    "original_tables": OriginalTablesTable,
    "original_rows": OriginalRowsTable,
    "plan_phases": PlanPhasesTable,
    "milestones": MilestonesTable,
    "budget_lines": BudgetLinesTable,
    "risks": RisksTable,
    "stakeholders": StakeholdersTable,
    "success_criteria": SuccessCriteriaTable,
    "evaluation_plan": EvaluationPlanTable,
    "items": ItemsTable,
    "crosswalk": CrosswalkTable,
    "answers": AnswersTable,
    "codings": CodingsTable,
    "rival_explanations": RivalExplanationsTable,
    "contribution_claims": ContributionClaimsTable,
    "validations": ValidationsTable,
}


@cache
def columns_of(contract: type[StudyTable]) -> dict[str, pa.Column]:
    """Columns of a table in the order of its file: its own first, then source and locator."""
    columns = contract.to_schema().columns
    own = [name for name in columns if name not in ("source", "locator")]
    return {name: columns[name] for name in [*own, "source", "locator"]}


def examples_of(column: pa.Column) -> tuple[str | None, ...]:
    """Values that a column may have and that are alike in kind to all others; blank if it may be.

    Columns of free text, names, codes and numbers have no examples of their own.
    """
    words_allowed = [
        value
        for check in column.checks
        if check.name == "isin"
        for value in check.statistics["allowed_values"]
    ]
    given = tuple(words_allowed) or (column.metadata or {}).get("examples", ())
    return (*given, None) if column.nullable else given


def data_dictionary() -> pd.DataFrame:
    """Every column of every table with its description, unit and whether it may be blank."""
    rows = [
        (
            table,
            name,
            column.description,
            not column.nullable,
            (column.metadata or {}).get("references"),
        )
        for table, contract in CONTRACTS.items()
        for name, column in columns_of(contract).items()
    ]
    return pd.DataFrame(rows, columns=["table", "column", "description", "needed", "references"])


def numeric_columns(contract: type[StudyTable]) -> list[str]:
    """Columns that hold numbers."""
    return [n for n, c in columns_of(contract).items() if c.dtype and str(c.dtype) == "float64"]


def _wrong_measures(
    name: str,
    column: pa.Column,
    table: pd.DataFrame,
    indicator_units: Mapping[str, str],
    is_number: bool,
) -> dict[int, str]:
    """By position, what is wrong with cells that do not fit the unit of their column or row."""
    metadata = column.metadata or {}
    unit = metadata.get("measured_in") or metadata.get("fact") or "ordinal"
    units = pd.Series(unit, table.index)
    if unit == "indicator":
        units = table["indicator_id"].map(indicator_units)
    elif unit == "unit":
        units = table["unit"]
    if is_number:  # of a unit that has no numbers, any number will do
        units = units.where(units.isin(list(UNIT_RANGES)), "")
    else:  # a unit that is no word of the list is told for itself
        units = units.where(units.isin(list(words.UNITS)), "text")
    wrong: dict[int, str] = {}
    for unit, cells in table[name].groupby(units.to_numpy(), sort=False):
        if unit == "date":
            wrong |= {
                place: NOT_A_DATE for place, cell in cells.dropna().items() if not is_date(cell)
            }
        elif unit != "text":
            wanted = column.description if is_number else f"a number of {unit}"
            wrong |= number_breaches(cells, unit_of(unit), wanted=wanted)
    return wrong


def _rows(index: list[int]) -> str:
    """Rows as a spreadsheet numbers them, from the positions in the table."""
    numbers = sorted({position + 2 for position in index})
    shown = ", ".join(str(n) for n in numbers[:8])
    more = f" and {len(numbers) - 8} more" if len(numbers) > 8 else ""
    return ("row " if len(numbers) == 1 else "rows ") + shown + more


SHOWN = re.compile(rf"^(?:{IDENTIFIER}|-?[\d.,]+|{PARTIAL_DATE})$")


def shown_cell(value: object) -> str:
    """A code, date or number may be shown in a message; names and free text never are."""
    if pd.isna(value):
        return "blank"
    shown = str(value)
    return repr(shown) if len(shown) <= 40 and SHOWN.match(shown) else "a text"


def text_columns(contract: type[StudyTable]) -> list[str]:
    """Columns that hold any text."""
    numeric = numeric_columns(contract)
    return [n for n, c in columns_of(contract).items() if n not in numeric and not c.checks]


def unfit_texts(name: str, texts: pd.Series) -> list[str]:
    """One line for each kind of text in a column that no page can show.

    Parameters
    ----------
    name
        The column.
    texts
        Its texts by position: the row below the header is 0.
    """
    found = []
    unseen = texts[texts.str.contains(UNSEEN, regex=True).astype(bool)]
    if len(unseen):
        codes = ", ".join(unseen_in("".join(unseen)))
        found.append(
            f"{name}: characters that are not seen ({codes}) in {_rows(list(unseen.index))}; "
            "expected text without them: write the cell anew"
        )
    long = texts[texts.str.len() > LONGEST]
    if len(long):
        found.append(
            f"{name}: a text of {long.str.len().max():.0f} characters in {_rows(list(long.index))}; "
            f"expected at most {LONGEST}, as in a spreadsheet: keep documents beside the study"
        )
    return found


def breaches(
    table: pd.DataFrame,
    contract: type[StudyTable],
    *,
    indicator_units: Mapping[str, str] | None = None,
) -> list[str]:
    """What in a table read as text breaks its contract, one line per column and kind of breach.

    Parameters
    ----------
    table
        The rows of one file, every cell text or missing, in file order.
    contract
        The class that describes the table.
    indicator_units
        By indicator, the unit of its values; values of other indicators may be any number.

    Returns
    -------
    list of str
        Lines such as ``municipality_code: '301' in row 2; expected four digits, kept as text``;
        empty if the table is as it should be. Rows count the header as row 1.
    """
    columns = columns_of(contract)
    found = []
    unknown = [name for name in table.columns if name not in columns]
    absent = [name for name in columns if name not in table.columns]
    if unknown:
        found.append(f"unknown column {', '.join(unknown)}; expected {', '.join(columns)}")
    if absent:
        found.append(f"column {', '.join(absent)} is missing; expected {', '.join(columns)}")
    table = table.reset_index(drop=True)
    numeric, texts = numeric_columns(contract), text_columns(contract)
    for name, column in columns.items():
        if name not in table.columns:
            continue
        values = table[name]
        given = values.dropna()
        told: dict[int, str] = {}
        described = f"; expected {column.description}"
        if not column.nullable:
            told |= dict.fromkeys(values.index[values.isna()], described)
        measured = name in numeric or "measured_in" in (column.metadata or {})
        if measured and not {"unit", "indicator_id"} & set(absent):
            told |= _wrong_measures(name, column, table, indicator_units or {}, name in numeric)
        if name in numeric:
            given = pd.to_numeric(given, errors="coerce").astype(float)
            given = given.loc[~given.index.isin(told)].dropna()
        for check in column.checks:
            passed = check(given).check_output if len(given) else pd.Series(dtype=bool)
            told |= dict.fromkeys(passed.index[~passed.astype(bool)], described)
        if (column.metadata or {}).get("date"):
            told |= {i: described for i, v in given.items() if i not in told and not is_date(v)}
        if name in texts and len(given):
            found += unfit_texts(name, given)
        by_value: dict[tuple[str, str], list[int]] = {}
        for position, expected in told.items():
            by_value.setdefault((shown_cell(values[position]), expected), []).append(position)
        for (value, expected), positions in by_value.items():
            found.append(f"{name}: {value} in {_rows(positions)}{expected}")
        if column.unique:
            repeated = values[values.duplicated(keep=False) & values.notna()]
            for value, group in repeated.groupby(repeated):
                found.append(
                    f"{name}: {shown_cell(value)} in {_rows(list(group.index))}; expected once"
                )
    return found + _told_twice(table, contract.to_schema().unique)


def _told_twice(table: pd.DataFrame, identity: Sequence[str] | None) -> list[str]:
    """Rows with all the cells by which a table tells its rows apart, each of them given, again."""
    if not identity or not set(identity) <= set(table.columns):
        return []
    keys = table[list(identity)].reset_index(drop=True)
    repeated = keys.loc[keys.duplicated(keep=False)].dropna()
    said = " and ".join([", ".join(identity[:-1]), identity[-1]])
    groups = list(repeated.groupby(list(identity), sort=False).groups.values())
    found = [
        f"{_rows(list(rows))}: same {said} more than once; expected one row" for rows in groups
    ]
    more = len(found) - GROUPS_SHOWN
    return found if more <= 0 else [*found[:GROUPS_SHOWN], f"and {more} more such groups of rows"]


def is_date(value: str) -> bool:
    """Whether a full or partial ISO date exists in the calendar, in a year from 1800 to 2100."""
    if not re.fullmatch(PARTIAL_DATE, str(value), re.ASCII) or int(value[:4]) not in YEARS:
        return False
    parts = str(value).split("-")
    if len(parts) == 1 or not parts[1].isdigit():
        return True
    try:
        pd.Period(value, freq="D" if len(parts) == 3 else "M")
    except ValueError:
        return False
    return True


def typed(table: pd.DataFrame, contract: type[StudyTable]) -> pd.DataFrame:
    """The rows with numbers as numbers, in the contract's column order."""
    columns = columns_of(contract)
    numeric = numeric_columns(contract)
    shaped = table.reindex(columns=list(columns)).reset_index(drop=True)
    return shaped.assign(
        **{
            name: pd.to_numeric(shaped[name]).astype(float)
            if name in numeric
            else shaped[name].astype("str")
            for name in columns
        }
    )


def validated(table: pd.DataFrame, contract: type[StudyTable]) -> pd.DataFrame:
    """The table with its types, if it keeps its contract.

    Raises
    ------
    DataError
        With every breach, one per line.
    """
    found = breaches(table, contract)
    if found:
        raise DataError(f"does not match {contract.__name__}:\n  " + "\n  ".join(found))
    return contract.validate(typed(table, contract), lazy=True)
