"""What holds for every test: nobody's account is reached, and unit tests reach no network."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any, NoReturn

import hypothesis
import pytest

UNIT = Path(__file__).parent / "unit"

# Made-up credentials, before any client is made: a forgotten stand-in must not find real ones.
for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_CONFIG_FILE"):
    os.environ.pop(name, None)
os.environ.update(
    AWS_ACCESS_KEY_ID="test",
    AWS_SECRET_ACCESS_KEY="test",
    AWS_DEFAULT_REGION="us-east-1",
    AWS_SHARED_CREDENTIALS_FILE=os.devnull,
    AWS_EC2_METADATA_DISABLED="true",
    # As on Lambda; with a busy neighbour, spinning threads make tests a hundred times slower.
    OMP_NUM_THREADS="1",
)

# A slow example on a busy machine is no failure; a failing one can be repeated from what it prints.
hypothesis.settings.register_profile("evergreen", deadline=None, print_blob=True)
hypothesis.settings.load_profile("evergreen")


@pytest.fixture(autouse=True)
def closed_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no unit test open a connection, nor see the local cloud of an integration test."""
    if not request.path.is_relative_to(UNIT):
        return

    def refuse(_: socket.socket, address: Any) -> NoReturn:
        raise AssertionError(f"a unit test connects to {address}; unit tests use no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
