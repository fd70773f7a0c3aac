"""The lake and the uploads in S3."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from shutil import copyfileobj
from typing import BinaryIO

from botocore.exceptions import ClientError

from evergreen.cloud.clients import client
from evergreen.contracts.objects import UploadedObject
from evergreen.registry.ports import NotInLakeError

GONE = frozenset({"NoSuchKey", "NoSuchVersion", "404"})
"""What S3 says of an object that is not there."""


class S3Lake:
    """A bucket of immutable outputs."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket

    def read(self, key: str) -> bytes:
        """See Lake."""
        s3 = client("s3")
        try:
            return bytes(s3.get_object(Bucket=self._bucket, Key=key)["Body"].read())
        except s3.exceptions.NoSuchKey:
            raise NotInLakeError(key) from None

    def write(self, key: str, content: bytes) -> None:
        """See Lake."""
        self._put_once(key, content)

    def keys(self, prefix: str) -> Sequence[str]:
        """See Lake."""
        pages = (
            client("s3")
            .get_paginator("list_objects_v2")
            .paginate(Bucket=self._bucket, Prefix=prefix)
        )
        return sorted(entry["Key"] for page in pages for entry in page.get("Contents", []))

    def fetch(self, key: str, path: Path) -> Path:
        """Copy an object to a file; raises NotInLakeError."""
        try:
            client("s3").download_file(self._bucket, key, str(path))
        except ClientError as error:
            if error.response["Error"]["Code"] not in GONE:
                raise
            raise NotInLakeError(key) from None
        return path

    def store(self, path: Path, key: str) -> None:
        """Copy a file to an object, written once, like `write`."""
        with path.open("rb") as file:
            self._put_once(key, file)

    def _put_once(self, key: str, body: bytes | BinaryIO) -> None:
        try:
            client("s3").put_object(Bucket=self._bucket, Key=key, Body=body, IfNoneMatch="*")
        except ClientError as error:
            if error.response["Error"]["Code"] not in {"PreconditionFailed", "412"}:
                raise


def fetch_upload(upload: UploadedObject, path: Path, maximum_bytes: int) -> Path:
    """Copy the version of an upload that its event speaks of; raises UploadNotFetchedError."""
    which = {"Bucket": upload.bucket, "Key": upload.key}
    if upload.version_id:
        which["VersionId"] = upload.version_id
    try:
        answer = client("s3").get_object(**which)
    except ClientError as error:
        if error.response["Error"]["Code"] not in GONE:
            raise
        raise UploadGoneError(
            f"{upload.key} was deleted before it could be read; upload it again to have it taken"
        ) from error
    size = answer["ContentLength"]
    if size > maximum_bytes:
        raise UploadTooLargeError(
            f"{upload.key} has {size:,} bytes; at most {maximum_bytes:,} are taken"
        )
    with path.open("wb") as file:
        copyfileobj(answer["Body"], file, 1 << 20)
    return path


class UploadNotFetchedError(ValueError):
    """An upload cannot be had, now or later; `code` says why."""

    code: str


class UploadTooLargeError(UploadNotFetchedError):
    """An upload is larger than the function takes."""

    code = "too_large"


class UploadGoneError(UploadNotFetchedError):
    """An upload is no longer there."""

    code = "gone"
