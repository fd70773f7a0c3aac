"""The process that lives as long as a local cloud and ends it whole.

Started by `local.cloud`, never by hand. It leads a process group of its own, so that ending the
group ends MiniStack and every function's worker with it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from subprocess import Popen

from botocore.exceptions import BotoCoreError, ClientError

from local.clients import client
from local.functions import read_functions
from local.metrics_pump import MetricsPump
from local.ministack import REGION, ministack
from local.state import Running, StateDirectory
from local.warming import warm

_LOOK_SECONDS = 0.2
_PUMP_SECONDS = 10.0


def main(arguments: list[str]) -> int:
    """Keep a cloud until SIGTERM, until MiniStack ends or, if told so, until the parent ends."""
    parser = argparse.ArgumentParser(prog="local.keeper")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--with-parent", type=int, metavar="PID")
    parser.add_argument("--warm", action="store_true")
    parser.add_argument("--environment", action="append", default=[], metavar="NAME=VALUE")
    options = parser.parse_args(arguments)
    state = StateDirectory(options.directory)
    extra = dict(item.split("=", 1) for item in options.environment)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program in front
    with state.held() as lock:
        shutil.rmtree(state.temporary, ignore_errors=True)
        state.temporary.mkdir(parents=True)
        try:
            with ministack(state.path, state.temporary, extra, lock) as (process, url):
                state.write_running(Running(os.getpid(), url, REGION))
                for chore in [_pump_metrics, *([_keep_warm] if options.warm else [])]:
                    threading.Thread(target=chore, args=(state, url, stop), daemon=True).start()
                _wait(process, stop, options.with_parent)
        finally:
            state.forget()
            _end_workers()
            _remove(state.temporary)
    return 0


def _wait(process: Popen[bytes], stop: threading.Event, parent: int | None) -> None:
    while not stop.wait(_LOOK_SECONDS):
        if process.poll() is not None:
            print(f"MiniStack ended by itself ({process.returncode})", flush=True)
            return
        if parent is not None and os.getppid() != parent:
            return


def _pump_metrics(state: StateDirectory, url: str, stop: threading.Event) -> None:
    while not state.outputs.exists():
        if stop.wait(_LOOK_SECONDS):
            return
    pump = MetricsPump(lambda service: client(service, url, REGION))
    while not stop.wait(_PUMP_SECONDS):
        try:
            pump.pump()
        except (BotoCoreError, ClientError) as error:
            # A queue that a deployment has just removed; the next pass sees what is there then.
            print(f"a pass of the metrics pump failed: {error}", flush=True)


def _keep_warm(state: StateDirectory, url: str, stop: threading.Event) -> None:
    deployed = None
    while not stop.wait(_LOOK_SECONDS):
        # Every deployment, also one that changed a single function, writes the outputs last.
        if state.outputs.exists() and deployed != (now := state.outputs.stat().st_mtime_ns):
            deployed = now
            warm(client("lambda", url, REGION), read_functions(state))
            state.warm.write_text(str(deployed))


def _end_workers() -> None:
    # A worker whose MiniStack is gone ends when it next reads its input; one in the middle of
    # a long handler would go on.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)


def _remove(directory: Path) -> None:
    # A worker that is about to end may write there while it is being emptied.
    for _ in range(20):
        shutil.rmtree(directory, ignore_errors=True)
        if not directory.exists():
            return
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
