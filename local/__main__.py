"""`python -m local up|down|deploy|status|logs`, which `make up` and its like call."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from local.cloud import CHECKOUT, LocalCloud, LocalCloudError
from local.functions import read_functions
from local.logs import follow
from local.packages import CodeRefusedError
from local.stack import DeploymentError
from local.state import StateDirectory
from local.waiting import waiting_messages


def main(arguments: list[str]) -> int:
    """Do what the command line asks for; the exit code."""
    options = _parser().parse_args(arguments)
    try:
        run: Callable[[argparse.Namespace], None] = options.run
        run(options)
    except (LocalCloudError, DeploymentError, CodeRefusedError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # a reader such as `head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def up(options: argparse.Namespace) -> None:
    """Start the cloud unless it runs, bring its stack up to date, say how to reach it."""
    cloud = LocalCloud.up(StateDirectory(options.directory), _said_with_time())
    for name, value in asdict(cloud.deploy()).items():
        print(f"  {name:<15} {value}")
    print(f"These are also in {_short(cloud.state.outputs)}. For a shell:")
    print(f"  . {_short(cloud.state.exports)}")


def down(options: argparse.Namespace) -> None:
    """Stop the cloud with everything in it."""
    stopped = LocalCloud.stop(StateDirectory(options.directory))
    print("the local cloud is stopped" if stopped else "no local cloud runs here")


def deploy(options: argparse.Namespace) -> None:
    """Bring the running cloud up to date with the checkout."""
    _attached(options).deploy()


def status(options: argparse.Namespace) -> None:
    """Say where the cloud answers and where messages wait."""
    cloud = _attached(options)
    print(f"the local cloud answers at {cloud.endpoint_url}")
    for line in waiting_messages(cloud.client("sqs")):
        print(f"  {line}")


def logs(options: argparse.Namespace) -> None:
    """Print what functions have logged, and with --follow what they go on to log."""
    cloud = _attached(options)
    functions = read_functions(cloud.state)
    known = [function.stage for function in functions]
    if options.stage is not None and options.stage not in known:
        raise LocalCloudError(f"no function {options.stage}; there are {', '.join(known)}")
    if options.stage is None:
        # MiniStack says here which workers did not start, and why.
        for line in cloud.state.log.read_text().splitlines():
            print(f"{'(the cloud)':<22} {line}")
    chosen = [function for function in functions if options.stage in {None, function.stage}]
    for stage, line in follow(cloud.client("logs"), chosen, forever=options.follow):
        print(f"{stage:<22} {line}", flush=True)


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--directory",
        type=lambda text: Path(text).resolve(),
        default=CHECKOUT / ".local",
        help="where the cloud keeps its state (default: .local in the checkout)",
    )
    parser = argparse.ArgumentParser(prog="python -m local", description="The local cloud.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (up, down, deploy, status, logs):
        text = (command.__doc__ or "").rstrip(".")
        sub = commands.add_parser(
            command.__name__, parents=[shared], help=text, description=text + "."
        )
        sub.set_defaults(run=command)
        if command is logs:
            sub.add_argument("stage", nargs="?", help="such as ingest_upload; default: all")
            sub.add_argument("--follow", action="store_true", help="do not end")
    return parser


def _attached(options: argparse.Namespace) -> LocalCloud:
    cloud = LocalCloud.attached(StateDirectory(options.directory), _said_with_time())
    if cloud is None:
        raise LocalCloudError("no local cloud runs here; `make up` starts it")
    return cloud


def _said_with_time() -> Callable[[str], None]:
    start = time.monotonic()
    return lambda text: print(f"{time.monotonic() - start:5.1f} s  {text}", flush=True)


def _short(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
