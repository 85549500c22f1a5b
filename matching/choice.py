"""A choice is a plan in the making: columns, and who pays the odd cents of a tie where that had to be decided."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Choice:
    """Chosen columns; of their open member rows, those that pay a cent more, and those that must not."""

    columns: tuple[int, ...] = ()
    paying_more: frozenset[int] = frozenset()
    spared: frozenset[int] = frozenset()
