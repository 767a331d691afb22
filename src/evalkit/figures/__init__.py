"""Analysis tables as report figures, in Norwegian; nothing is computed here."""

from evalkit.figures.bars import grants_figure
from evalkit.figures.chains import logic_model_figure
from evalkit.figures.plans import gantt_figure, risk_matrix_figure, stakeholder_figure
from evalkit.figures.points import indicators_figure, response_rates_figure
from evalkit.figures.statistics import (
    event_study_figure,
    forest_figure,
    funnel_figure,
    item_changes_figure,
    likert_figure,
    service_likert_figure,
    synthetic_control_figure,
    target_path_figure,
)
from evalkit.figures.times import timeline_figure, workshops_figure

__all__ = [
    "event_study_figure",
    "forest_figure",
    "funnel_figure",
    "gantt_figure",
    "grants_figure",
    "indicators_figure",
    "item_changes_figure",
    "likert_figure",
    "logic_model_figure",
    "response_rates_figure",
    "risk_matrix_figure",
    "service_likert_figure",
    "stakeholder_figure",
    "synthetic_control_figure",
    "target_path_figure",
    "timeline_figure",
    "workshops_figure",
]
