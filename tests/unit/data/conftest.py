from pathlib import Path

import pytest

from tests.unit.data.uploads import Uploader


@pytest.fixture
def uploader(tmp_path: Path) -> Uploader:
    return Uploader(tmp_path)
