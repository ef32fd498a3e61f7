"""What doors may ask the clean room."""

from __future__ import annotations

from .diagnosis import Diagnosis, Part, diagnose

__all__ = ["Diagnosis", "Part", "diagnose"]
