"""How bad a finding, a rule or an incident is. Ordered, so that the worst sorts last and `max` works."""

from __future__ import annotations

from enum import IntEnum


class Severity(IntEnum):
    """The five levels of CVSS 3.1 and 4.0 ("Qualitative Severity Rating Scale") and one for "nobody said"."""

    NONE = 0
    UNKNOWN = 1
    LOW = 2
    MEDIUM = 3
    HIGH = 4
    CRITICAL = 5

    @classmethod
    def parse(cls, text: str) -> Severity:
        """Read a level by any of the names in use (`moderate`, `important`, `negligible`); UNKNOWN for the rest."""
        return _NAMES.get(text.strip().lower(), cls.UNKNOWN)

    @classmethod
    def of_score(cls, score: float) -> Severity:
        """The level of a CVSS base score between 0.0 and 10.0."""
        for level, least in ((cls.CRITICAL, 9.0), (cls.HIGH, 7.0), (cls.MEDIUM, 4.0), (cls.LOW, 0.1)):
            if score >= least:
                return level
        return cls.NONE

    @property
    def label(self) -> str:
        """The lower-case name that people and files use."""
        return self.name.lower()


_NAMES = {
    "none": Severity.NONE,
    "negligible": Severity.LOW,
    "unimportant": Severity.LOW,
    "low": Severity.LOW,
    "info": Severity.LOW,
    "medium": Severity.MEDIUM,
    "moderate": Severity.MEDIUM,
    "high": Severity.HIGH,
    "important": Severity.HIGH,
    "critical": Severity.CRITICAL,
}
