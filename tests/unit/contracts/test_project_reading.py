"""A project file is accepted with defaults, or refused with every mistake located."""

from datetime import timedelta

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from evergreen.contracts.project_file import ProjectFile
from evergreen.contracts.project_reading import ProjectFileRefusedError, read_project_file

SMALLEST = b"""\
project: credit
dataset: applications
target: status
goals: {roc_auc: 0.80}
"""


def problems_of(text: bytes, project: str = "credit") -> tuple[str, ...]:
    with pytest.raises(ProjectFileRefusedError) as refused:
        read_project_file(text, project)
    return refused.value.problems


def test_the_smallest_file_has_defaults_for_everything_else() -> None:
    file = read_project_file(SMALLEST, "credit")
    assert (file.target, file.goals, file.search.folds) == ("status", {"roc_auc": 0.8}, 4)


def test_an_unknown_key_is_refused_with_its_line_and_what_was_meant() -> None:
    assert set(problems_of(SMALLEST.replace(b"target", b"taget"))) == {
        "line 3: 'taget' is not a key of project.yaml; did you mean 'target'?",
        "line 1: 'target' is missing",
    }


def test_a_mistake_in_a_nested_section_is_located() -> None:
    text = SMALLEST + b"search:\n  folds: 4\n  famlies: [linear]\n"
    assert problems_of(text) == (
        "line 7: 'search.famlies' is not a key of project.yaml; did you mean 'families'?",
    )


def test_a_wrong_value_is_located() -> None:
    (problem,) = problems_of(SMALLEST + b"search:\n  folds: one\n")
    assert problem.startswith("line 6: 'search.folds':")


def test_a_step_with_two_keys_is_refused() -> None:
    text = SMALLEST + b"preparation:\n  steps:\n  - {filter: 'a > 1', drop: [b]}\n"
    (problem,) = problems_of(text)
    assert problem.startswith("line 7: 'preparation.steps.0': a step is exactly one of")


def test_a_typo_in_a_part_that_has_a_short_form_gets_a_hint() -> None:
    text = SMALLEST + b"preparation:\n  steps:\n  - deduplicate: {ignroe: [b]}\n"
    (problem,) = problems_of(text)
    assert "'preparation.steps.0.deduplicate.ignroe' is not a key of project.yaml" in problem
    assert problem.endswith("did you mean 'ignore'?")


@pytest.mark.parametrize("time", ["false", "ordered_at"])
def test_the_time_of_rows_can_be_named_or_switched_off(time: str) -> None:
    file = read_project_file(SMALLEST + f"preparation: {{time: {time}}}\n".encode(), "credit")
    assert file.preparation.time == (False if time == "false" else time)


def test_text_that_is_not_yaml_is_refused_with_its_line() -> None:
    (problem,) = problems_of(b"project: credit\ntarget: [\n")
    assert problem.startswith("line 3: not YAML")


def test_a_file_under_the_name_of_another_project_is_refused() -> None:
    assert problems_of(SMALLEST, "debit") == (
        "line 1: project is 'credit', but it was uploaded as 'debit'",
    )


def test_yaml_that_would_build_python_objects_is_refused() -> None:
    assert problems_of(b"!!python/object/apply:os.system ['true']")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("7 days", timedelta(days=7)),
        ("7d", timedelta(days=7)),
        ("1 day", timedelta(days=1)),
        ("2 weeks", timedelta(weeks=2)),
        ("2 hours", timedelta(hours=2)),
        ("90 min", timedelta(minutes=90)),
        ("1.5 hours", timedelta(minutes=90)),
        ("1 day 12 hours", timedelta(hours=36)),
        ("1 day, 2 hours and 3 minutes", timedelta(hours=26, minutes=3)),
        ("12:00:00", timedelta(hours=12)),
        ("PT6H", timedelta(hours=6)),
    ],
)
def test_durations_are_written_in_words(written: str, meant: timedelta) -> None:
    text = SMALLEST + f"retraining: {{cooldown: '{written}'}}\n".encode()
    assert read_project_file(text, "credit").retraining.cooldown == meant


@pytest.mark.parametrize("written", ["7", "0", "1 month", "7 dyas", "daily", "'7'", "1e99 days"])
def test_what_says_no_length_of_time_is_refused_with_an_example(written: str) -> None:
    (problem,) = problems_of(SMALLEST + f"retraining: {{cooldown: {written}}}\n".encode())
    assert problem.startswith("line 5: 'retraining.cooldown': ")
    assert problem.endswith("written like '7 days', '12 hours' or '1 day 30 minutes'")


def test_a_duration_beyond_all_time_is_refused() -> None:
    (problem,) = problems_of(SMALLEST + b"retraining: {cooldown: 99999999999 days}\n")
    assert "longer than any time" in problem


@pytest.mark.parametrize(
    ("section", "place"),
    [
        (
            "data: {d: {constraints: [{column: x, range: [0, .inf]}]}}",
            "data.d.constraints.0.range.1",
        ),
        ("data: {d: {columns: {x: {range: [-.inf, 1]}}}}", "data.d.columns.x.range.0"),
        ("search: {stop_at: .nan}", "search.stop_at"),
        ("promotion: {confidence: .nan}", "promotion.confidence"),
        ("preparation: {steps: [{fill: {a: .inf}}]}", "preparation.steps.0.fill.a.value"),
        ("preparation: {steps: [{clip: {a: {max: .inf}}}]}", "preparation.steps.0.clip.a.max"),
        ("retraining: {cooldown: .inf}", "retraining.cooldown"),
    ],
)
def test_a_number_that_no_record_can_hold_is_refused(section: str, place: str) -> None:
    (problem,) = problems_of(SMALLEST + section.encode())
    assert problem.startswith(f"line 5: '{place}': ")


def test_infinity_is_told_from_a_number() -> None:
    (problem,) = problems_of(SMALLEST.replace(b"0.80", b".inf"))
    assert problem == "line 4: 'goals.roc_auc': expected a finite number, not inf"


def test_a_key_that_stands_twice_is_refused_instead_of_the_last_one_winning() -> None:
    text = SMALLEST + b"preparation:\n  steps:\n  - derive:\n      a: b\n      a: c\ntarget: x\n"
    assert problems_of(text) == (
        "line 9: 'a' stands here already in line 8; keep one",
        "line 10: 'target' stands here already in line 3; keep one",
    )


def test_codes_and_times_of_day_stay_texts() -> None:
    text = SMALLEST + b"preparation: {steps: [{fill: {zip: 00501, at: 10:30, n: 10, x: 0.5}}]}\n"
    (step,) = read_project_file(text, "credit").preparation.steps
    values = [fill.value for fill in (step.fill or {}).values()]
    assert values == ["00501", "10:30", 10, 0.5]


@given(st.text("0123456789_.:eExXobnfai+-~", min_size=1, max_size=8))
def test_what_yaml_writes_as_a_text_is_read_as_one(written: str) -> None:
    filled = yaml.safe_dump({"preparation": {"steps": [{"fill": {"c": written}}]}})
    (step,) = read_project_file(SMALLEST + filled.encode(), "credit").preparation.steps
    assert [fill.value for fill in (step.fill or {}).values()] == [written]


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        ("goals: {acuracy: 1}", "'acuracy' is none of 'roc_auc',"),
        ("goals: {acuracy: 1}", "did you mean 'accuracy'?"),
        ("goals: {f1: high}", "'goals.f1': expected a number, not 'high'"),
        ("search: {families: linear}", "expected a list like [a, b], not 'linear'"),
        ("task: 3", "'task': expected 'binary', 'multiclass' or 'regression', not 3"),
        ("preparation:", "'preparation' is empty; give it a value or leave it out"),
        ("preparation: {time: [a]}", "'preparation.time': expected a text or false, not a list"),
        ("positive: [a]", "'positive': expected a text or true or false or a whole number"),
        ("labels: {key: [a], time: 2020}", "expected a text, not 2020; put it between quotes"),
        ("data: {My Data: {}}", "small letters, digits, '_' and '-' make a name"),
    ],
)
def test_a_wrong_value_is_told_in_words_of_the_file(mistake: str, said: str) -> None:
    (problem,) = problems_of(b"project: credit\ndataset: d\ntarget: t\n" + mistake.encode())
    assert problem.startswith("line 4: ")
    assert said in problem


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("join: {dataset: w, on: id}", "join.on': expected a list like [a, b] or keys with values"),
        ("clip: {a: {minimum: 0}}", "'preparation.steps.0.clip.a.minimum' is not a key"),
        ("clip: {a: {minimum: 0}}", "did you mean 'min'?"),
        ("clip: {a: {low: 0}}", "is not a key of project.yaml; there are min, max"),
        ("fill: {a: {previos_in: t}}", "did you mean 'previous_in'?"),
        ("derive: {date: 3}", "'preparation.steps.0.derive.date': expected a text, not 3"),
        ("derive: {a: coalesce(b, c)}", "a value with a comma in it stands between quotes"),
        ("filter: 'a' = 'b'", "put the whole value between quotes of the other kind"),
        ("filter: a = 'b: c'", "a value with ': ' in it stands between quotes"),
        ("join:\n    dataset: w", "it belongs to 'join': indent it further"),
    ],
)
def test_usual_mistakes_in_steps_get_a_hint(step: str, said: str) -> None:
    problems = problems_of(SMALLEST + f"preparation:\n  steps:\n  - {step}\n".encode())
    assert any(said in problem for problem in problems), problems


def test_on_is_a_key_like_any_other() -> None:
    text = SMALLEST + b"retraining: {on: [drift]}\npositive: yes\n"
    file = read_project_file(text, "credit")
    assert (file.retraining.on, file.positive) == (["drift"], "yes")


def test_a_file_with_steps_survives_its_record() -> None:
    text = SMALLEST + b"preparation: {steps: [{filter: a > 1}, {drop: [b]}]}\n"
    file = read_project_file(text, "credit")
    again = ProjectFile.model_validate(file.model_dump(mode="json"))
    assert again == file
    assert [step.kind for step in again.preparation.steps] == ["filter", "drop"]


def test_goals_belong_to_the_judgement_only() -> None:
    low = read_project_file(SMALLEST, "credit").sections()
    high = read_project_file(SMALLEST.replace(b"0.80", b"0.90"), "credit").sections()
    assert {name for name in low if low[name] != high[name]} == {"judgement"}


@given(st.binary(max_size=400))
def test_any_bytes_are_accepted_or_refused_but_never_crash(content: bytes) -> None:
    try:
        read_project_file(content, "credit")
    except ProjectFileRefusedError as refused:
        assert refused.problems


def test_keys_taken_in_again_and_again_are_refused_in_a_moment() -> None:
    lines = ["m0: &m0 {x: 1}"]
    for n in range(1, 10):
        times = ", ".join([f"*m{n - 1}"] * 9)
        lines.append(f"m{n}: &m{n} {{<<: [{times}]}}")
    (problem,) = problems_of(SMALLEST + "\n".join(lines).encode())
    assert problem.endswith("not YAML: '<<' makes it more than 10,000 keys")
