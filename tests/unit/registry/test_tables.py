"""The table in memory and the one in DynamoDB keep the same promises."""

import os
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from evergreen.cloud import clients
from evergreen.cloud.table import DynamoTable
from evergreen.registry.memory import MemoryTable
from evergreen.registry.ports import RecordTooLargeError, Table


@pytest.fixture(params=["memory", "dynamodb"])
def table(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    if request.param == "memory":
        yield MemoryTable()
        return
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        clients.client.cache_clear()
        clients._session.cache_clear()
        keys = ("pk", "sk")
        boto3.client("dynamodb").create_table(
            TableName="catalogue",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                *({"AttributeName": key, "AttributeType": "S"} for key in (*keys, "open")),
                {"AttributeName": "lease_until", "AttributeType": "N"},
            ],
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "open-work",
                    "KeySchema": [
                        {"AttributeName": "open", "KeyType": "HASH"},
                        {"AttributeName": "lease_until", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
        )
        yield DynamoTable("catalogue")
    clients.client.cache_clear()
    clients._session.cache_clear()


def test_a_large_record_of_a_wide_dataset_is_got_back(table: Table) -> None:
    body = {"schema": [{"name": f"column {i}", "type": "number"} for i in range(20_000)]}
    assert table.put("p", "s", body, expected=0)
    record = table.get("p", "s")
    assert record is not None
    assert dict(record.body) == body


def test_what_was_put_is_got(table: Table) -> None:
    assert table.put("p", "s", {"a": [1, 2.5, None, "ä"]}, expected=0)
    record = table.get("p", "s")
    assert record is not None
    assert (record.version, dict(record.body)) == (1, {"a": [1, 2.5, None, "ä"]})


def test_a_record_is_made_once(table: Table) -> None:
    assert table.put("p", "s", {"by": "first"}, expected=0)
    assert not table.put("p", "s", {"by": "second"}, expected=0)


def test_a_record_is_replaced_only_at_the_version_that_was_read(table: Table) -> None:
    table.put("p", "s", {"n": 1}, expected=0)
    assert table.put("p", "s", {"n": 2}, expected=1)
    assert not table.put("p", "s", {"n": 3}, expected=1)
    assert table.get("p", "s").body == {"n": 2}  # type: ignore[union-attr]


def test_records_are_listed_by_prefix_in_order(table: Table) -> None:
    for sk in ("B#2", "A#1", "B#1"):
        table.put("p", sk, {}, expected=0)
    assert [record.sk for record in table.query("p", "B#")] == ["B#1", "B#2"]
    assert [record.sk for record in table.query("p", newest_first=True, limit=2)] == ["B#2", "B#1"]


def test_only_open_work_whose_lease_ran_out_is_overdue(table: Table) -> None:
    table.put("late", "s", {}, expected=0, open_until=10.5)
    table.put("early", "s", {}, expected=0, open_until=99.0)
    table.put("closed", "s", {}, expected=0, open_until=5.0)
    table.put("closed", "s", {}, expected=1)
    assert [record.pk for record in table.overdue(50.0)] == ["late"]


def test_a_record_larger_than_an_item_is_told_as_such() -> None:
    with pytest.raises(RecordTooLargeError, match="too large an item"):
        DynamoTable("catalogue").put("p", "s", {"a": os.urandom(450_000).hex()}, expected=0)
