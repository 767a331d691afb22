"""Analysis tables as report figures, in Norwegian; nothing is computed here."""

from evalkit.figures.bars import grants_figure
from evalkit.figures.chains import logic_model_figure
from evalkit.figures.points import indicators_figure, response_rates_figure
from evalkit.figures.times import timeline_figure, workshops_figure

__all__ = [
    "grants_figure",
    "indicators_figure",
    "logic_model_figure",
    "response_rates_figure",
    "timeline_figure",
    "workshops_figure",
]
