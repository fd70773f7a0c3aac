"""The catalogue table in DynamoDB."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from evergreen.cloud.clients import client
from evergreen.registry.ports import Record, RecordTooLargeError

MAXIMUM_BODY_BYTES = 390_000
"""DynamoDB takes 400 KB an item; larger things belong in the lake."""

PLAIN_BODY_BYTES = 100_000
"""Larger bodies are packed: the schemas of wide datasets repeat themselves."""


class DynamoTable:
    """Records as items: `pk`, `sk`, `version`, `body` (JSON, packed by zlib if it is large).

    While work is in progress also `open` and `lease_until`: the sparse index of unfinished work.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def get(self, pk: str, sk: str) -> Record | None:
        """See Table."""
        answer = client("dynamodb").get_item(
            TableName=self._name, Key={"pk": {"S": pk}, "sk": {"S": sk}}, ConsistentRead=True
        )
        return _record(answer["Item"]) if "Item" in answer else None

    def put(
        self,
        pk: str,
        sk: str,
        body: Mapping[str, Any],
        *,
        expected: int,
        open_until: float | None = None,
    ) -> bool:
        """See Table."""
        item: dict[str, Any] = {
            "pk": {"S": pk},
            "sk": {"S": sk},
            "version": {"N": str(expected + 1)},
            "body": _written(body, f"{pk} {sk}"),
        }
        if open_until is not None:
            item |= {"open": {"S": "open"}, "lease_until": {"N": str(Decimal(str(open_until)))}}
        condition: dict[str, Any] = (
            {
                "ConditionExpression": "version = :expected",
                "ExpressionAttributeValues": {":expected": {"N": str(expected)}},
            }
            if expected
            else {"ConditionExpression": "attribute_not_exists(pk)"}
        )
        dynamodb = client("dynamodb")
        try:
            dynamodb.put_item(TableName=self._name, Item=item, **condition)
        except dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def query(
        self, pk: str, prefix: str = "", *, newest_first: bool = False, limit: int | None = None
    ) -> Sequence[Record]:
        """See Table."""
        values = {":pk": {"S": pk}}
        condition = "pk = :pk"
        if prefix:
            values[":prefix"] = {"S": prefix}
            condition += " AND begins_with(sk, :prefix)"
        pages = (
            client("dynamodb")
            .get_paginator("query")
            .paginate(
                TableName=self._name,
                KeyConditionExpression=condition,
                ExpressionAttributeValues=values,
                ScanIndexForward=not newest_first,
                ConsistentRead=True,
                PaginationConfig={"MaxItems": limit} if limit else {},
            )
        )
        return [_record(item) for page in pages for item in page["Items"]]

    def overdue(self, now: float) -> Sequence[Record]:
        """See Table."""
        pages = (
            client("dynamodb")
            .get_paginator("query")
            .paginate(
                TableName=self._name,
                IndexName="open-work",
                KeyConditionExpression="#open = :open AND lease_until < :now",
                ExpressionAttributeNames={"#open": "open"},
                ExpressionAttributeValues={":open": {"S": "open"}, ":now": {"N": str(now)}},
            )
        )
        return [_record(item) for page in pages for item in page["Items"]]


def _written(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    text = json.dumps(dict(body), allow_nan=False, ensure_ascii=False)
    content = text.encode()
    if len(content) <= PLAIN_BODY_BYTES:
        return {"S": text}
    packed = zlib.compress(content)
    if len(packed) > MAXIMUM_BODY_BYTES:
        raise RecordTooLargeError(
            f"record {name} has {len(packed):,} bytes packed: too large an item"
        )
    return {"B": packed}


def _record(item: Mapping[str, Any]) -> Record:
    body = item["body"]
    text = body["S"] if "S" in body else zlib.decompress(body["B"])
    return Record(item["pk"]["S"], item["sk"]["S"], int(item["version"]["N"]), json.loads(text))
