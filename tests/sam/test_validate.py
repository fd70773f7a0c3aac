"""SAM CLI finds nothing to say against the template."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.sam.held_journey import CHECKOUT


def test_the_template_is_valid_and_lints_clean(sam: Path) -> None:
    environment = os.environ | {"SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "us-east-1"}
    done = subprocess.run(
        [sam, "validate", "--lint"], cwd=CHECKOUT, env=environment, capture_output=True, text=True
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "is a valid SAM Template" in said
    assert "[[W" not in said, said
