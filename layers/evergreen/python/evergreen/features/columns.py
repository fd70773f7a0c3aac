"""Which prepared columns a model is asked with, as what, and why not the others."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import duckdb
import numpy as np
from numpy.typing import NDArray

from evergreen.data.engine import identifier, literal, one_value
from evergreen.data.parquet_columns import column_type
from evergreen.features.columnar import Columnar, Documents
from evergreen.features.signature import MOMENT_PARTS, Column, Kind
from evergreen.features.text import FEWEST_TEXTS, FEWEST_WORDS, fit_vocabulary, median_words
from evergreen.features.workbench import ROW, Table

MOST_CATEGORIES = 1_000
"""A column of words with more different values is text or an identifier …"""

ROWS_PER_CATEGORY = 2
"""… and so is one whose values have fewer rows than this on average."""

PROSE_WORDS = 8
"""Values of so many words are text, …"""

FEWEST_TEXTS_OF_PROSE = 50
"""… unless there are only so many of them: then each can be a category."""

SAMPLED_TEXTS = 1_000
"""Values that are looked at to tell text from identifiers."""

JSON_LIST = r"\s*\[.*\]\s*"
"""What a list is at ingestion: the words of its elements are terms, in whatever order."""

FILE_NAME = r"(?i)\S\.(png|jpe?g|wav|flac|ogg|txt)$"
"""What the name of a file looks like: it names the row, and may tell the answer."""

FILE = "file"
"""The column of paths that ingestion makes of an archive."""

MOST_TERMS = 2_000
"""Terms of all text columns together …"""

MOST_WEIGHTS = 20_000_000
"""… and weights of them in all rows: 80 MB, several times while a model is fitted."""

NUMBERING = re.compile(
    r"(?i:(^|[\W_])(id|index|idx|row|rowid|rownum|record|nr|no|number|key|unnamed)([\W_]|$))"
    r"|[a-z](Id|ID|No|Nr)$|^column 1$|^#$"
)
"""A name that a column of row numbers has. `x` or `year` may count as well, and mean something."""

KINDS: Mapping[str, Kind] = {
    "number": Kind.NUMBER,
    "integer": Kind.NUMBER,
    "boolean": Kind.NUMBER,
    "date": Kind.MOMENT,
    "timestamp": Kind.MOMENT,
}
"""The kinds of columns that are no text; `_words` tells those that are."""


@dataclass(frozen=True)
class Chosen:
    """Columns that are used, in the table's order, the reasons against the others, what to know."""

    columns: tuple[Column, ...]
    ignored: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = ()


def choose_columns(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    target: str,
    group: str | None,
    parts: int,
    entities: frozenset[str] = frozenset(),
    learned: Table | None = None,
) -> Chosen:
    """Give each column of the table a kind by its type, columns of words also by their values.

    `parts`: of so many files its rows come, in whatever order. `entities`: keys of features, which
    are no numbers even where they are written as such. `learned`: the training rows, by which words
    are judged as soon as they are known; before, by all rows.
    """
    learned = learned or table
    counted = _counted(connection, table, words=False) | _counted(connection, learned, words=True)
    columns, ignored = [], []
    for name, sql_type in table.columns.items():
        if name == target:
            continue
        kind = column_type(sql_type)
        values, distinct, numbered = counted.get(name, (0, 0, False))
        if name == group:
            ignored.append((name, "names the group of a row"))
        elif name in entities and kind == "integer":
            ignored.append((name, "names the entity whose features are looked up"))
        elif kind is None:
            ignored.append((name, f"{sql_type} values cannot be learned from"))
        elif values == 0:
            ignored.append((name, "has no values"))
        elif kind == "text":
            words, reason = _words(connection, learned, name, values, distinct)
            if words is None:
                ignored.append((name, reason))
            else:
                columns.append(Column(name, words))
        elif numbered and NUMBERING.search(name) and _numbers_rows(connection, table, name, parts):
            ignored.append((name, "merely numbers the rows"))
        else:
            columns.append(Column(name, KINDS[kind]))
    return Chosen(tuple(columns), tuple(ignored))


def seen_in_training(
    columns: Sequence[Column], encoded: Columnar, training: NDArray[np.bool_]
) -> tuple[Chosen, Columnar]:
    """The columns with what the training rows have of them; all rows, without the rest.

    Categories, ranges and vocabularies are those of the training rows alone. A column that has no
    values in them, or one and the same, is ignored.
    """
    kept: list[Column] = []
    ignored: list[tuple[str, str]] = []
    notes: list[str] = []
    numbers: list[int] = []
    moments: list[int] = []
    categories: list[int] = []
    weights: list[NDArray[np.float32]] = []
    next_number, next_category, next_text = 0, 0, 0
    next_moment = sum(column.kind is Kind.NUMBER for column in columns)
    for column in columns:
        if column.kind is Kind.CATEGORY:
            place, next_category = next_category, next_category + 1
            seen, reason = _category(column, encoded, place, training)
            places = categories
            own = [place]
        elif column.kind is Kind.NUMBER:
            place, next_number = next_number, next_number + 1
            seen, reason = _number(column, encoded.numbers[training, place])
            places = numbers
            own = [place]
        elif column.kind is Kind.TEXT:
            documents, next_text = encoded.documents[next_text], next_text + 1
            seen, reason, said = _text(column, documents, training, len(encoded.documents))
            notes += said
            places, own = [], []
            if reason is None:
                weights.append(documents.weights(seen, len(training)))
        else:
            own = list(range(next_moment, next_moment + len(MOMENT_PARTS)))
            next_moment += len(MOMENT_PARTS)
            seen, reason = column, _moment_reason(encoded.numbers[training][:, own])
            places = moments
        if reason:
            ignored.append((column.name, reason))
        else:
            kept.append(seen)
            places += own
    every = np.ones(len(training), dtype=bool)
    made = encoded.take(every, numbers + moments, categories)
    chosen = Chosen(tuple(kept), tuple(ignored), tuple(notes))
    return chosen, made.with_weights(weights) if weights else made


def _text(
    column: Column, documents: Documents, training: NDArray[np.bool_], texts: int
) -> tuple[Column, str | None, list[str]]:
    """A text column with its vocabulary, its share of the terms that `texts` columns may have."""
    there = (
        text
        for first, block in documents.blocks()
        for row, text in enumerate(block, start=first)
        if text and training[row]
    )
    most = max(min(MOST_TERMS, MOST_WEIGHTS // len(training)) // texts, 1)
    vocabulary = fit_vocabulary(there, most)
    if not vocabulary.terms:
        return column, f"has no word that {FEWEST_TEXTS} training rows share", []
    notes = []
    if vocabulary.found > most:
        notes.append(
            f"'{column.name}': of {vocabulary.found:,} words and pairs of words that "
            f"{FEWEST_TEXTS} or more training rows have, the {most:,} most frequent are used"
        )
    return replace(column, terms=vocabulary.terms, idf=vocabulary.idf), None, notes


def _category(
    column: Column, encoded: Columnar, place: int, training: NDArray[np.bool_]
) -> tuple[Column, str | None]:
    codes = np.unique(encoded.codes[training, place])
    seen = tuple(str(text) for text in encoded.texts[place][codes[codes > 0]])
    if not seen:
        return column, "has no values in the training rows"
    if codes.size == 1:
        return column, f"is always '{seen[0]}' in the training rows"
    return Column(column.name, column.kind, categories=seen), None


def _number(column: Column, values: NDArray[np.float32]) -> tuple[Column, str | None]:
    there = values[~np.isnan(values)]
    if there.size == 0:
        return column, "has no values in the training rows"
    # Through the shortest decimal: 33.1 stays 33.1 and does not become 33.09999847.
    least, greatest = float(str(there.min())), float(str(there.max()))
    if least == greatest and there.size == values.size:
        return column, f"is always {least:g} in the training rows"
    return Column(column.name, column.kind, minimum=least, maximum=greatest), None


def _moment_reason(parts: NDArray[np.float32]) -> str | None:
    if np.isnan(parts).all():
        return "has no values in the training rows"
    if (parts == parts[0]).all():
        return "is always the same in the training rows"
    return None


def _words(
    connection: duckdb.DuckDBPyConnection, table: Table, name: str, values: int, distinct: int
) -> tuple[Kind | None, str]:
    """Whether a column of words is categories or text; None and why not if it is neither."""
    too_many = distinct > MOST_CATEGORIES or (
        distinct > 1 and distinct * ROWS_PER_CATEGORY > values
    )
    sample = connection.execute(
        f"SELECT left({identifier(name)}, 1000), "
        f"NOT regexp_matches({identifier(name)}, {literal(FILE_NAME)}), "
        f"NOT regexp_full_match({identifier(name)}, {literal(JSON_LIST)}, 's') "
        f"FROM {identifier(table.name)} WHERE {identifier(name)} IS NOT NULL LIMIT {SAMPLED_TEXTS}"
    ).fetchall()
    if not any(no_list for _, _, no_list in sample):
        return Kind.TEXT, ""
    if not too_many and distinct <= FEWEST_TEXTS_OF_PROSE:
        return Kind.CATEGORY, ""
    if too_many and (name == FILE or 2 * sum(no_file for _, no_file, _ in sample) < len(sample)):
        return None, "names files"
    words = median_words([text for text, _, _ in sample])
    if words >= (FEWEST_WORDS if too_many else PROSE_WORDS):
        return Kind.TEXT, ""
    if too_many:
        rows = f"{values:,} training rows"
        return None, f"identifier or name: {distinct:,} different values in {rows}"
    return Kind.CATEGORY, ""


def _counted(
    connection: duckdb.DuckDBPyConnection, table: Table, *, words: bool
) -> dict[str, tuple[int, int, bool]]:
    """Of columns of words, or of the others: values, different values, may be numbers of rows."""
    asked, names = [], []
    for name, sql_type in table.columns.items():
        kind = column_type(sql_type)
        if kind is None or (kind == "text") != words:
            continue
        value = identifier(name)
        names.append(name)
        asked.append(f"count({value})")
        asked.append(f"count(DISTINCT {value})" if words else "0")
        long = f"max({value}) - min({value}) >= count({value}) - 1"
        whole = kind in {"integer", "number"}
        asked.append(f"min({value}) BETWEEN 0 AND 1 AND {long}" if whole else "false")
    if not names:
        return {}
    found = (
        connection.execute(f"SELECT {', '.join(asked)} FROM {identifier(table.name)}").fetchone()
        or ()
    )
    return {
        name: (int(found[3 * i]), int(found[3 * i + 1]), bool(found[3 * i + 2]))
        for i, name in enumerate(names)
    }


def _numbers_rows(
    connection: duckdb.DuckDBPyConnection, table: Table, name: str, parts: int
) -> bool:
    """Whether a column runs along with the rows of each part, as 0, 1, 2, … does."""
    offset = f"{identifier(name)} - {identifier(ROW)}"
    offsets = one_value(
        connection, f"SELECT count(DISTINCT {offset}) FROM {identifier(table.name)}"
    )
    return offsets <= parts
