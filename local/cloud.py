"""Start, deploy to and stop a local cloud."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.adaptation import adapted
from local.clients import client
from local.expansion import expand, with_code
from local.functions import read_stack_functions, write_functions
from local.outputs import Outputs, read_outputs, write_outputs
from local.packages import package_function, package_layer
from local.stack import deploy, upload
from local.state import Running, StateDirectory

CHECKOUT = Path(__file__).resolve().parent.parent
LOCAL_VALUES = {
    # A person is waiting: a burst of uploads settles within a second.
    "SettleSeconds": "0",
    "CaptureWindowSeconds": "1",
    # One trial per core of a small laptop.
    "TrialConcurrency": "2",
    "SweepSchedule": "rate(1 minute)",
    "DriftSchedule": "rate(10 minutes)",
    "DecideSchedule": "rate(10 minutes)",
    # A benchmark is not a stranger.
    "PredictRateLimit": "10000",
    "PredictBurstLimit": "5000",
}
_STAGE = "live"
_START_SECONDS = 60.0
_STOP_SECONDS = 10.0


class LocalCloudError(RuntimeError):
    """The local cloud is not there or did not come; says what to look at."""


def quiet(_: str) -> None:
    """Take a line of progress and show it to nobody."""


@dataclass
class LocalCloud:
    """One local cloud, running; two with different state directories do not meet."""

    state: StateDirectory
    running: Running
    checkout: Path = CHECKOUT
    say: Callable[[str], None] = field(default=quiet, repr=False)
    _clients: dict[str, Any] = field(default_factory=dict, repr=False)

    # ---- life -----------------------------------------------------------------------------------

    @classmethod
    @contextmanager
    def started(
        cls,
        directory: Path,
        *,
        checkout: Path = CHECKOUT,
        values: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        warm: bool = False,
        say: Callable[[str], None] = quiet,
    ) -> Iterator[LocalCloud]:
        """A cloud of one's own with the stack deployed, stopped with the block or this process.

        `directory` keeps its state. `values` are template parameters, `environment` adds to that
        of MiniStack and the functions, `checkout` is where the template and the code are; `warm`
        starts all workers in the background instead of each with its first event.
        """
        state = StateDirectory(Path(directory).resolve())
        options = [f"--with-parent={os.getpid()}", *(["--warm"] if warm else [])]
        options += [f"--environment={name}={of}" for name, of in (environment or {}).items()]
        with _start_keeper(state, options) as keeper:
            try:
                cloud = cls(state, _await_answer(state, keeper, say), checkout, say)
                cloud.deploy(values)
                yield cloud
            finally:
                _end(state, keeper.pid)

    @classmethod
    def up(cls, state: StateDirectory, say: Callable[[str], None]) -> LocalCloud:
        """The cloud of a directory, started unless it runs; it stays when this process ends."""
        cloud = cls.attached(state, say)
        if cloud is None:
            keeper = _start_keeper(state, ["--warm"])
            cloud = cls(state, _await_answer(state, keeper, say), say=say)
        return cloud

    @classmethod
    def attached(
        cls, state: StateDirectory, say: Callable[[str], None] = quiet
    ) -> LocalCloud | None:
        """The cloud that runs in a directory, or None."""
        running = state.running()
        return cls(state, running, say=say) if running else None

    @staticmethod
    def stop(state: StateDirectory) -> bool:
        """End the cloud of a directory with everything in it; False when there was none."""
        running = state.running()
        if running is None:
            return False
        _end(state, running.keeper)
        return True

    # ---- deployment -----------------------------------------------------------------------------

    def deploy(self, values: Mapping[str, str] | None = None) -> Outputs:
        """Bring the stack up to date with the checkout; writes and returns the outputs.

        `values` are template parameters on top of the local ones.
        """
        values = LOCAL_VALUES | dict(values or {})
        expanded = expand(
            self.checkout / "template.yaml", values, self.state.packages / "template.json"
        )
        functions = {
            name: package_function(self.checkout / folder, self.state.packages)
            for name, folder in expanded.functions.items()
        }
        layers = {
            name: package_layer(self.checkout / folder, self.state.packages)
            for name, folder in expanded.layers.items()
        }
        upload(self.client("s3"), [p.path for p in {**functions, **layers}.values()])
        template = adapted(with_code(expanded, functions, layers), values)
        done = deploy(
            self.client("s3"), self.client("cloudformation"), json.dumps(template), values
        )
        self.say(f"the stack is {done}")
        outputs = read_outputs(
            self.client("cloudformation"), self.client("apigateway"), self.endpoint_url, _STAGE
        )
        stack_functions = read_stack_functions(
            self.client("cloudformation"), template, expanded.functions
        )
        write_functions(stack_functions, self.state)
        write_outputs(outputs, self.state)
        return outputs

    # ---- use ------------------------------------------------------------------------------------

    @property
    def endpoint_url(self) -> str:
        """Where every AWS service answers."""
        return self.running.endpoint_url

    @property
    def outputs(self) -> Outputs:
        """The names of the deployed stack."""
        return Outputs(**json.loads(self.state.outputs.read_text()))

    def wait_until_warm(self, seconds: float = 120) -> bool:
        """Wait for the workers of a cloud started with `warm`; False when they do not come."""
        deadline = time.monotonic() + seconds
        while not self.state.is_warm():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def client(self, service: str) -> Any:
        """A boto3 client of this cloud, one per service."""
        if service not in self._clients:
            self._clients[service] = client(service, self.endpoint_url, self.running.region)
        return self._clients[service]


def _start_keeper(state: StateDirectory, options: Sequence[str]) -> subprocess.Popen[bytes]:
    if state.is_held():
        raise LocalCloudError(f"a local cloud runs in {state.path} already; `make down` stops it")
    state.path.mkdir(parents=True, exist_ok=True)
    with state.log.open("w") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "local.keeper", str(state.path), *options],
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _await_answer(
    state: StateDirectory, keeper: subprocess.Popen[bytes], say: Callable[[str], None]
) -> Running:
    say("starting MiniStack")
    deadline = time.monotonic() + _START_SECONDS
    while (running := state.running()) is None:
        if keeper.poll() is not None or time.monotonic() > deadline:
            raise LocalCloudError(
                f"the local cloud did not start; {state.log} ends with:\n{_tail(state.log)}"
            )
        time.sleep(0.02)
    return running


def _end(state: StateDirectory, keeper: int) -> None:
    # The keeper ends its group; should it not manage, everybody in it is ended.
    for end, number in ((os.kill, signal.SIGTERM), (os.killpg, signal.SIGKILL)):
        try:
            end(keeper, number)
        except ProcessLookupError:
            if state.is_held():
                continue
        deadline = time.monotonic() + _STOP_SECONDS
        while time.monotonic() < deadline:
            if not state.is_held():
                state.forget()
                return
            time.sleep(0.02)
    raise LocalCloudError(f"process group {keeper} does not end")


def _tail(path: Path, lines: int = 15) -> str:
    return "\n".join(path.read_text().splitlines()[-lines:])
