"""Everything that is required of a part, asked of its typed rows; who waived what, and the rest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from evergreen.contracts.data_section import (
    NOTHING_DECLARED,
    Constraint,
    DatasetDeclaration,
    Severity,
)
from evergreen.data.anomalies import Anomaly, compare, new_columns, repeated_rows
from evergreen.data.engine import identifier, one_value, parquet
from evergreen.data.expressions import first_line
from evergreen.data.observations import Observed, ObservedColumn
from evergreen.data.part_keys import taken_keys
from evergreen.data.rules import Key, Rule, Rules, rules_for
from evergreen.data.sieve import tally
from evergreen.data.waivers import Waivers, waived


@dataclass(frozen=True)
class Expected:
    """What is declared of a dataset, when a file of it is judged, and when it was uploaded.

    Waivers hold or do not when it is judged; how fresh it is depends on when it came.
    """

    declaration: DatasetDeclaration
    now: datetime
    uploaded: datetime

    @property
    def identity(self) -> dict[str, Any]:
        """As JSON values, what of it decides how a file is judged: not who owns the dataset.

        When it came only where a rule is about time.
        """
        plain = self.declaration.model_dump(mode="json", exclude={"owner"})
        for column in plain["columns"].values():
            del column["pii"]
        held = Waivers.at(self.declaration, self.now).in_force
        timed = any(each.freshness for each in self.declaration.constraints)
        return {
            "declared": plain,
            "waived": [each.constraint for each in held],
            "at": self.uploaded.isoformat() if timed else None,
        }


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOTHING_EXPECTED = Expected(NOTHING_DECLARED, _EPOCH, _EPOCH)


@dataclass(frozen=True)
class Checked:
    """What was found in the typed rows of a file.

    `rules` and `keys` are those that can hold rows back, `holding` says whether any of them does;
    `refusing` are those that are broken and refuse the file.
    """

    anomalies: tuple[Anomaly, ...]
    rules: tuple[Rule, ...]
    keys: tuple[Key, ...]
    holding: bool
    refusing: tuple[Rule | Key, ...]

    @property
    def refusals(self) -> tuple[Anomaly, ...]:
        """Those that refuse the file."""
        return tuple(each for each in self.anomalies if each.severity == "refuse")


def check(
    connection: duckdb.DuckDBPyConnection,
    part: Path,
    seen: Observed,
    before: Observed | None,
    expected: Expected,
    others: str | None = None,
    *,
    whole: bool = True,
) -> Checked:
    """Judge the typed rows in `part`, seen as `seen`, by what is declared and was seen before.

    `others` is SQL for the keys of the dataset's other parts, which are taken. Rows that are
    no `whole` file are judged one by one, and by the columns that they have.
    """
    declaration = expected.declaration
    waivers = Waivers.at(declaration, expected.now)
    rules = rules_for(connection, declaration, seen, before)
    counted = _counted(connection, part, seen, rules, others)
    found: list[Anomaly] = [*rules.uncheckable]
    holding: list[Rule | Key] = []
    broken: list[Rule | Key] = []
    for rule, rows in counted:
        if isinstance(rows, str):
            said = f"'{rule.label}' cannot be checked: {rows}"
            severity: Severity = "warn" if rule.severity == "warn" else "refuse"
            found.append(Anomaly(rule.code, None, said, rows, "a rule", severity, rule.label))
            continue
        if rule.severity == "quarantine" and not waivers.suspend(
            rule.label, rule.code, rule.column
        ):
            holding.append(rule)
        if rows:
            broken.append(rule)
            found.append(_broken(rule, rows))
    if whole:
        found += _of_the_file(declaration, seen, expected.uploaded)
        found += _of_columns(declaration, seen)
    if before is not None:
        known = compare(connection, part, seen, before) if whole else new_columns(seen, before)
        judged = rules.judged | {(each.code, (each.column or "").casefold()) for each in found}
        found += [
            replace(each, severity=_of_a_file(declaration.severity(each.code)))
            for each in known
            if (each.code, (each.column or "").casefold()) not in judged
        ]
    anomalies = tuple(_with_waiver(each, waivers) for each in found)
    suspended = {each.rule for each in anomalies if each.waiver}
    return Checked(
        anomalies,
        tuple(each for each in holding if isinstance(each, Rule)),
        tuple(each for each in holding if isinstance(each, Key)),
        any(each in broken for each in holding),
        tuple(r for r in broken if r.severity == "refuse" and r.label not in suspended),
    )


def _of_a_file(severity: Severity) -> Severity:
    """Rows are put into quarantine by rules only, which know them one by one."""
    return "warn" if severity == "quarantine" else severity


def ragged(rows: int, width: int, expected: Expected) -> tuple[Anomaly, ...]:
    """Rows that do not have as many values as the header."""
    if not rows:
        return ()
    said = f"{rows:,} row(s) have fewer or more values than the header's {width}"
    found = Anomaly(
        "ragged_row",
        None,
        said,
        f"{rows} ragged rows",
        f"{width} values in each",
        expected.declaration.severity("ragged_row"),
    )
    return (_with_waiver(found, Waivers.at(expected.declaration, expected.now)),)


def _counted(
    connection: duckdb.DuckDBPyConnection,
    part: Path,
    seen: Observed,
    rules: Rules,
    others: str | None,
) -> Iterator[tuple[Rule | Key, int | str]]:
    """Each rule with the rows that break it, or why it cannot be asked."""
    source = parquet([part])
    try:
        yield from zip(rules.rows, tally(connection, source, rules.rows), strict=True)
    except duckdb.Error:
        # One of them fails on a value: each alone says which.
        for rule in rules.rows:
            try:
                yield rule, tally(connection, source, [rule])[0]
            except duckdb.Error as error:
                yield rule, first_line(error)
    for key in rules.keys:
        rows = repeated_rows(connection, part, key.columns, seen)
        if others:
            values = ", ".join(f"{identifier(c)} AS k{n}" for n, c in enumerate(key.columns))
            joined = ", ".join(f"k{n}" for n, _ in enumerate(key.columns))
            taken = taken_keys(others, key.columns)
            rows += one_value(
                connection,
                f"SELECT count(*) FROM (SELECT {values} FROM {source}) AS here "
                f"SEMI JOIN ({taken}) AS elsewhere USING ({joined})",
            )
        yield key, rows


def _broken(rule: Rule | Key, rows: int) -> Anomaly:
    if isinstance(rule, Key):
        named = ", ".join(rule.columns)
        said = f"{rows:,} row(s) repeat the key '{named}' of another row"
        column, wanted = rule.columns[0], "unique keys"
    else:
        where = f"column '{rule.column}': " if rule.column else ""
        said = f"{where}in {rows:,} row(s) the value {rule.said}"
        if rule.column is None:
            said = f"{rows:,} row(s): {rule.said}"
        column, wanted = rule.column or "", rule.label
    return Anomaly(
        rule.code, column or None, said, f"{rows} rows", wanted, rule.severity, rule.label
    )


def _of_the_file(
    declaration: DatasetDeclaration, seen: Observed, now: datetime
) -> Iterator[Anomaly]:
    for constraint in declaration.constraints:
        said = None
        if constraint.rows is not None:
            least, greatest = constraint.rows
            if seen.rows < (least or 0) or (greatest is not None and seen.rows > greatest):
                ends = (
                    f"at least {least or 0:,}"
                    if greatest is None
                    else f"{least or 0:,} to {greatest:,}"
                )
                said = f"the file has {seen.rows:,} good rows; expected are {ends}"
        elif constraint.freshness is not None:
            said = _stale(constraint, seen.column(constraint.column or ""), now)
        if said:
            yield Anomaly(
                constraint.spelled,
                constraint.column,
                said,
                said,
                constraint.label,
                constraint.effect,
                constraint.label,
            )


def _stale(constraint: Constraint, column: ObservedColumn | None, now: datetime) -> str | None:
    limit = constraint.freshness or timedelta(0)
    if column is None:
        return f"the file has no column '{constraint.column}', by which its age is told"
    if not isinstance(column.maximum, str):
        return f"column '{column.name}' has no time, by which the file's age is told"
    newest = datetime.fromisoformat(column.maximum).replace(tzinfo=UTC)
    if column.type == "date":
        newest += timedelta(days=1)  # a day is over at its end
    if now - newest <= limit:
        return None
    return (
        f"the newest '{column.name}' is {column.maximum}, more than {limit} before "
        f"{now.isoformat(timespec='seconds')}"
    )


def _of_columns(declaration: DatasetDeclaration, seen: Observed) -> Iterator[Anomaly]:
    for name, declared in declaration.columns.items():
        column = seen.column(name)
        if column is None:
            said = f"column '{name}' is declared and not in this file: its values are missing"
            severity = declaration.severity("missing_column")
            yield Anomaly(
                "missing_column", name, said, "no column", declared.type or "a column", severity
            )
        elif declared.most_missing is not None and seen.rows:
            share = column.nulls / seen.rows
            if share > declared.most_missing:
                said = (
                    f"column '{column.name}' is missing in {share:.1%} of the rows; declared are "
                    f"at most {declared.most_missing:.1%}"
                )
                severity = declaration.severity("null_rate")
                limit = f"{declared.most_missing:.1%}"
                yield Anomaly("null_rate", column.name, said, f"{share:.1%}", limit, severity)


def _with_waiver(found: Anomaly, waivers: Waivers) -> Anomaly:
    waiver = waivers.suspend(found.rule or found.code, found.code, found.column)
    if waiver is None or found.severity == "warn":
        return found
    lighter: Severity = "quarantine" if found.code == "ragged_row" else "warn"
    return replace(found, severity=lighter, waiver=waived(waiver))
