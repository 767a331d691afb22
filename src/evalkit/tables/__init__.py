"""Analysis tables as report tables, in Norwegian; nothing is computed here."""

from evalkit.tables.across import (
    all_attainment_table,
    all_coverage_table,
    all_grants_table,
    measures_by_municipality_table,
    phases_table,
    survey_comparison_table,
    themes_table,
    topics_table,
)
from evalkit.tables.context import (
    events_table,
    facts_table,
    grants_table,
    organisation_table,
    projects_table,
    services_table,
)
from evalkit.tables.measures import (
    findings_table,
    logic_model_table,
    measures_table,
    participants_table,
    recommendations_table,
)
from evalkit.tables.programme import (
    calendar_table,
    criteria_table,
    gatherings_table,
    goals_table,
    meetings_table,
    municipalities_table,
    resource_groups_table,
    result_goals_table,
    roles_table,
    schemes_table,
)
from evalkit.tables.results import attainment_table, coverage_table, indicators_table
from evalkit.tables.sources import (
    claims_table,
    conflicts_table,
    original_tables_table,
    source_sections,
)
from evalkit.tables.surveys import (
    comparability_table,
    survey_results_table,
    surveys_table,
)

__all__ = [
    "all_attainment_table",
    "all_coverage_table",
    "all_grants_table",
    "attainment_table",
    "calendar_table",
    "claims_table",
    "comparability_table",
    "conflicts_table",
    "coverage_table",
    "criteria_table",
    "events_table",
    "facts_table",
    "findings_table",
    "gatherings_table",
    "goals_table",
    "grants_table",
    "indicators_table",
    "logic_model_table",
    "measures_by_municipality_table",
    "measures_table",
    "meetings_table",
    "municipalities_table",
    "organisation_table",
    "original_tables_table",
    "participants_table",
    "phases_table",
    "projects_table",
    "recommendations_table",
    "resource_groups_table",
    "result_goals_table",
    "roles_table",
    "schemes_table",
    "services_table",
    "source_sections",
    "survey_comparison_table",
    "survey_results_table",
    "surveys_table",
    "themes_table",
    "topics_table",
]
