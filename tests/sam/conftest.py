"""SAM CLI and a container engine for the tests of this folder, or the reason why there are none."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from local.cloud import LocalCloud
from tests.sam.build_output import BuildOutput
from tests.sam.containers import BASE_IMAGE, Containers, open_door
from tests.sam.held_journey import HeldJourney

CHECKOUT = Path(__file__).resolve().parents[2]


def unavailable(reason: str) -> NoReturn:
    """Skip, unless the machine was said to have everything: then it is a failure."""
    if os.environ.get("EVERGREEN_REQUIRE_SAM") == "1":
        pytest.fail(f"EVERGREEN_REQUIRE_SAM=1, but {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def sam() -> Path:
    """The SAM CLI of this checkout."""
    program = CHECKOUT / ".venv-sam" / "bin" / "sam"
    if not program.exists():
        unavailable("SAM CLI is not in .venv-sam; `make test-sam` installs it")
    return program


@pytest.fixture(scope="session")
def build_output(sam: Path) -> BuildOutput:
    """What `make build` makes."""
    # Without the arguments that the `make` around these tests was given.
    environment = {name: of for name, of in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(
        ["make", "build", "ARGS="], cwd=CHECKOUT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return BuildOutput(CHECKOUT / ".aws-sam" / "build")


@pytest.fixture(scope="session")
def engine() -> str:
    """A container engine that has Lambda's image for Python 3.13; its version."""
    try:
        answer = subprocess.run(
            ["docker", "version", "--format", "{{.Server.Version}}"],
            capture_output=True,
            text=True,
            timeout=30,
        )
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        unavailable(f"there is no container engine: {error}")
    if answer.returncode:
        unavailable(f"no container engine answers: {answer.stderr.strip()}")
    for command in ("image inspect", "pull"):
        found = subprocess.run(["docker", *command.split(), BASE_IMAGE], capture_output=True)
        if found.returncode == 0:
            return answer.stdout.strip()
    unavailable(f"the container engine has no {BASE_IMAGE} and cannot pull it")


@pytest.fixture(scope="session")
def journey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeldJourney]:
    """A local cloud in which no function takes its messages by itself."""
    with LocalCloud.started(tmp_path_factory.mktemp("cloud")) as cloud:
        os.environ["AWS_ENDPOINT_URL"] = cloud.endpoint_url
        try:
            yield HeldJourney.of(cloud)
        finally:
            del os.environ["AWS_ENDPOINT_URL"]


@pytest.fixture(scope="session")
def containers(
    engine: str,
    sam: Path,
    build_output: BuildOutput,
    journey: HeldJourney,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Containers]:
    """The built functions in Lambda's containers, talking to the local cloud."""
    with open_door(journey.cloud.endpoint_url) as endpoint_url:
        folder = tmp_path_factory.mktemp("containers")
        yield Containers.prepare(sam, build_output, journey.cloud, endpoint_url, folder)
