"""Dataset versions and labelled predictions become a training set, as the project declares."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

from evergreen.contracts.project_file import Preparation, ProjectFile
from evergreen.data.engine import connect, identifier, literal, lock, one_value
from evergreen.data.parts import rows_of
from evergreen.data.schema import SchemaConflictError
from evergreen.features.columnar import Columnar, encode_table, fetch_column
from evergreen.features.columns import Chosen, choose_columns, seen_in_training
from evergreen.features.feedback import with_feedback
from evergreen.features.holdout import TIME, Holdout, hold_out, time_of
from evergreen.features.recipe import Recipe
from evergreen.features.recipe_notes import notes_on_serving
from evergreen.features.refusal import PreparationRefusedError
from evergreen.features.signature import Signature, Task
from evergreen.features.snapshots import Packed, pack, snapshot_paths
from evergreen.features.split_choice import choose_split
from evergreen.features.steps import Prepared as Stepped
from evergreen.features.steps import run_steps
from evergreen.features.target import Target, find_target
from evergreen.features.training_set import TrainingSet
from evergreen.features.workbench import ROW, ROWS, JoinReport, StepReport, Table, Workbench
from evergreen.labelling.annotation import Annotated, annotate
from evergreen.labelling.statements import HISTORY, write_history
from evergreen.labelling.unlabelled import (
    NotEnoughLabelsError,
    said_of_unlabelled,
    set_unlabelled_aside,
    with_unlabelled,
    without_choice,
    write_for_labelling,
)

__all__ = ["JoinReport", "PreparationRefusedError", "Prepared", "StepReport", "prepare"]

ORDERED = "ordered"
LEARNED = "learned"
PLACE = '"evergreen.place"'
HOLDOUT = "holdout"
"""Column of the written table: whether a row is held out; `evergreen.holdout` if that is taken."""

MOST_NAMED = 10
"""Columns that a note names one by one."""

FEW_ROWS = 10
"""A class with fewer rows to learn from is said."""


@dataclass(frozen=True)
class Prepared:
    """A training set and how it came about: `rows` of it, what was left out, and why.

    `divided_by`: the declared preparation with the time or group that the data suggested.
    `annotated`: what became of labels that were uploaded as a dataset of their own. `snapshots`:
    files, by digest, with what serving needs of the references.
    """

    training_set: TrainingSet
    rows: int
    dropped_without_target: int
    notes: tuple[str, ...]
    holdout: Holdout
    divided_by: Preparation
    joins: tuple[JoinReport, ...]
    steps: tuple[StepReport, ...]
    annotated: Annotated | None = None
    snapshots: Mapping[str, Path] = field(default_factory=dict)

    @property
    def split(self) -> str:
        """In words, which rows are held out."""
        return self.holdout.sentence


def prepare(
    project: ProjectFile,
    datasets: Mapping[str, Sequence[Path]],
    feedback: Sequence[Path] = (),
    *,
    seed: int,
    table: Path,
) -> Prepared:
    """Run the declared steps, find target and columns, split, and encode.

    `datasets`: the Parquet parts of each dataset that the project names. `feedback`: Parquet
    files of labelled predictions, which become further rows after the steps. The prepared rows
    are also written to `table` (Parquet), with a column that says which are held out, and beside
    it, where a labelling is declared, the HISTORY of all labels, and what serving needs of the
    references that are joined.

    Equal inputs and `seed` give equal training sets; with the same `seed`, rows that were held
    out stay so when more rows arrive. Raises PreparationRefusedError; a NotEnoughLabelsError says
    that the table was written all the same, for people to label its rows.
    """
    names, steps = (project.dataset, *project.references), project.preparation.steps
    missing = [name for name in names if not datasets.get(name)]
    if missing:
        raise PreparationRefusedError(f"dataset '{missing[0]}' has no data; upload it first")
    with tempfile.TemporaryDirectory() as directory, connect(Path(directory)) as connection:
        # With several threads the last digit of a sum depends on which of them came first.
        connection.execute("SET threads = 1")
        lock(
            connection,
            [
                *(part for parts in datasets.values() for part in parts),
                *feedback,
                table,
                table.with_name(HISTORY),
                *snapshot_paths(table, sum(each.join is not None for each in steps)),
            ],
        )
        return _Preparation(connection, project, seed).run(datasets, feedback, table)


@dataclass
class _Preparation:
    """One run: the engine, what is declared, and what there is to say so far."""

    connection: duckdb.DuckDBPyConnection
    project: ProjectFile
    seed: int

    def run(
        self, datasets: Mapping[str, Sequence[Path]], feedback: Sequence[Path], table: Path
    ) -> Prepared:
        """From parts to training set."""
        rows, done, annotated = self._stepped(datasets)
        parts = len(datasets[self.project.dataset])
        self.project, said = choose_split(self.connection, rows, self.project, parts)
        notes, told = done.notes + said, bool(said)
        if feedback:
            rows, said = self._with_feedback(rows, feedback)
            notes += said
        try:
            target = find_target(self.connection, rows, self.project)
        except PreparationRefusedError as error:
            if annotated:
                write_for_labelling(self.connection, self.project, rows, table)
                raise NotEnoughLabelsError(str(error), annotated) from error
            raise
        ordered, dropped = self._ordered(rows, target, bool(feedback))
        divided = self._divided(ordered, target, parts, annotated)
        packed = self._packed(done.recipe, divided.columns, table)
        made = divided.training_set(self._signature(divided, target.task, packed.recipe))
        holdout = divided.holdout
        self._write(ordered, holdout, table)
        if self.project.labelling:
            write_history(self.connection, self.project.labelling, table.with_name(HISTORY))
        notes += divided.notes
        if dropped:
            notes.append(said_of_unlabelled(dropped, self.project))
        if not told:
            notes.append(holdout.sentence)
        notes += notes_on_serving(packed.recipe)
        notes += [*holdout.notes, *divided.known.notes, *divided.columns.notes, *_advice(made)]
        return Prepared(
            made,
            len(made),
            dropped,
            tuple(notes),
            holdout,
            self.project.preparation,
            tuple(done.joins),
            tuple(done.steps),
            annotated,
            packed.files,
        )

    def _stepped(
        self, datasets: Mapping[str, Sequence[Path]]
    ) -> tuple[Table, Stepped, Annotated | None]:
        references = {
            name: self._loaded(name, datasets[name], f"dataset_{name}")
            for name in self.project.references
        }
        dataset = self.project.dataset
        rows = self._loaded(dataset, datasets[dataset], f"{ROWS}_of_{dataset}")
        annotated = None
        if labelling := self.project.labelling:
            files, name = datasets.get(labelling.dataset, ()), f"{ROWS}_of_{dataset}_labelled"
            target = self.project.target
            annotated = annotate(self.connection, rows, target, labelling, files, name)
            rows = annotated.table
        done = run_steps(Workbench(self.connection, self.project, references), rows)
        done.table.require(
            [self.project.target], "among the prepared columns, and it is the target"
        )
        return done.table, done, annotated

    def _loaded(self, dataset: str, parts: Sequence[Path], name: str) -> Table:
        """A dataset as a table of the engine, its rows numbered in the order of its parts."""
        try:
            query = rows_of(self.connection, parts)
        except SchemaConflictError as error:
            raise PreparationRefusedError(
                f"dataset '{dataset}': {error}", column=error.column
            ) from error
        self.connection.execute(
            f"CREATE TEMP TABLE {identifier(name)} AS "
            f"SELECT *, row_number() OVER () - 1 AS {identifier(ROW)} FROM ({query})"
        )
        return Table.of(self.connection, name)

    def _with_feedback(self, rows: Table, files: Sequence[Path]) -> tuple[Table, list[str]]:
        feedback = with_feedback(
            self.connection, rows, self.project.target, files, f"{ROWS}_and_feedback"
        )
        said = [f"{feedback.added:,} labelled predictions are learned from too"]
        if feedback.unreadable:
            said.append(f"{feedback.unreadable:,} of them have a label that is no target value")
        if feedback.unknown_columns:
            named = ", ".join(f"'{name}'" for name in feedback.unknown_columns)
            said.append(f"they were asked with columns that the datasets no longer have: {named}")
        return feedback.table, said

    def _ordered(self, rows: Table, target: Target, with_feedback: bool) -> tuple[Table, int]:  # noqa: FBT001
        """The rows that have a target, in the order of time; how many have none."""
        time = self.project.preparation.time
        value = time_of(rows, time, with_feedback) if time else "NULL"
        columns = ", ".join(identifier(name) for name in (*rows.columns, ROW))
        before = one_value(self.connection, f"SELECT count(*) FROM {identifier(rows.name)}")
        self.connection.execute(
            f"CREATE TEMP TABLE {ORDERED} AS SELECT {columns}, {value} AS {identifier(TIME)} "
            f"FROM {identifier(rows.name)} WHERE {target.value} IS NOT NULL "
            f"ORDER BY {identifier(TIME)} NULLS FIRST, {identifier(ROW)}"
        )
        set_unlabelled_aside(self.connection, rows, target.value)
        self.connection.execute(f"DROP TABLE {identifier(rows.name)}")
        after = one_value(self.connection, f"SELECT count(*) FROM {ORDERED}")
        return Table(ORDERED, rows.columns), before - after

    def _divided(
        self, ordered: Table, target: Target, parts: int, annotated: Annotated | None
    ) -> _Divided:
        """Hold rows out, and learn from the others what the columns are."""
        values = self._values(ordered, target)
        chosen = self._chosen(ordered, parts)
        encoded = encode_table(self.connection, ordered.name, chosen.columns)
        holdout = hold_out(
            self.connection, ordered, self.project.preparation, values, encoded, self.seed
        )
        kept, notes = holdout.kept, []
        if annotated:
            holdout, kept, said = without_choice(self.connection, ordered, holdout)
            notes = annotated.notes + said
        known = _known(values, target, holdout, kept)
        learned = known.kept & ~holdout.held
        # What a column is to a model, its training rows say; all rows said it to find copies.
        judged = self._chosen(ordered, parts, self._learned(ordered, learned))
        if judged.columns != chosen.columns:
            encoded = encode_table(self.connection, ordered.name, judged.columns)
        seen, encoded = seen_in_training(judged.columns, encoded, learned)
        columns = replace(seen, ignored=(*judged.ignored, *seen.ignored))
        return _Divided(holdout, known, columns, encoded, tuple(notes))

    def _values(self, rows: Table, target: Target) -> NDArray[np.float64] | NDArray[np.int64]:
        if target.task is Task.REGRESSION:
            return fetch_column(self.connection, rows.name, target.value)
        cases = " ".join(
            f"WHEN {literal(each)} THEN {place}" for place, each in enumerate(target.classes)
        )
        indices = fetch_column(self.connection, rows.name, f"CASE {target.value} {cases} END")
        return indices.astype(np.int64)

    def _packed(self, recipe: Recipe, columns: Chosen, table: Path) -> Packed:
        """What it takes to make the columns that a model may use, and the time of a row."""
        time = self.project.preparation.time
        made = {name for action in recipe.actions for name in action.names}
        also = (time,) if time and time in made else ()
        needed = replace(recipe, also=also).for_columns([each.name for each in columns.columns])
        return pack(self.connection, needed, self.project.serving, table)

    def _chosen(self, rows: Table, parts: int, learned: Table | None = None) -> Chosen:
        return choose_columns(
            self.connection,
            rows,
            self.project.target,
            self.project.preparation.group or None,
            parts=parts,
            entities=frozenset(each.entity for each in self.project.learned_features),
            learned=learned,
        )

    def _learned(self, rows: Table, learned: NDArray[np.bool_]) -> Table:
        """The training rows, as a view."""
        self.connection.execute(
            "CREATE TEMP TABLE learned_places AS SELECT unnest($places) AS place",
            {"places": np.flatnonzero(learned).astype(np.int64)},
        )
        self.connection.execute(
            f"CREATE TEMP VIEW {LEARNED} AS SELECT * FROM {identifier(rows.name)} "
            "WHERE rowid IN (SELECT place FROM learned_places)"
        )
        return Table(LEARNED, rows.columns)

    def _signature(self, divided: _Divided, task: Task, recipe: Recipe) -> Signature:
        columns = divided.columns
        if not columns.columns:
            reasons = "; ".join(f"'{name}' {reason}" for name, reason in columns.ignored)
            raise PreparationRefusedError(f"no column is left to learn from: {reasons}")
        return Signature(
            target=self.project.target,
            task=task,
            columns=columns.columns,
            classes=divided.known.classes,
            ignored=columns.ignored,
            lookups=self.project.learned_features,
            recipe=recipe,
        )

    def _write(self, rows: Table, holdout: Holdout, path: Path) -> None:
        """Write the prepared rows for people and tools, in order, the unlabelled ones behind.

        Without DuckDB's temporary file beside it, which the locked engine may not write.
        """
        held = np.flatnonzero(holdout.held).astype(np.int64)
        columns = ", ".join(identifier(name) for name in rows.columns)
        taken = HOLDOUT in {name.casefold() for name in rows.columns}
        name = f"evergreen.{HOLDOUT}" if taken else HOLDOUT
        labelled = (
            f"SELECT {columns}, {PLACE} IN (SELECT unnest($held)) AS {identifier(name)}, "
            f"{identifier(ROW)}, {PLACE} "
            f"FROM (SELECT *, row_number() OVER () - 1 AS {PLACE} FROM {ORDERED})"
        )
        written = with_unlabelled(self.project, labelled, columns, PLACE)
        self.connection.execute(
            f"COPY ({written}) "
            f"TO {literal(str(path))} (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)",
            {"held": held},
        )


@dataclass(frozen=True)
class _Known:
    """The classes that training rows have, and the rows (`kept`) whose class is among them."""

    classes: tuple[str, ...]
    values: NDArray[np.float64] | NDArray[np.int64]
    kept: NDArray[np.bool_]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Divided:
    """Rows that are held out and rows to learn from, and what the latter say of the columns."""

    holdout: Holdout
    known: _Known
    columns: Chosen
    encoded: Columnar
    notes: tuple[str, ...]

    def training_set(self, signature: Signature) -> TrainingSet:
        """The rows that are kept."""
        kept, groups = self.known.kept, self.holdout.groups
        return TrainingSet(
            signature=signature,
            rows=self.encoded.rows.take(kept),
            target=self.known.values[kept],
            holdout=self.holdout.held[kept],
            groups=groups[kept] if groups.size else groups,
            ordered=self.holdout.ordered,
        )


def _known(
    values: NDArray[np.float64] | NDArray[np.int64],
    target: Target,
    holdout: Holdout,
    kept: NDArray[np.bool_],
) -> _Known:
    """Leave out rows whose class no training row has: no model could name it."""
    if target.task is Task.REGRESSION:
        return _Known((), values, kept)
    places = values.astype(np.int64)
    counts = np.bincount(places[kept & ~holdout.held], minlength=len(target.classes))
    there = np.flatnonzero(counts)
    if len(there) < 2:  # noqa: PLR2004
        only = target.classes[there[0]]
        raise PreparationRefusedError(
            f"{holdout.sentence}, and all rows to learn from are '{only}'; add rows or divide "
            "them in another way"
        )
    kept = kept & (counts[places] > 0)
    notes = tuple(
        f"class '{each}' occurs only in rows that are held out: they are left out"
        for each, count in zip(target.classes, counts, strict=True)
        if count == 0
    )
    renumbered = np.cumsum(counts > 0) - 1
    return _Known(tuple(target.classes[i] for i in there), renumbered[places], kept, notes)


def _advice(made: TrainingSet) -> list[str]:
    """What an owner should know and may want to change."""
    notes: list[str] = []
    if ignored := made.signature.ignored:
        named = ", ".join(f"'{name}' ({reason})" for name, reason in ignored[:MOST_NAMED])
        more = f" and {len(ignored) - MOST_NAMED:,} more" if len(ignored) > MOST_NAMED else ""
        notes.append(f"not learned from: {named}{more}")
    if made.is_classification:
        counts = np.bincount(
            made.part(holdout=False).target.astype(np.int64), minlength=len(made.signature.classes)
        )
        notes += [
            f"class '{each}' has only {count} rows to learn from"
            for each, count in zip(made.signature.classes, counts, strict=True)
            if count < FEW_ROWS
        ]
    return notes
