"""Every event has a sample that its model and its schema accept, and comes back as it was sent."""

import json
from pathlib import Path

import jsonschema
import pytest

from evergreen.contracts.events import SCHEMA_VERSION, Event, read_event, schema_of
from evergreen.contracts.facts import FACTS
from evergreen.contracts.schemas import schema_files

EVENTS = Path(__file__).parents[3] / "events"


def sample(name: str) -> dict[str, object]:
    return json.loads((EVENTS / "contracts" / f"{name}.v{SCHEMA_VERSION}.json").read_text())


@pytest.mark.parametrize("name", FACTS)
def test_the_sample_is_what_the_model_says(name: str) -> None:
    assert json.loads(read_event(name, sample(name)).detail()) == sample(name)


@pytest.mark.parametrize("name", FACTS)
def test_the_schema_accepts_the_sample(name: str) -> None:
    jsonschema.validate(sample(name), schema_of(FACTS[name]))


@pytest.mark.parametrize("name", FACTS)
def test_an_event_survives_its_record(name: str) -> None:
    event = read_event(name, sample(name))
    assert Event.from_plain(json.loads(json.dumps(event.to_plain()))) == event


@pytest.mark.parametrize("name", FACTS)
def test_a_fact_says_itself_in_one_sentence(name: str) -> None:
    assert read_event(name, sample(name)).fact.summary.strip()


def test_committed_schemas_are_the_generated_ones() -> None:
    committed = {path.name: path.read_text() for path in (EVENTS / "schemas").glob("*.json")}
    assert committed == schema_files(), "run: python -m evergreen.contracts.schemas"


def test_an_event_with_fields_of_a_later_version_is_still_read() -> None:
    name = "DriftCheckRequested"
    assert read_event(name, {**sample(name), "priority": "high"}).fact.project == "penguins"


def test_an_unknown_event_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="no event is named Nonsense"):
        read_event("Nonsense", {})
