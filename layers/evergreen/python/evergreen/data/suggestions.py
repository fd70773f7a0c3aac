"""Features that a profile suggests, each with what was measured and the step that makes it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from evergreen.data.engine import identifier
from evergreen.data.profile import ColumnProfile, Profile
from evergreen.data.relations import RATIO

SKEWED = 2.0
FEWEST_VALUES = 20
LONG_TEXT = 25
MOSTLY = 0.95
LEAKS = 0.9
LEAKS_IN_LINE = 0.98
PROPORTIONAL = (0.8, 0.99)
MOST_RATIOS = 3
MANY_CATEGORIES = 50
MOST_SPELLINGS = 3
ONE_SPELLING = (
    ("lower({v})", r"(?!)"),
    (r"regexp_replace(lower({v}), '[^\pL\pN ]', '', 'g')", r"[^\w ]|_"),
    (r"regexp_replace(lower({v}), '[^\pL\pN]', '', 'g')", r"[\W_]"),
)
"""SQL that writes values in one way, and what it leaves out of them; the mildest first."""

MOST_OF_A_KIND = 12
WEEK = 7.0


@dataclass(frozen=True)
class Suggestion:
    """One thing to do: `kind` groups them, `why` says what was measured, `step` how it is declared.

    `step` is a line of the project file's preparation, or empty where a person must decide.
    """

    kind: str
    columns: tuple[str, ...]
    why: str
    step: str = ""


def suggest_features(profile: Profile) -> tuple[Suggestion, ...]:
    """Everything that the profile suggests, what matters most first."""
    target = profile.target.column if profile.target else None
    columns = [each for each in profile.columns if each.name != target]
    made = [
        *_leaks(columns),
        *_constants(profile, columns),
        *_names(profile, columns),
        *_twins(profile, target),
        *_dates(columns),
        *_durations(columns),
        *_skewed(columns),
        *_ratios(profile, target),
        *_spellings(profile),
        *_texts(columns),
        *_many_categories(columns),
    ]
    kept: list[Suggestion] = []
    for each in made:
        if sum(other.kind == each.kind for other in kept) < MOST_OF_A_KIND:
            kept.append(each)
    return tuple(kept)


def _leaks(columns: list[ColumnProfile]) -> Iterator[Suggestion]:
    for each in columns:
        found = each.relation
        if found is None:
            continue
        line = max(abs(found.pearson or 0), abs(found.spearman or 0))
        if found.strength < LEAKS and line < LEAKS_IN_LINE:
            continue
        method = "correlation ratio" if found.method == RATIO else "Cramér's V"
        why = f"tells the target almost alone ({method} {found.strength:.2f}): is it known in time?"
        yield Suggestion("leak suspect", (each.name,), why, _drop(each.name))


def _constants(profile: Profile, columns: list[ColumnProfile]) -> Iterator[Suggestion]:
    for each in columns:
        if each.count == 0:
            yield Suggestion("empty", (each.name,), "has no value", _drop(each.name))
        elif each.distinct == 1 and each.nulls == 0:
            yield Suggestion("constant", (each.name,), "has one value only", _drop(each.name))
        elif each.nulls >= MOSTLY * profile.rows:
            why = f"{each.nulls / profile.rows:.1%} of its values are missing"
            step = f"{{derive: {{{_name('has', each)}: {_sql(f'{_id(each)} IS NOT NULL')}}}}}"
            yield Suggestion("mostly missing", (each.name,), why, step)


def _names(profile: Profile, columns: list[ColumnProfile]) -> Iterator[Suggestion]:
    exact = profile.described_rows == profile.rows
    for each in columns:
        if each.type not in {"integer", "text"} or each.count < FEWEST_VALUES or _is_prose(each):
            continue
        if exact and each.distinct == each.count:
            why = f"every one of its {each.count:,} values is there once: a name, not a property"
            yield Suggestion("row identifier", (each.name,), why, _drop(each.name))
        elif each.type == "text" and each.distinct > MOSTLY * each.count:
            why = f"about {each.distinct:,} different values in {each.count:,} rows"
            yield Suggestion("row identifier", (each.name,), why, _drop(each.name))


def _twins(profile: Profile, target: str | None) -> Iterator[Suggestion]:
    for one, other in profile.likeness.twins:
        if target not in {one, other}:
            why = "each value of one goes with one value of the other: one of them is enough"
            yield Suggestion("the same twice", (one, other), why, _drop(other))


def _dates(columns: list[ColumnProfile]) -> Iterator[Suggestion]:
    for each in columns:
        span = _days(each)
        if span is None or span < WEEK:
            continue
        parts = ["month", "weekday"] + (["hour"] if _has_hours(each) else [])
        names = {"month": "month", "weekday": "isodow", "hour": "hour"}
        derived = ", ".join(
            f"{_name(part, each)}: {_sql(f'{names[part]}({_id(each)})')}" for part in parts
        )
        why = f"spans {span:,.0f} days, {each.minimum} to {each.maximum}"
        yield Suggestion("date parts", (each.name,), why, f"{{derive: {{{derived}}}}}")


def _durations(columns: list[ColumnProfile]) -> Iterator[Suggestion]:
    times = [each for each in columns if each.type in {"date", "timestamp"} and each.count]
    for one, other in itertools.pairwise(times):
        days = f"date_diff('day', {_id(one)}, {_id(other)})"
        step = f"{{derive: {{days_between: {_sql(days)}}}}}"
        yield Suggestion("duration", (one.name, other.name), "two times in one row", step)


def _skewed(columns: list[ColumnProfile]) -> Iterator[Suggestion]:
    for each in columns:
        if (
            each.skewness is None
            or each.skewness < SKEWED
            or not isinstance(each.minimum, float)
            or each.minimum < 0
            or each.distinct < FEWEST_VALUES
        ):
            continue
        why = f"skewness {each.skewness:.1f}: few large values far from the many small ones"
        step = f"{{derive: {{{_name('log', each)}: {_sql(f'ln(1 + {_id(each)})')}}}}}"
        yield Suggestion("logarithm", (each.name,), why, step)


def _ratios(profile: Profile, target: str | None) -> Iterator[Suggestion]:
    """Positive numbers that rise together: their ratio may say what neither does."""
    correlations = profile.likeness.correlations
    if correlations is None:
        return
    by_name = {each.name: each for each in profile.columns}
    found = []
    for row, one in enumerate(correlations.columns):
        for place in range(row):
            other, rho = correlations.columns[place], correlations.matrix[row][place]
            positive = all(_is_positive(by_name[name]) for name in (one, other))
            if target in {one, other} or rho is None or not positive:
                continue
            if PROPORTIONAL[0] <= rho <= PROPORTIONAL[1]:
                found.append((rho, one, other))
    for rho, one, other in sorted(found, reverse=True)[:MOST_RATIOS]:
        top, bottom = by_name[one], by_name[other]
        ratio = f"{_id(top)} / nullif({_id(bottom)}, 0)"
        step = f"{{derive: {{{_word(one)}_per_{_word(other)}: {_sql(ratio)}}}}}"
        yield Suggestion("ratio", (one, other), f"rise together (Spearman {rho:.2f})", step)


def _texts(columns: list[ColumnProfile]) -> Iterator[Suggestion]:
    for each in columns:
        if _is_prose(each) and each.lengths:
            why = f"{each.distinct:,} different texts of {each.lengths.median:,.0f} characters"
            yield Suggestion("text to vectors", (each.name,), why)


def _spellings(profile: Profile) -> Iterator[Suggestion]:
    """Frequent values that differ in case and signs alone, the target's classes among them."""
    for each in profile.columns:
        groups: dict[str, list[str]] = {}
        for value, _ in each.top if each.type == "text" else ():
            groups.setdefault(_letters(value), []).append(value)
        several = [values for letters, values in groups.items() if letters and len(values) > 1]
        if not several or _is_prose(each):
            continue
        why = "; ".join(
            f"'{first}' is also written " + " and ".join(f"'{other}'" for other in others)
            for first, *others in several[:MOST_SPELLINGS]
        )
        one = next(
            sql
            for sql, left_out in ONE_SPELLING
            if all(
                len({re.sub(left_out, "", each.lower()) for each in group}) == 1
                for group in several
            )
        )
        step = f"{{derive: {{{_sql(each.name)}: {_sql(one.replace('{v}', _id(each)))}}}}}"
        yield Suggestion("spellings", (each.name,), why, step)


def _letters(value: str) -> str:
    """What is left of a value without case, spaces and signs."""
    return re.sub(r"[\W_]", "", value.lower())


def _many_categories(columns: list[ColumnProfile]) -> Iterator[Suggestion]:
    for each in columns:
        few = MOSTLY * each.count
        if each.type == "text" and not _is_prose(each) and MANY_CATEGORIES < each.distinct < few:
            rows = each.count / each.distinct
            why = f"{each.distinct:,} categories with {rows:,.1f} rows each"
            yield Suggestion("many categories", (each.name,), why)


def _is_prose(each: ColumnProfile) -> bool:
    long = each.lengths is not None and each.lengths.median >= LONG_TEXT
    return each.type == "text" and long and each.distinct > 0.3 * each.count


def _is_positive(each: ColumnProfile) -> bool:
    least = isinstance(each.minimum, float) and each.minimum >= 0
    return least and each.distinct >= FEWEST_VALUES


def _days(each: ColumnProfile) -> float | None:
    if each.type not in {"date", "timestamp"} or each.minimum is None:
        return None
    try:
        first, last = (datetime.fromisoformat(str(end)) for end in (each.minimum, each.maximum))
    except ValueError:
        return None
    return (last - first).total_seconds() / 86_400


def _has_hours(each: ColumnProfile) -> bool:
    quantiles = (each.quantiles or {}).values()
    return each.type == "timestamp" and any("T00:00:00" not in str(value) for value in quantiles)


def _drop(name: str) -> str:
    return f"{{drop: [{_sql(name)}]}}"


def _id(each: ColumnProfile) -> str:
    return identifier(each.name)


def _sql(text: str) -> str:
    """A YAML text that needs no further thought: single quotes, doubled within."""
    return "'" + text.replace("'", "''") + "'"


def _name(before: str, each: ColumnProfile) -> str:
    return f"{before}_{_word(each.name)}"


def _word(name: str) -> str:
    return re.sub(r"\W+", "_", name).strip("_").lower() or "column"
