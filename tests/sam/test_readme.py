"""The README's commands work as they stand there, with the tools that people have."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.cloud import CHECKOUT, LocalCloud

README = (CHECKOUT / "README.md").read_text()


def commands(heading: str) -> list[str]:
    """The shell blocks under a heading of the README."""
    (section,) = re.findall(
        rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ )", README, re.MULTILINE | re.DOTALL
    )
    return re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def shell(sam: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """A shell after `make up` and `. .local/env.sh`, with the AWS CLI on its path."""
    with LocalCloud.started(tmp_path_factory.mktemp("cloud")) as cloud:
        path = os.pathsep.join([str(sam.parent), os.environ["PATH"]])

        def run(command: str) -> str:
            done = subprocess.run(
                ["bash", "-euc", f'. "{cloud.state.exports}"\n{command}'],
                cwd=CHECKOUT,
                env={"PATH": path, "HOME": str(cloud.state.path)},
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, done.stderr
            return done.stdout

        yield run


def test_the_use_begins_with_the_cloud_and_its_names() -> None:
    assert commands("Use it") == ["make up\n. .local/env.sh\n"]


def test_uploads_with_the_aws_cli_become_a_model_that_answers_curl(
    shell: Callable[[str], str],
) -> None:
    (upload,) = commands("1. Upload data")
    (follow,) = commands("2. Follow it")
    (ask,) = commands("3. Call the endpoint")
    assert shell(upload).count("upload: ") == 2
    deadline = time.monotonic() + 120
    while "predictions" not in (answer := json.loads(shell(ask))):
        assert time.monotonic() < deadline, answer
        time.sleep(0.5)
    (prediction,) = answer["predictions"]
    assert prediction["prediction"] in prediction["probabilities"]
    assert json.loads(shell(follow))["champion"]["model"] == answer["model"]
