"""What is wrong with a run folder that is read back."""

from __future__ import annotations

from dentasam.errors import DentasamError

EVALUATE_AGAIN = "run `dentasam evaluate` again"


class RunError(DentasamError):
    """A run folder is missing, damaged, or was measured on other objects than the one it is compared with."""


class NotMeasuredError(RunError):
    """A run folder holds only the other kind of run: charts and no click curve, or a click curve and no charts."""
