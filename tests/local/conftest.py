"""A local cloud whose functions are all the same recorder: what is tested is the cloud."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.cloud import LocalCloud
from tests.local.watching import Watcher, recording_checkout

collect_ignore = ["recorder.py"]  # a function's code: it wants a function's environment


@pytest.fixture(scope="session")
def watcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watcher]:
    checkout = recording_checkout(tmp_path_factory.mktemp("checkout"))
    with LocalCloud.started(tmp_path_factory.mktemp("state"), checkout=checkout) as cloud:
        yield Watcher(cloud)
