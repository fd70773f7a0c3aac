"""A cloud starts, takes changes and ends whole, whatever happens to who started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from local.cloud import CHECKOUT, LocalCloud, LocalCloudError
from local.packages import CodeRefusedError
from local.stack import DeploymentError
from local.state import Running, StateDirectory, read_json
from tests.local.watching import Watcher, recording_checkout

PROGRAM = """
import sys, time
from pathlib import Path
from local.cloud import LocalCloud
with LocalCloud.started(Path(sys.argv[1]), checkout=Path(sys.argv[2])) as cloud:
    print("started", flush=True)
    time.sleep(600)
"""


def processes_of_group(group: int) -> list[str]:
    """The command lines of the processes in a group."""
    listing = subprocess.run(
        ["ps", "-A", "-o", "pgid=,stat=,args="],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    rows = [line.split(maxsplit=2) for line in listing.splitlines()]
    return [args for pgid, state, args in rows if int(pgid) == group and state[0] != "Z"]


def files_of(checkout: Path) -> list[Path]:
    return [path for path in checkout.rglob("*") if path.is_file()]


def local(command: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run `python -m local`."""
    return subprocess.run(
        [sys.executable, "-m", "local", command, "--directory", str(directory)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )


def assert_gone(running: Running, state: StateDirectory, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while processes_of_group(running.keeper) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert processes_of_group(running.keeper) == []
    assert state.running() is None
    assert not state.outputs.exists()
    with pytest.raises(urllib3.exceptions.HTTPError):
        urllib3.PoolManager(retries=False).request("GET", running.endpoint_url)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recording_checkout(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="module")
def cloud_to_edit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    made = recording_checkout(tmp_path_factory.mktemp("edited"))
    with LocalCloud.started(tmp_path_factory.mktemp("state"), checkout=made) as cloud:
        yield cloud


@pytest.fixture
def edited(cloud_to_edit: LocalCloud) -> Iterator[LocalCloud]:
    """A cloud whose checkout may be edited: it is as it was before the next test."""
    before = {path: path.read_bytes() for path in files_of(cloud_to_edit.checkout)}
    yield cloud_to_edit
    for path in set(files_of(cloud_to_edit.checkout)) - set(before):
        path.unlink()
    for path, content in before.items():
        path.write_bytes(content)
    cloud_to_edit.deploy()


def test_nothing_is_left_when_the_block_ends_or_fails(tmp_path: Path, checkout: Path) -> None:
    def fail() -> None:
        with LocalCloud.started(tmp_path, checkout=checkout) as cloud:
            seen.append(cloud.running)
            watcher = Watcher(cloud)
            watcher.noted("ingest_upload", watcher.upload("uploads/p/d/rows.csv"))
            # The keeper, MiniStack and a worker at the least.
            assert len(processes_of_group(cloud.running.keeper)) >= 3
            raise ZeroDivisionError

    seen: list[Running] = []
    with pytest.raises(ZeroDivisionError):
        fail()
    assert_gone(seen[0], StateDirectory(tmp_path))
    assert not (tmp_path / "tmp").exists()


def test_nothing_is_left_when_the_program_that_started_it_is_killed(
    tmp_path: Path, checkout: Path
) -> None:
    state = StateDirectory(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path), str(checkout)],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"started\n"
        running = state.running()
        assert running is not None
        program.kill()
    assert_gone(running, state)


def test_nothing_is_left_when_ministack_dies(tmp_path: Path, checkout: Path) -> None:
    with LocalCloud.started(tmp_path, checkout=checkout) as cloud:
        listing = subprocess.run(
            ["ps", "-A", "-ww", "-o", "pid=,pgid=,args="],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        (pid,) = [
            int(pid)
            for pid, pgid, args in (line.split(maxsplit=2) for line in listing.splitlines())
            if int(pgid) == cloud.running.keeper and "ministack_process.py" in args
        ]
        os.kill(pid, signal.SIGKILL)
        assert_gone(cloud.running, cloud.state)


def test_a_cloud_whose_keeper_was_killed_can_be_stopped(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path)
    assert local("up", tmp_path).returncode == 0
    running = state.running()
    assert running is not None
    os.kill(running.keeper, signal.SIGKILL)
    assert "stopped" in local("down", tmp_path).stdout
    assert_gone(running, state)


def test_a_second_cloud_has_a_directory_of_its_own(
    watcher: Watcher, tmp_path: Path, checkout: Path
) -> None:
    with LocalCloud.started(tmp_path, checkout=checkout) as second:
        began = Watcher(second).upload("uploads/p/d/rows.csv")
        assert Watcher(second).noted("promote_model", began)
        assert second.endpoint_url != watcher.cloud.endpoint_url
        with pytest.raises(AssertionError):
            watcher.noted("promote_model", began, seconds=1)


def test_a_directory_takes_one_cloud(watcher: Watcher) -> None:
    with (
        pytest.raises(LocalCloudError, match=r"runs in .* already"),
        LocalCloud.started(watcher.cloud.state.path),
    ):
        pass
    assert watcher.cloud.state.running() == watcher.cloud.running


@pytest.mark.timed
def test_an_edited_handler_runs_from_the_next_event_on(edited: LocalCloud) -> None:
    watcher = Watcher(edited)
    began = watcher.upload("uploads/p/d/rows.csv")
    assert watcher.noted("ingest_upload", began)["edition"] == "first"
    handler = edited.checkout / "functions/ingest_upload/app.py"
    handler.write_text(handler.read_text().replace('"first"', '"second"'))
    before = time.monotonic()
    edited.deploy()
    assert time.monotonic() - before < 2
    began = watcher.upload("uploads/p/d/rows.csv")
    assert watcher.noted("ingest_upload", began)["edition"] == "second"
    assert watcher.noted("prepare_training_set", began)["edition"] == "first"


def test_an_edited_package_runs_from_the_next_event_on(edited: LocalCloud) -> None:
    package = edited.checkout / "layers/evergreen/python/shared_edition.py"
    handler = edited.checkout / "functions/sweep/app.py"
    handler.write_text(
        handler.read_text().replace('EDITION = "first"', "from shared_edition import EDITION")
    )
    sqs, watcher = edited.client("sqs"), Watcher(edited)
    for edition in ("third", "fourth"):
        package.write_text(f'EDITION = "{edition}"\n')
        edited.deploy()
        began = time.time()
        sqs.send_message(QueueUrl=watcher.physical("SweepQueue"), MessageBody="{}")
        assert watcher.noted("sweep", began)["edition"] == edition


def test_code_that_does_not_compile_is_refused_before_anything_changes(edited: LocalCloud) -> None:
    (edited.checkout / "functions/sweep/app.py").write_text("def handler(:\n")
    with pytest.raises(CodeRefusedError, match=r"app\.py does not compile"):
        edited.deploy()
    (edited.checkout / "functions/sweep/app.py").unlink()
    with pytest.raises(CodeRefusedError, match="functions/sweep has no code"):
        edited.deploy()


def test_a_refused_resource_is_named_with_the_reason_and_can_be_mended(edited: LocalCloud) -> None:
    template = edited.checkout / "template.yaml"
    good = template.read_text()
    for edit, complaint in [
        (("Threshold: 1000", "Threshold: !Ref StageName"), "PredictLatencyAlarm"),
        (("AWS::CloudWatch::Dashboard", "AWS::Budgets::Budget"), "AWS::Budgets::Budget"),
    ]:
        template.write_text(good.replace(*edit))
        with pytest.raises(DeploymentError, match=complaint):
            edited.deploy()
        template.write_text(good)
        assert edited.deploy() == edited.outputs


def test_a_stack_that_could_not_be_created_can_be_created_later(edited: LocalCloud) -> None:
    template = edited.checkout / "template.yaml"
    good = template.read_text()
    edited.client("cloudformation").delete_stack(StackName="evergreen")
    template.write_text(good.replace("Threshold: 1000", "Threshold: !Ref StageName"))
    with pytest.raises(DeploymentError, match="PredictLatencyAlarm"):
        edited.deploy()
    template.write_text(good)
    watcher = Watcher(edited)
    edited.deploy()
    assert watcher.noted("ingest_upload", watcher.upload("uploads/p/d/rows.csv"))


def test_a_warm_cloud_has_workers_before_the_first_event(tmp_path: Path, checkout: Path) -> None:
    with LocalCloud.started(tmp_path, checkout=checkout, warm=True) as cloud:
        assert cloud.wait_until_warm()
        before = processes_of_group(cloud.running.keeper)
        # Twenty functions, one of them twice; MiniStack and the keeper.
        assert len(before) == 23
        watcher = Watcher(cloud)
        watcher.noted("promote_model", watcher.upload("uploads/p/d/rows.csv"))
        assert len(processes_of_group(cloud.running.keeper)) == len(before)


def test_up_deploy_status_and_down_do_as_they_say(tmp_path: Path) -> None:
    assert "no local cloud runs here; `make up` starts it" in local("deploy", tmp_path).stderr
    try:
        up = local("up", tmp_path)
        assert up.returncode == 0, up.stderr
        outputs = read_json(tmp_path / "outputs.json")
        assert list(outputs) == [
            "endpoint_url", "region", "uploads_bucket", "lake_bucket",
            "table", "feature_table", "feature_events_queue", "bus", "api_url", "api_key",
        ]  # fmt: skip
        assert all(value in up.stdout for value in outputs.values())
        assert "the stack is unchanged" in local("deploy", tmp_path).stdout
        assert outputs["endpoint_url"] in local("status", tmp_path).stdout
        shell = f'. {tmp_path}/env.sh && echo "$AWS_ENDPOINT_URL $UPLOADS_BUCKET"'
        said = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True)
        assert said.stdout.split() == [outputs["endpoint_url"], outputs["uploads_bucket"]]
        assert "the stack is unchanged" in local("up", tmp_path).stdout
        running = StateDirectory(tmp_path).running()
        assert running is not None
    finally:
        down = local("down", tmp_path)
    assert "stopped" in down.stdout
    assert_gone(running, StateDirectory(tmp_path))
    assert "no local cloud runs here" in local("down", tmp_path).stdout
