"""Feedback rows stand under the prepared rows: what was asked, and what came true."""

from tests.unit.features.workshop import Workshop, hundred, names

FEEDBACK = (
    "SELECT 'p' || i AS prediction_id, TIMESTAMP '2021-01-01' + INTERVAL (i) DAY AS happened_at, "
    '(i % 7 + 0.5)::DOUBLE AS "input.x", \'c\' || (i % 3) AS "input.c", '
    "CASE WHEN i % 2 = 0 THEN 'true' ELSE 'false' END AS label FROM range(50) r(i)"
)
ROWS = hundred("i % 7 AS x, 'c' || (i % 3) AS c, i % 5 AS other")


def test_they_become_rows_behind_the_others(workshop: Workshop) -> None:
    made = workshop.prepare(ROWS, feedback=[FEEDBACK])
    assert made.rows == 150
    assert workshop.written("x, c, other, y")[100:102] == [
        (0.5, "c0", None, True),
        (1.5, "c1", None, False),
    ]
    assert "50 labelled predictions are learned from too" in made.notes


def test_they_come_after_the_steps(workshop: Workshop) -> None:
    made = workshop.prepare(
        ROWS, {"derive": {"x": "x * 100"}}, {"filter": "other < 4"}, feedback=[FEEDBACK]
    )
    assert made.rows == 130
    assert max(x for (x,) in workshop.written("x")[80:]) == 6.5


def test_a_prediction_counts_once_with_its_newest_label(workshop: Workshop) -> None:
    def labelled(day: int, label: str) -> str:
        return (
            "SELECT 'p' AS prediction_id, TIMESTAMP '2021-01-01' AS happened_at, "
            f"7.5 AS \"input.x\", '{label}' AS label, TIMESTAMP '2021-02-{day:02}' AS labelled_at"
        )

    made = workshop.prepare(ROWS, feedback=[labelled(2, "true"), labelled(1, "false")])
    assert made.rows == 101
    assert workshop.written("x, y")[100] == (7.5, True)


def test_a_label_that_is_no_target_value_is_left_out_and_said(workshop: Workshop) -> None:
    wrong = FEEDBACK.replace("'false'", "'perhaps'")
    made = workshop.prepare(ROWS, feedback=[wrong])
    assert (made.rows, made.dropped_without_target) == (125, 25)
    assert "25 of them have a label that is no target value" in made.notes


def test_labels_are_read_as_the_targets_type(workshop: Workshop) -> None:
    rows = "SELECT i % 7 AS x, {y} AS y FROM range(100) r(i)"
    labels = FEEDBACK.replace("'true'", "'1.0'").replace("'false'", "'2.5'")
    real = workshop.prepare(rows.replace("{y}", "i / 2"), feedback=[labels]).training_set
    assert real.target[100:102].tolist() == [1.0, 2.5]
    whole = workshop.prepare(rows.replace("{y}", "i % 3"), feedback=[labels])
    assert whole.dropped_without_target == 25
    assert whole.training_set.signature.classes == ("0", "1", "2")


def test_columns_that_are_gone_are_said(workshop: Workshop) -> None:
    made = workshop.prepare(ROWS, {"drop": ["c"]}, feedback=[FEEDBACK])
    assert names(made) == ("x", "other")
    assert any("no longer have: 'c'" in note for note in made.notes)


def test_a_prediction_without_a_time_happened_when_it_was_asked(workshop: Workshop) -> None:
    rows = hundred("i % 7 AS x, DATE '2020-01-01' + i::INTEGER AS day")
    made = workshop.prepare(rows, feedback=[FEEDBACK], time="day")
    assert made.training_set.holdout[-30:].all()
    assert not made.training_set.holdout[:120].any()
    assert [day for (day,) in workshop.written("day")][100:] == [None] * 50


def test_a_row_number_stays_one_beside_predictions_without_it(workshop: Workshop) -> None:
    made = workshop.prepare(hundred("i AS id, i % 7 AS x"), feedback=[FEEDBACK])
    assert names(made) == ("x",)
