"""The run that scores: bind exactly the agreed columns, score in the sandbox, release in trusted code, close.

    bind     every agreement still permits the run; the result's ids are fixed, so that a step done twice writes once
    compute  inputs to the sandbox, scores back, groups and thresholds outside it, product files to the lake
    close    the agreements are asked once more; the runs room enters the result and the receipt in one transaction
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from shudu.agreements import queries as agreements
from shudu.agreements.types import ProposedUse
from shudu.catalog import queries as catalog
from shudu.catalog.types import Offered, Result
from shudu.lake import queries as lake
from shudu.lake.types import Column, Place, StoredFile
from shudu.policy import ids
from shudu.policy.rules import refuse_unless
from shudu.runs.types import Outcome, RunKind, Step, Work

from . import release
from .bubblewrap import sandbox
from .sandbox import JobSpec, Limits, OutputSpec, read_scores
from .scorecard import check_columns, parse
