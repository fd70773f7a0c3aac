"""Functions in Lambda's own containers, by `sam local invoke`, talking to the local cloud."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from local.cloud import LocalCloud
from local.stack import STACK
from tests.sam.build_output import BuildOutput

BASE_IMAGE = "public.ecr.aws/lambda/python:3.13-x86_64"


@dataclass(frozen=True)
class Answer:
    """What a function answered, and what it logged on the way."""

    payload: Any
    log: str


@dataclass(frozen=True)
class Containers:
    """The built functions, each started anew for one event, with the permissions of its role."""

    sam: Path
    template: Path
    variables: Path
    roles: Mapping[str, str]
    cloud: LocalCloud

    @classmethod
    def prepare(
        cls, sam: Path, built: BuildOutput, cloud: LocalCloud, endpoint_url: str, folder: Path
    ) -> Containers:
        """Give the functions the environment that they have in the local cloud.

        SAM CLI passes on only variables that the template declares, and the template, which is
        AWS's, has no reason to declare where AWS is: hence a copy of it that does.
        """
        declared = built.template
        variables = declared["Globals"]["Function"]["Environment"]["Variables"]
        variables.setdefault("AWS_ENDPOINT_URL", "")
        template = built.folder / "for-the-local-cloud.json"
        template.write_text(json.dumps(declared))
        values, roles = {}, {}
        for function in built.functions:
            physical = cloud.client("cloudformation").describe_stack_resource(
                StackName=STACK, LogicalResourceId=function
            )["StackResourceDetail"]["PhysicalResourceId"]
            known = cloud.client("lambda").get_function_configuration(FunctionName=physical)
            roles[function] = known["Role"]
            values[function] = {
                name: value.replace(cloud.endpoint_url, endpoint_url)
                for name, value in known["Environment"]["Variables"].items()
            } | {"AWS_ENDPOINT_URL": endpoint_url}
        path = folder / "variables.json"
        path.write_text(json.dumps(values))
        return cls(sam, template, path, roles, cloud)

    def invoke(self, function: str, event: Path) -> Answer:
        """Run one function once; SAM's exit code is 0 whatever the function does."""
        session = self.cloud.client("sts").assume_role(
            RoleArn=self.roles[function], RoleSessionName="container"
        )["Credentials"]
        environment = {
            "AWS_ACCESS_KEY_ID": session["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
            "AWS_SESSION_TOKEN": session["SessionToken"],
            "AWS_DEFAULT_REGION": "us-east-1",
            "SAM_CLI_TELEMETRY": "0",
        }
        done = subprocess.run(
            [
                *(self.sam, "local", "invoke", function, "--skip-pull-image"),
                *("--template", self.template, "--env-vars", self.variables, "--event", event),
            ],
            cwd=self.template.parent,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.stdout.strip(), f"{function} answered nothing:\n{done.stderr[-4000:]}"
        return Answer(json.loads(done.stdout.strip().splitlines()[-1]), done.stderr)


@contextmanager
def open_door(endpoint_url: str) -> Iterator[str]:
    """Let containers reach a service that listens on this machine alone; yields its address there.

    Where the engine's bridge is an interface of this machine, a relay listens on it, and on nothing
    that other machines reach. Docker Desktop has a name for the host, and no such interface.
    """
    port = urlsplit(endpoint_url).port
    assert port is not None
    gateway = _gateway()
    door = socket.socket()
    try:
        door.bind((gateway, 0))
    except OSError:
        door.close()
        yield f"http://host.docker.internal:{port}"
        return
    with door:
        door.listen()
        threading.Thread(target=_serve, args=(door, port), daemon=True).start()
        yield f"http://{gateway}:{door.getsockname()[1]}"


def _gateway() -> str:
    """The address by which a container reaches the host, as its own table of routes has it."""
    routes = subprocess.run(
        ["docker", "run", "--rm", "--entrypoint", "cat", BASE_IMAGE, "/proc/net/route"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    default = next(line.split() for line in routes.splitlines() if line.split()[1] == "00000000")
    return socket.inet_ntoa(bytes.fromhex(default[2])[::-1])  # little-endian


def _serve(door: socket.socket, port: int) -> None:
    with suppress(OSError):  # the door is closed
        while True:
            visitor, _ = door.accept()
            threading.Thread(target=_relay, args=(visitor, port), daemon=True).start()


def _relay(visitor: socket.socket, port: int) -> None:
    with visitor, socket.create_connection(("127.0.0.1", port)) as host:
        back = threading.Thread(target=_carry, args=(host, visitor), daemon=True)
        back.start()
        _carry(visitor, host)
        back.join()


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
