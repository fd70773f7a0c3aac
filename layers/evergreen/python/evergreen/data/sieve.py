"""Dividing the staged rows into good and bad by everything that is required of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from evergreen.data.engine import identifier, one_value
from evergreen.data.inference import Inferred
from evergreen.data.part_keys import taken_keys
from evergreen.data.rules import Key, Rule
from evergreen.data.staging import MOST_REJECTED, ROW, Staged

NUMBER = identifier("evergreen row")
LINE = identifier("evergreen line")
TEXTS = identifier("evergreen texts")
MISFIT = identifier("evergreen misfit")

ELSEWHERE = -1
"""Instead of the number of a row: the key is that of a row in another part."""


@dataclass(frozen=True)
class BadRow:
    """A staged row that is not good: its number, its line, its texts, and what is wrong, by place.

    `misfits`: place in the sieve's `wrong` columns → the text, and whether it has the form;
    `rules`: place in its rules → the value; `keys`: places of the keys that it repeats. With
    none of the three it is the good row that such a key belongs to.
    """

    number: int
    line: int
    texts: tuple[str | None, ...]
    misfits: dict[int, tuple[str, bool]]
    rules: dict[int, str | None]
    keys: tuple[int, ...]

    @property
    def good(self) -> bool:
        """Whether nothing is wrong with the row itself."""
        return not (self.misfits or self.rules or self.keys)


@dataclass(frozen=True)
class Sieve:
    """Good are the rows without a misfit that break none of the rules and repeat no key.

    `others` is SQL for the keys of the dataset's other parts, which are taken. `line` is SQL
    for where a row stands in its source, of files that are not text. Of rows that share a key the
    first good one stays: in their order, a row is held back if one that stays has a key of it.
    """

    staged: Staged
    columns: tuple[Inferred, ...]
    rules: tuple[Rule, ...] = ()
    keys: tuple[Key, ...] = ()
    line: str = f"{ROW} + 1"
    others: str | None = None

    @property
    def wrong(self) -> tuple[Inferred, ...]:
        """The columns with values that cannot be read."""
        return tuple(each for each in self.columns if each.misfits or each.changed)

    def find_repeated(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Look for keys that several rows have; to be done before the rows are asked for."""
        for place, key in enumerate(self.keys):
            names = [identifier(name) for name in key.columns]
            values = ", ".join(f"{name} AS k{n}" for n, name in enumerate(names))
            groups = ", ".join(f"k{n}" for n, _ in enumerate(names))
            there = " AND ".join(f"{name} IS NOT NULL" for name in names)
            typed = (
                f"SELECT {values}, {NUMBER}, NOT ({self._spoilt}) AS good "
                f"FROM ({self._typed()}) WHERE {there}"
            )
            within = (
                f"SELECT {groups}, min({NUMBER}) FILTER (good) AS keeper FROM ({typed}) "
                f"GROUP BY {groups} HAVING count(*) > 1"
            )
            if self.others:
                elsewhere = taken_keys(self.others, key.columns)
                within += (
                    f" UNION ALL SELECT {groups}, {ELSEWHERE} FROM ({typed}) AS here "
                    f"SEMI JOIN ({elsewhere}) AS elsewhere USING ({groups})"
                )
            connection.execute(
                f"CREATE OR REPLACE TEMP TABLE repeated_{place} AS "
                f"SELECT {groups}, min(keeper) AS keeper FROM ({within}) GROUP BY {groups}"
            )
        if len(self.keys) > 1:
            self._keep_in_order(connection)

    def _keep_in_order(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Let no row that is held back for one key be the keeper of another.

        So far the first row of each key is its keeper, whatever its other keys are.
        """
        keys = range(len(self.keys))
        repeats = " OR ".join(_repeats(place) for place in keys)
        held = f"SELECT count(*) FROM {self._keyed()} WHERE NOT ({self._spoilt}) AND ({repeats})"
        # A row that is held back wrongly has one above it that is so rightly, a keeper so far, and
        # such a keeper has not more of them than keys. Beyond that, too many rows are bad anyway.
        if not 0 < one_value(connection, held) <= len(self.keys) * MOST_REJECTED:
            return
        asked = ", ".join(f"repeated_{place}.rowid, repeated_{place}.keeper" for place in keys)
        shared = " OR ".join(f"repeated_{place}.rowid IS NOT NULL" for place in keys)
        rows = connection.execute(
            f"SELECT typed.{NUMBER}, {asked} FROM {self._keyed()} "
            f"WHERE NOT ({self._spoilt}) AND ({shared}) ORDER BY typed.{NUMBER}"
        ).fetchall()
        keepers: list[dict[int, int]] = [{} for _ in keys]
        for number, *found in rows:
            groups = [found[2 * place] for place in keys]
            elsewhere = any(found[2 * place + 1] == ELSEWHERE for place in keys)
            if not elsewhere and not any(groups[place] in keepers[place] for place in keys):
                for place in keys:
                    if groups[place] is not None:
                        keepers[place][groups[place]] = number
        for place in keys:
            connection.execute(
                f"UPDATE repeated_{place} SET keeper = NULL WHERE keeper <> {ELSEWHERE}"
            )
            connection.execute(
                f"UPDATE repeated_{place} SET keeper = kept.number FROM "
                "(SELECT unnest($1::BIGINT[]) AS place, unnest($2::BIGINT[]) AS number) AS kept "
                f"WHERE repeated_{place}.rowid = kept.place",
                [list(keepers[place]), list(keepers[place].values())],
            )

    @property
    def good_rows(self) -> str:
        """SQL for the good rows, typed, in their order."""
        names = ", ".join(f"typed.{identifier(each.name)}" for each in self.columns)
        ordered = f" ORDER BY typed.{NUMBER}" if self.keys else ""
        return f"SELECT {names} FROM {self._keyed()} WHERE NOT ({self._bad}){ordered}"

    def bad_rows(
        self, connection: duckdb.DuckDBPyConnection, limit: int | None = None
    ) -> list[BadRow]:
        """The others, in order, among them the good rows whose keys they repeat."""
        if not (self.wrong or self.rules or self.keys):
            return []
        asked = [f"typed.{NUMBER}", f"typed.{LINE}", f"typed.{TEXTS}", f"({self._bad})"]
        for place, _ in enumerate(self.wrong):
            asked += [f'"evergreen text {place}"', f'"evergreen looks {place}"']
        asked += [part for rule in self.rules for part in (self._broken(rule), rule.value)]
        asked += [_repeats(place) for place, _ in enumerate(self.keys)]
        kept = "".join(f" OR {_keeps(place)}" for place, _ in enumerate(self.keys))
        cut = f" LIMIT {2 * limit}" if limit else ""
        found = connection.execute(
            f"SELECT {', '.join(asked)} FROM {self._keyed()} "
            f"WHERE ({self._bad}){kept} ORDER BY typed.{NUMBER}{cut}"
        ).fetchall()
        return [self._row(*row) for row in found]

    def _row(
        self,
        number: int,
        line: int,
        texts: list[str | None],
        bad: bool,  # noqa: FBT001
        *rest: object,
    ) -> BadRow:
        wrong, rules = len(self.wrong), len(self.rules)
        if not bad:
            return BadRow(int(number), int(line), tuple(texts), {}, {}, ())
        misfits = {
            place: (str(rest[2 * place]), bool(rest[2 * place + 1]))
            for place in range(wrong)
            if rest[2 * place] is not None
        }
        broken, repeated = rest[2 * wrong : 2 * (wrong + rules)], rest[2 * (wrong + rules) :]
        values = {
            place: None if broken[2 * place + 1] is None else str(broken[2 * place + 1])
            for place in range(rules)
            if broken[2 * place]
        }
        keys = tuple(place for place, hit in enumerate(repeated) if hit)
        return BadRow(int(number), int(line), tuple(texts), misfits, values, keys)

    def _typed(self) -> str:
        """Every staged row with its number, its texts, its misfits and its typed values."""
        texts = ", ".join(f"CAST({each} AS VARCHAR)" for each in self.staged.columns.values())
        wrong = self.wrong
        misfit = " OR ".join(each.misfit for each in wrong) or "false"
        columns = [f"{ROW} AS {NUMBER}", f"{self.line} AS {LINE}", f"[{texts}] AS {TEXTS}"]
        columns.append(f"({misfit}) AS {MISFIT}")
        for place, each in enumerate(wrong):
            text = f"CASE WHEN {each.misfit} THEN CAST({each.raw} AS VARCHAR) END"
            columns += [
                f'{text} AS "evergreen text {place}"',
                f'({each.looks}) AS "evergreen looks {place}"',
            ]
        columns += [f"{each.value} AS {identifier(each.name)}" for each in self.columns]
        return f"SELECT {', '.join(columns)} FROM {self.staged.source}"

    def _keyed(self) -> str:
        joined = f"({self._typed()}) AS typed"
        for place, key in enumerate(self.keys):
            equal = " AND ".join(
                f"typed.{identifier(name)} = repeated_{place}.k{n}"
                for n, name in enumerate(key.columns)
            )
            joined += f" LEFT JOIN repeated_{place} ON {equal}"
        return joined

    @property
    def _spoilt(self) -> str:
        """SQL condition: the row is bad by itself, whatever the others are."""
        return " OR ".join([MISFIT, *(self._broken(rule) for rule in self.rules)])

    @property
    def _bad(self) -> str:
        return " OR ".join([self._spoilt, *(_repeats(place) for place, _ in enumerate(self.keys))])

    def _broken(self, rule: Rule) -> str:
        """SQL condition: a value that cannot be read is not a missing one."""
        if rule.code == "not_null":
            for place, each in enumerate(self.wrong):
                if each.name == rule.column:
                    return f'({rule.broken} AND "evergreen text {place}" IS NULL)'
        return f"({rule.broken})"


def _repeats(place: int) -> str:
    return f"coalesce(repeated_{place}.keeper <> typed.{NUMBER}, false)"


def _keeps(place: int) -> str:
    return f"coalesce(repeated_{place}.keeper = typed.{NUMBER}, false)"


def tally(
    connection: duckdb.DuckDBPyConnection, source: str, rules: Sequence[Rule]
) -> tuple[int, ...]:
    """How many rows of a table function break each of the rules; one pass."""
    if not rules:
        return ()
    asked = ", ".join(f"count(CASE WHEN {rule.broken} THEN 1 END)" for rule in rules)
    row = connection.execute(f"SELECT {asked} FROM {source}").fetchone() or ()
    return tuple(int(each) for each in row)
