"""A project file is accepted with defaults, or refused with every mistake located."""

from datetime import timedelta

import pytest
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


def test_durations_are_written_in_words() -> None:
    file = read_project_file(SMALLEST + b"retraining: {cooldown: 7 days}\n", "credit")
    assert file.retraining.cooldown == timedelta(days=7)


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
