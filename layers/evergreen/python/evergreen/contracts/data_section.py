"""The `data` section of the project file: what is declared of a dataset and checked in uploads."""

from __future__ import annotations

from datetime import date, datetime
from difflib import get_close_matches
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

from evergreen.contracts.duration import Duration
from evergreen.contracts.section import STRICT, WITHIN, ColumnName

ColumnType = Literal["number", "integer", "boolean", "text", "date", "timestamp"]
Severity = Literal["refuse", "quarantine", "warn"]
"""What a broken rule does: refuse the file, put the row into quarantine, or only be said."""

Anomaly = Literal[
    "new_column",
    "missing_column",
    "type_change",
    "null_rate",
    "out_of_range",
    "new_category",
    "duplicate_key",
    "ragged_row",
    "duplicate_column",
]

SEVERITIES: dict[Anomaly, Severity] = {
    **dict.fromkeys(get_args(Anomaly), "warn"),
    "ragged_row": "quarantine",
    "duplicate_column": "refuse",
}
"""What each anomaly does where the project does not say."""

ROW_ANOMALIES = {"out_of_range", "new_category", "duplicate_key", "ragged_row"}
"""Those of single rows, which can be put into quarantine."""

MISSING = (
    *("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "?"),
    *(r"\N", "#N/A", "<NA>", "NaT"),
)
"""Texts that say that a value is missing where the project does not say which do.

The last ones are written by databases, spreadsheets and pandas, and mean nothing else.
`None` is not one of them: it is a category in real data (no basement, no alley).
"""

MOST_BAD_ROWS = 0.2
"""A file with a larger share of bad rows is refused whole."""


def _plain(value: Any) -> Any:
    """YAML reads dates; they are kept as their ISO text."""
    return value.isoformat() if isinstance(value, date | datetime) else value


def _as_text(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return str(_plain(value)) if isinstance(value, int | float | date) else value


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Bound = Annotated[int | float | str | None, BeforeValidator(_plain)]
Range = Annotated[list[Bound], Field(min_length=2, max_length=2)]
"""`[least, greatest]`, both included; `null` leaves an end open; dates are ISO texts."""
Value = Annotated[str, BeforeValidator(_as_text)]
"""A value as its text: 3 is "3", true is "true"."""
Columns = Annotated[list[ColumnName], Field(min_length=1), BeforeValidator(_listed)]


class Section(BaseModel):
    """A part of the project file; unknown keys are mistakes and are refused."""

    model_config = STRICT


class DeclaredColumn(Section):
    """What one column is expected to be; what is left out is taken from the data.

    `missing` replaces the dataset's. `format` is how dates and times are written
    (`%d.%m.%Y`). `range`, `categories` and `most_missing` (a share of the rows) take the place
    of what was observed. `pii` tags personal data (`email`, `name`, …).
    """

    type: ColumnType | None = None
    format: str | None = None
    missing: list[Value] | None = None
    range: Range | None = None
    categories: Annotated[list[Value], Field(min_length=1)] | None = None
    most_missing: Annotated[float, Field(ge=0, le=1)] | None = None
    pii: Annotated[str, Field(min_length=1, max_length=60)] | None = None

    @model_validator(mode="after")
    def _moments_have_formats(self) -> DeclaredColumn:
        if self.format is not None and self.type not in ("date", "timestamp"):
            raise ValueError("a format belongs to a type: date or timestamp")
        return self


KINDS = ("not_null", "unique", "range", "among", "matches", "length", "row", "rows", "freshness")
OF_A_COLUMN = ("range", "among", "matches", "length", "freshness")
OF_THE_FILE = ("rows", "freshness")


class Constraint(Section):
    """One rule: exactly one of its kinds, with the column it is about and its severity.

    `row` is an SQL expression that holds for each row (or is NULL); `rows` the least and the
    greatest number of rows of a file; `freshness` how old the newest time of `column` may be when
    the file is uploaded. Missing values break only `not_null`.
    """

    model_config = ConfigDict(**STRICT, populate_by_name=True)

    name: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    severity: Severity | None = None
    column: ColumnName | None = None
    not_null: Columns | None = None
    unique: Columns | None = None
    range: Range | None = None
    among: Annotated[list[Value], Field(min_length=1)] | None = Field(default=None, alias="in")
    matches: str | None = None
    length: Annotated[list[int | None], Field(min_length=2, max_length=2)] | None = None
    row: Annotated[str, Field(min_length=1)] | None = None
    rows: Annotated[list[int | None], Field(min_length=2, max_length=2)] | None = None
    freshness: Duration | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Constraint:
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            named = ", ".join("in" if kind == "among" else kind for kind in KINDS)
            raise ValueError(f"a constraint is exactly one of: {named}")
        if (given[0] in OF_A_COLUMN) != (self.column is not None):
            needs = "needs a" if given[0] in OF_A_COLUMN else "has no"
            raise ValueError(f"'{self.spelled}' {needs} column")
        if self.kind in OF_THE_FILE and self.severity == "quarantine":
            raise ValueError(f"'{self.spelled}' is about the whole file: refuse it or warn")
        return self

    @property
    def kind(self) -> str:
        """The key that says what is required."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def spelled(self) -> str:
        """The kind as the project file writes it."""
        return "in" if self.kind == "among" else self.kind

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it names."""
        return tuple(self.not_null or self.unique or ([self.column] if self.column else []))

    @property
    def label(self) -> str:
        """Its name: the given one, or one made of its kind and what it is about."""
        about = self.row or ", ".join(self.columns)
        return self.name or (f"{self.spelled}:{about}" if about else self.spelled)

    @property
    def effect(self) -> Severity:
        """Its severity; where none is given, files are refused and rows put into quarantine."""
        return self.severity or ("refuse" if self.kind in OF_THE_FILE else "quarantine")


Said = StringConstraints(strip_whitespace=True, min_length=1)
"""Blanks say nothing."""


class Waiver(Section):
    """A rule does not hold until the end of a day: who decided so, and why.

    `constraint` is the label of a constraint, or an anomaly (`new_category`, or of one column
    `new_category:city`).
    """

    constraint: Annotated[str, Field(min_length=1, max_length=260)]
    author: Annotated[str, Said, Field(max_length=200)]
    reason: Annotated[str, Said, Field(max_length=1000)]
    until: date


class DatasetDeclaration(Section):
    """What is declared of one dataset."""

    owner: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    missing: list[Value] | None = None
    key: Columns | None = None
    most_bad_rows: Annotated[float, Field(ge=0, le=1)] = MOST_BAD_ROWS
    columns: dict[ColumnName, DeclaredColumn] = {}
    anomalies: dict[Anomaly, Severity] = {}
    constraints: list[Constraint] = []
    waivers: list[Waiver] = []

    @model_validator(mode="after")
    def _consistent(self) -> DatasetDeclaration:
        for anomaly, severity in self.anomalies.items():
            if severity == "quarantine" and anomaly not in ROW_ANOMALIES:
                raise ValueError(f"'{anomaly}' is about the whole file: refuse it or warn")
            if anomaly in ("ragged_row", "duplicate_column") and severity == "warn":
                raise ValueError(f"'{anomaly}' cannot be taken: nobody knows what it means")
        if self.anomalies.get("duplicate_column", "refuse") != "refuse":
            raise ValueError("'duplicate_column' refuses the file: nobody knows which is meant")
        folded = [name.casefold() for name in self.columns]
        if len(set(folded)) < len(folded):
            raise ValueError("two columns have the same name; upper and lower case are the same")
        labels = [constraint.label for constraint in self.constraints]
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ValueError(f"two constraints are called '{twice[0]}'; give each a name")
        for place, waiver in enumerate(self.waivers):
            kind, of, column = waiver.constraint.partition(":")
            if waiver.constraint in labels or (kind in SEVERITIES and bool(of) == bool(column)):
                continue
            known = [*labels, *SEVERITIES]
            near = get_close_matches(waiver.constraint, known, n=1)
            meant = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(known)}"
            raise PydanticCustomError(
                "unknown_constraint",
                "no constraint or anomaly is called '{called}'; {meant}",
                {
                    "called": waiver.constraint,
                    "meant": meant,
                    WITHIN: ("waivers", place, "constraint"),
                },
            )
        return self

    def column(self, name: str) -> DeclaredColumn | None:
        """What is declared of a column, upper and lower case being the same."""
        wanted = name.casefold()
        found = (each for key, each in self.columns.items() if key.casefold() == wanted)
        return next(found, None)

    def markers(self, name: str) -> tuple[str, ...]:
        """The texts that say that a value of a column is missing."""
        column = self.column(name)
        own = column.missing if column else None
        declared = own if own is not None else self.missing
        return MISSING if declared is None else tuple(declared)

    def severity(self, anomaly: str) -> Severity:
        """What an anomaly does."""
        return {**SEVERITIES, **self.anomalies}[anomaly]  # type: ignore[index]

    @property
    def keys(self) -> tuple[tuple[str, ...], ...]:
        """The columns of each key that is declared."""
        unique = (tuple(each.unique) for each in self.constraints if each.unique)
        return (*([tuple(self.key)] if self.key else []), *unique)

    @property
    def keyed(self) -> tuple[str, ...]:
        """The columns of which keys are declared."""
        return tuple(dict.fromkeys(name for key in self.keys for name in key))

    @property
    def pii(self) -> dict[str, str]:
        """Columns with personal data → what it is."""
        return {name: column.pii for name, column in self.columns.items() if column.pii}


NOTHING_DECLARED = DatasetDeclaration()
