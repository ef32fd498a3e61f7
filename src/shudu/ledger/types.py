"""What upper rooms name of the ledger. None of it needs Django or a home but `Finding`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import note as note
from . import receipt as receipt
from . import signer as signer
from .note import Note as Note
from .note import Signer as Signer
from .note import VerifierKey as VerifierKey
from .receipt import Verdict as Verdict
from .signer import verifier_keys as verifier_keys

if TYPE_CHECKING:
    # Rows stand behind it, and a receipt is verified without any.
    from .integrity import Finding as Finding
