"""Labels that were uploaded as a dataset of their own become the target, as the policy declares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.contracts.project_file import Labelling
from evergreen.features.refusal import PreparationRefusedError
from evergreen.features.steps import ROW, Table
from evergreen.labelling.annotation import Annotated, annotate
from evergreen.labelling.statements import resolve, write_history

ROWS = "SELECT i AS id, i * 10 AS x, NULL::VARCHAR AS y FROM range(5) r(i)"
ALL = {"labeller": "who", "time": "at"}


@dataclass
class Desk:
    """Rows and label files given as SQL; what the rows' target is then."""

    directory: Path

    def label(
        self,
        *files: str | Sequence[tuple[Any, ...]],
        rows: str = ROWS,
        key: Sequence[str] = ("id",),
        **declared: Any,
    ) -> tuple[Annotated, list[Any]]:
        """Files are queries, or rows of (id, y, who, day)."""
        labelling = Labelling(dataset="said", key=list(key), **declared)
        with duckdb.connect() as connection:
            parts = [self._part(connection, n, file) for n, file in enumerate(files)]
            connection.execute(
                f'CREATE TABLE r AS SELECT *, row_number() OVER () - 1 AS "{ROW}" FROM ({rows})'
            )
            made = annotate(connection, Table.of(connection, "r"), "y", labelling, parts, "done")
            found = connection.execute(f'SELECT y FROM done ORDER BY "{ROW}"').fetchall()
        return made, [value for (value,) in found]

    def _part(
        self, connection: duckdb.DuckDBPyConnection, number: int, file: str | Sequence[Any]
    ) -> Path:
        if not isinstance(file, str):
            values = [
                f"({row!r}, {label!r}, {who!r}, TIMESTAMP '2026-01-{day:02}')"
                for row, label, who, day in file
            ]
            file = f'SELECT * FROM (VALUES {", ".join(values)}) t(id, y, who, "at")'
        path = self.directory / f"part-{number}.parquet"
        connection.execute(f"COPY ({file}) TO '{path}' (FORMAT parquet)")
        return path


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_rows_without_a_target_get_their_label_and_the_others_stay(desk: Desk) -> None:
    made, targets = desk.label([(1, "yes", "anna", 1), (3, "no", "anna", 1)])
    assert targets == [None, "yes", None, "no", None]
    assert (made.labelled, made.resolution.statements) == (2, 2)


def test_a_later_file_adds_and_never_erases(desk: Desk) -> None:
    _, targets = desk.label([(1, "yes", "anna", 1)], [(3, "no", "anna", 2)], **ALL)
    assert targets == [None, "yes", None, "no", None]


def test_the_same_file_twice_says_nothing_new(desk: Desk) -> None:
    file = [(1, "yes", "anna", 1), (1, "no", "bert", 1), (1, "no", "carl", 1)]
    once, twice = (desk.label(*[file] * n, policy="majority", **ALL) for n in (1, 2))
    assert once[1] == twice[1] == [None, "no", None, None, None]
    assert once[0].resolution == twice[0].resolution


def test_labellers_may_revise_what_they_said(desk: Desk) -> None:
    made, targets = desk.label([(1, "yes", "anna", 1)], [(1, "no", "anna", 2)], **ALL)
    assert targets[1] == "no"
    assert (made.resolution.revised, made.resolution.conflicts) == (1, 0)


def test_labellers_who_contradict_themselves_at_one_time_count_for_nothing(desk: Desk) -> None:
    said = [(1, "yes", "anna", 1), (1, "no", "anna", 1), (1, "no", "bert", 1)]
    made, targets = desk.label(said, **ALL)
    assert targets[1] == "no"
    assert made.resolution.contradictory == 2


THREE = [(1, "yes", "anna", 1), (1, "no", "bert", 2), (1, "yes", "carl", 1)]


@pytest.mark.parametrize(
    ("declared", "label"),
    [
        ({"policy": "agreement"}, None),
        ({"policy": "latest"}, "no"),
        ({"policy": "majority"}, "yes"),
        ({"policy": "expert", "experts": ["bert", "anna"]}, "no"),
        ({"policy": "expert", "experts": ["zoe", "carl"]}, "yes"),
        ({"policy": "expert", "experts": ["zoe"]}, None),
        ({"policy": "majority", "voices": 4}, None),
    ],
)
def test_the_policy_decides_where_labellers_differ(
    desk: Desk, declared: dict[str, Any], label: str | None
) -> None:
    made, targets = desk.label(THREE, **ALL, **declared)
    assert targets[1] == label
    assert made.resolution.conflicts == 1
    assert made.resolution.unresolved + made.resolution.waiting == (label is None)


@pytest.mark.parametrize("policy", ["latest", "majority", "agreement"])
def test_a_tie_is_never_guessed(desk: Desk, policy: Any) -> None:
    tie = [(1, "yes", "anna", 1), (1, "no", "bert", 1)]
    made, targets = desk.label(tie, policy=policy, **ALL)
    assert targets[1] is None
    assert (made.resolution.conflicts, made.resolution.unresolved) == (1, 1)
    assert any("left 1 open" in note for note in made.notes)


@settings(max_examples=30)
@given(
    said=st.lists(
        st.tuples(
            st.integers(0, 4), st.sampled_from("ab"), st.sampled_from("xyz"), st.integers(1, 3)
        ),
        min_size=1,
        max_size=25,
    ),
    cut=st.integers(0, 25),
    policy=st.sampled_from(["latest", "majority", "agreement"]),
)
def test_neither_order_nor_files_matter(
    tmp_path_factory: pytest.TempPathFactory, said: Any, cut: int, policy: Any
) -> None:
    desk = Desk(tmp_path_factory.mktemp("desk"))
    whole = desk.label(said, policy=policy, **ALL)
    pieces = [part for part in (said[::-1][:cut], said[::-1][cut:]) if part]
    parted = desk.label(*pieces, policy=policy, **ALL)
    assert (whole[0].resolution, whole[1]) == (parted[0].resolution, parted[1])


def test_a_row_with_a_value_of_its_own_keeps_it(desk: Desk) -> None:
    rows = "SELECT i AS id, CASE WHEN i < 2 THEN 'no' END AS y FROM range(5) r(i)"
    made, targets = desk.label(
        [(0, "no", "a", 1), (1, "yes", "a", 1), (2, "yes", "a", 1)], rows=rows
    )
    assert targets == ["no", "no", "yes", None, None]
    assert (made.own, made.differing, made.labelled) == (2, 1, 1)


def test_keys_match_whatever_type_they_were_read_as(desk: Desk) -> None:
    file = "SELECT * FROM (VALUES (1.0, 'yes'), (3.0, 'no')) t(id, y)"
    text = "SELECT ' 2 ' AS id, 'no' AS y"
    assert desk.label(file, text)[1] == [None, "yes", "no", "no", None]


def test_several_columns_may_name_a_row(desk: Desk) -> None:
    rows = (
        "SELECT i // 2 AS site, DATE '2026-01-01' + (i % 2)::INT AS day, NULL AS y "
        "FROM range(4) r(i)"
    )
    file = "SELECT 1 AS site, TIMESTAMP '2026-01-02' AS day, 'yes' AS label"
    assert desk.label(file, rows=rows, key=["site", "day"])[1] == [None, None, None, "yes"]


def test_labels_of_rows_that_are_not_there_are_counted(desk: Desk) -> None:
    made, _ = desk.label([(1, "yes", "a", 1), (77, "yes", "a", 1)])
    assert made.unmatched == 1


def test_a_key_of_several_rows_labels_all_of_them_and_says_so(desk: Desk) -> None:
    rows = "SELECT i // 2 AS id, NULL AS y FROM range(4) r(i)"
    made, targets = desk.label([(1, "yes", "a", 1)], rows=rows)
    assert (targets, made.shared) == ([None, None, "yes", "yes"], 1)


def test_a_label_that_is_no_value_of_the_target_is_counted(desk: Desk) -> None:
    rows = "SELECT i AS id, CASE WHEN i = 0 THEN 7 END AS y FROM range(3) r(i)"
    made, targets = desk.label([(1, "3.0", "a", 1), (2, "three", "a", 1)], rows=rows)
    assert (targets, made.unreadable) == ([7, 3, None], 1)


@pytest.mark.parametrize(
    ("label", "target"), [("1", 1), ("1.5", 1.5), ("true", True), ("'no'", "no")]
)
def test_a_target_without_any_value_gets_the_type_of_its_labels(
    desk: Desk, label: str, target: Any
) -> None:
    _, targets = desk.label(f"SELECT 1 AS id, {label} AS y", rows="SELECT 1 AS id")
    assert targets == [target]
    assert type(targets[0]) is type(target)


def test_rows_that_say_nothing_are_counted_by_reason(desk: Desk) -> None:
    file = (
        "SELECT * FROM (VALUES (NULL, 'yes', 'a', '2026-01-01'), (1, NULL, 'a', '2026-01-01'), "
        "(2, 'no', 'a', 'yesterday'), (3, 'no', 'a', '2026-01-01')) t(id, y, who, \"at\")"
    )
    made, targets = desk.label(file, **ALL)
    assert targets == [None, None, None, "no", None]
    assert made.resolution.invalid == {
        "'at' is no time": 1,
        "the key is empty": 1,
        "the label is empty": 1,
    }


def test_a_file_without_the_columns_is_left_out_and_said_and_stops_nothing(desk: Desk) -> None:
    made, targets = desk.label("SELECT 1 AS other", [(1, "yes", "a", 1)])
    assert targets[1] == "yes"
    assert "left out of the labels: a file has no column 'id'; it has 'other'" in made.notes


def test_without_any_label_the_rows_stay_as_they_are(desk: Desk) -> None:
    made, targets = desk.label()
    assert (targets, made.labelled) == ([None] * 5, 0)


def test_agreement_is_reported_for_every_pair_with_rows_in_common(desk: Desk) -> None:
    said = [(i, "ab"[i % 2], "anna", 1) for i in range(20)]
    said += [(i, "ab"[i % 2 or i == 0], "bert", 1) for i in range(20)]
    said += [(99, "a", "carl", 1)]
    made, _ = desk.label(said, **ALL)
    (found,) = made.resolution.agreements
    assert (found.labellers, found.rows, found.agreed) == (("anna", "bert"), 20, 0.95)
    assert found.kappa == pytest.approx(0.9)
    assert found.sentence in made.notes


def test_more_than_two_labellers_are_also_compared_all_together(desk: Desk) -> None:
    said = [(i, "ab"[i % 2], who, 1) for i in range(12) for who in ("anna", "bert")]
    made, _ = desk.label(said, **ALL)
    assert made.resolution.overall is None
    said += [(i, "ab"[i % 2 or i == 0], "carl", 1) for i in range(0, 12, 2)] + [
        (99, "a", "dora", 1)
    ]
    made, _ = desk.label(said, **ALL)
    found = made.resolution.overall
    assert found is not None
    # 30 votes, 13 for a and 17 for b; of the pairs in row 0, two of three differ: 2 of 30 votes.
    assert (found.labellers, found.rows) == (3, 12)
    assert found.alpha == pytest.approx(1 - 29 * 2 / (2 * 17 * 13))
    assert found.sentence in made.notes
    assert made.to_plain()["resolution"]["overall"]["alpha"] == found.alpha


def test_all_that_was_said_can_be_looked_up(desk: Desk) -> None:
    declared = Labelling(dataset="said", key=["id"], policy="majority", **ALL)
    said = [(1, "yes", "anna", 1), (1, "no", "anna", 2), (1, "no", "bert", 1), (2, "no", "bert", 1)]
    path = desk.directory / "history.parquet"
    with duckdb.connect() as connection:
        resolve(connection, declared, "y", [desk._part(connection, 0, said)])
        write_history(connection, declared, path)
        columns = "id, label, labeller, day(said_at), current, resolved"
        assert connection.execute(f"SELECT {columns} FROM '{path}'").fetchall() == [
            ("1", "yes", "anna", 1, False, "no"),
            ("1", "no", "bert", 1, True, "no"),
            ("1", "no", "anna", 2, True, "no"),
            ("2", "no", "bert", 1, True, "no"),
        ]


def test_a_key_that_is_no_column_is_refused_and_the_near_one_said(desk: Desk) -> None:
    with pytest.raises(PreparationRefusedError, match=r"'idd' is not among .* the labels' key"):
        desk.label(key=["idd"])


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"policy": "latest"}, "needs 'time'"),
        ({"policy": "majority"}, "only be counted with 'labeller'"),
        ({"voices": 2}, "only be counted with 'labeller'"),
        ({"policy": "expert", "labeller": "who"}, "need each other"),
        ({"experts": ["anna"]}, "need each other"),
    ],
)
def test_a_policy_that_could_never_decide_is_refused(declared: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Labelling(dataset="said", key=["id"], **declared)
