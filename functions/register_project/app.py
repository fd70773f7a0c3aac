"""Validate an uploaded project file, compare it with the last one and record it."""

import tempfile
from pathlib import Path

from evergreen.cloud.lake import UploadNotFetchedError, fetch_upload
from evergreen.cloud.runtime import Message, Stage, on_messages
from evergreen.contracts.facts import ProjectChanged, ProjectRefused
from evergreen.contracts.objects import KeyRefusedError, UploadedObject, project_of_file
from evergreen.contracts.project_reading import (
    MAXIMUM_BYTES,
    ProjectFileRefusedError,
    read_project_file,
)

stage = Stage("register_project")


def register(message: Message) -> None:
    """Take one project file."""
    upload = UploadedObject.from_event(message.body)
    try:
        project = project_of_file(upload.key)
    except KeyRefusedError as error:
        refused = ProjectRefused(project="unknown", key=upload.key, problems=(str(error),))
        stage.say(message, refused)
        return
    try:
        with tempfile.TemporaryDirectory() as directory:
            path = fetch_upload(upload, Path(directory, "project.yaml"), MAXIMUM_BYTES)
            file = read_project_file(path.read_bytes(), project)
    except (ProjectFileRefusedError, UploadNotFetchedError) as error:
        problems = getattr(error, "problems", (str(error),))
        stage.catalogue.list_project(project)
        stage.say(message, ProjectRefused(project=project, key=upload.key, problems=problems))
        return
    digest, sections = stage.catalogue.change_project(file)
    stage.say(message, ProjectChanged(project=project, file_digest=digest, sections=sections))


handler = on_messages(register)
