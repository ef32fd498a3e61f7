"""What other rooms declare here: their procedures, as values."""

from .clocks import on_due as on_due
from .procedures import Procedure as Procedure
from .procedures import Transition as Transition
from .procedures import register as register
