"""Bad uploads are refused with a located reason, and leave the next good upload to work."""

from typing import Any

import pytest

GOOD = "age,income,bought\n" + "\n".join(
    f"{20 + i % 50},{1000 + 37 * i % 900},{'yes' if (i % 50) > 25 else 'no'}" for i in range(120)
)
PROJECT = (
    "project: {name}\ndataset: people\ntarget: bought\nsearch: {{families: [linear], trials: 1}}\n"
)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("png", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4, ""),
        ("empty", b"", "empty"),
        ("without-target", b"age,income\n1,2\n3,4\n", "bought"),
    ],
)
def test_a_bad_upload_is_quarantined_and_the_next_good_one_works(
    person: Any, name: str, content: bytes, expected: str
) -> None:
    project = f"bad-{name}"
    person.upload(f"projects/{project}/project.yaml", PROJECT.format(name=project))
    person.wait_for(project, "ProjectChanged")
    person.upload(f"uploads/{project}/people/people.csv", content)
    entry = person.wait_for(project, "UploadQuarantined")
    assert expected in entry["summary"]
    assert person.lake.read(entry["detail"]["record"])
    assert person.catalogue.dataset(project, "people") is None
    person.upload(f"uploads/{project}/people/people.csv", GOOD)
    person.wait_for(project, "ModelPromoted", "ModelHeld")


def test_a_project_file_with_a_typo_is_refused_with_its_line(person: Any) -> None:
    person.upload("projects/typo/project.yaml", "project: typo\ndataset: people\ntaget: bought\n")
    entry = person.wait_for("typo", "ProjectRefused")
    assert (
        "line 3: 'taget' is not a key of project.yaml; did you mean 'target'?" in entry["summary"]
    )
    assert person.catalogue.project_file("typo") is None


def test_a_dataset_without_its_project_file_waits_and_says_so(person: Any) -> None:
    person.upload("uploads/early/people/people.csv", GOOD)
    entry = person.wait_for("early", "TrainingSetAwaited")
    assert "projects/early/project.yaml" in entry["summary"]
    person.upload("projects/early/project.yaml", PROJECT.format(name="early"))
    person.wait_for("early", "ModelPromoted", "ModelHeld")


def test_a_step_that_fails_is_named(person: Any) -> None:
    text = (
        PROJECT.format(name="step") + "preparation: {steps: [{derive: {ratio: 'income / agee'}}]}\n"
    )
    person.upload("projects/step/project.yaml", text)
    person.upload("uploads/step/people/people.csv", GOOD)
    entry = person.wait_for("step", "TrainingSetRefused")
    assert "agee" in entry["summary"]
