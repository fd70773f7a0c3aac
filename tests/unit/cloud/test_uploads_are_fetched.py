"""The version of an upload that its event speaks of is read, or it is said why it cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from evergreen.cloud import clients
from evergreen.cloud.clients import client
from evergreen.cloud.lake import UploadGoneError, UploadTooLargeError, fetch_upload
from evergreen.contracts.objects import UploadedObject

KEY = "uploads/p/d/a b+%2e%2e/../é.csv"


@pytest.fixture
def s3() -> Iterator[Any]:
    with mock_aws():
        client.cache_clear()
        clients._session.cache_clear()
        made = client("s3")
        made.create_bucket(Bucket="uploads")
        enabled = {"Status": "Enabled"}
        made.put_bucket_versioning(Bucket="uploads", VersioningConfiguration=enabled)
        yield made
    client.cache_clear()
    clients._session.cache_clear()


def put(s3: Any, content: bytes) -> UploadedObject:
    answer = s3.put_object(Bucket="uploads", Key=KEY, Body=content)
    return UploadedObject("uploads", KEY, answer["VersionId"], "")


def test_the_version_of_the_event_is_read_though_another_took_its_place(
    s3: Any, tmp_path: Path
) -> None:
    upload = put(s3, b"first")
    put(s3, b"second")
    s3.delete_object(Bucket="uploads", Key=KEY)
    assert fetch_upload(upload, tmp_path / "x", 10).read_bytes() == b"first"


def test_an_upload_that_was_deleted_is_gone_and_that_is_said(s3: Any, tmp_path: Path) -> None:
    upload = put(s3, b"first")
    s3.delete_object(Bucket="uploads", Key=KEY, VersionId=upload.version_id)
    with pytest.raises(UploadGoneError, match="was deleted before it could be read"):
        fetch_upload(upload, tmp_path / "x", 10)
    with pytest.raises(UploadGoneError):
        fetch_upload(UploadedObject("uploads", "uploads/p/d/x", None, ""), tmp_path / "x", 10)


def test_a_large_upload_is_refused_before_it_is_copied(s3: Any, tmp_path: Path) -> None:
    with pytest.raises(UploadTooLargeError):
        fetch_upload(put(s3, b"x" * 11), tmp_path / "x", 10)
    assert not (tmp_path / "x").exists()
