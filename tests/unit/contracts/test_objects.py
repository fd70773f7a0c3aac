"""Keys of the uploads bucket say project and dataset, or are refused with the layout."""

import pytest

from evergreen.contracts.objects import (
    KeyRefusedError,
    dataset_of_upload,
    project_of_file,
    project_of_labels,
)


def test_an_upload_names_project_and_dataset() -> None:
    assert dataset_of_upload("uploads/flights/weather/2013/01.csv") == ("flights", "weather")


@pytest.mark.parametrize(
    "key",
    ["uploads/flights/01.csv", "uploads/flights/weather/", "uploads/../x/y.csv", "uploads/A/b/c"],
)
def test_another_layout_is_refused(key: str) -> None:
    with pytest.raises(KeyRefusedError, match="uploads/<project>/<dataset>/<file>"):
        dataset_of_upload(key)


def test_a_project_file_has_one_name() -> None:
    assert project_of_file("projects/flights/project.yaml") == "flights"
    with pytest.raises(KeyRefusedError):
        project_of_file("projects/flights/project.yml")


def test_labels_name_their_project() -> None:
    assert project_of_labels("labels/flights/may.csv") == "flights"
