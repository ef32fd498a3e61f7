"""What other rooms see of quality: the rules an owner declares, and a table's counts with its score."""

from .anonymity import OPEN_K
from .quality import DIMENSIONS, INDICATORS, Count, Dimension, Indicator, Measured, Score, percent, why_not
from .quality_rules import Rules

__all__ = [
    "DIMENSIONS",
    "INDICATORS",
    "OPEN_K",
    "Count",
    "Dimension",
    "Indicator",
    "Measured",
    "Rules",
    "Score",
    "percent",
    "why_not",
]
