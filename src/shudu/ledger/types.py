"""What upper rooms name of the ledger. `receipt.verify` and `receipt.encode` need neither Django nor a home."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import receipt as receipt
from .receipt import Verdict as Verdict

if TYPE_CHECKING:
    # Rows stand behind it, and a receipt is verified without any.
    from .integrity import Finding as Finding
