"""Rules that do not hold for a while, by somebody's decision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

from evergreen.contracts.data_section import DatasetDeclaration, Waiver


@dataclass(frozen=True)
class Waivers:
    """The waivers of a dataset on one day (UTC); a waiver holds until the end of its last day."""

    declared: tuple[Waiver, ...]
    today: date

    @staticmethod
    def at(declaration: DatasetDeclaration, now: datetime) -> Waivers:
        """Those that are declared, seen at one moment."""
        return Waivers(tuple(declaration.waivers), now.astimezone(UTC).date())

    def suspend(self, label: str, code: str, column: str | None) -> Waiver | None:
        """The waiver in force for a rule of that label, or for an anomaly of that code."""
        names = (label, code, f"{code}:{column}")
        return next((each for each in self.in_force if each.constraint in names), None)

    @property
    def in_force(self) -> tuple[Waiver, ...]:
        """Those that hold today."""
        return tuple(each for each in self.declared if self.today <= each.until)

    @property
    def over(self) -> tuple[Waiver, ...]:
        """Those that hold no more."""
        return tuple(each for each in self.declared if self.today > each.until)

    def ended(self) -> Iterator[str]:
        """What to say of those that hold no more."""
        for each in self.over:
            yield (
                f"the waiver of '{each.constraint}' by {each.author} ended on {each.until}: "
                "the rule holds again"
            )


def waived(waiver: Waiver) -> str:
    """What to say beside a rule that is broken and waived."""
    return f"waived by {waiver.author} until {waiver.until}: {waiver.reason}"
