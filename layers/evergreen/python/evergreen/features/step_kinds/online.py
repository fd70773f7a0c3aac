"""The step that adds the aggregates of an online feature, as serving would have given them."""

from __future__ import annotations

from evergreen.contracts.preparation_steps import Step
from evergreen.features.offline_aggregates import Source, aggregates_query
from evergreen.features.recipe import LookedUp
from evergreen.features.workbench import ROW, Change, Table, Workbench, declared, made


def features(bench: Workbench, table: Table, step: Step) -> Change:
    """Add the aggregates of one feature, as of each row's own time."""
    (name,) = declared(step.features)
    definition = next(each for each in bench.project.learned_features if each.name == name)
    events = bench.reference(definition.dataset)
    query, notes = aggregates_query(
        bench.connection,
        definition,
        Source(table.name, table.columns),
        Source(events.name, events.columns),
        ROW,
    )
    does = LookedUp(
        makes=made(*(each.name for each in definition.aggregates)),
        feature=name,
        entity=definition.entity,
        at=definition.at,
    )
    return Change(query, (does,), notes=notes)
