"""What the owner of a project should know of a recipe: what is computed when a model is asked."""

from __future__ import annotations

from collections.abc import Iterable

from evergreen.features.recipe import Assigned, Elsewhere, Matched, Recipe


def notes_on_serving(recipe: Recipe) -> list[str]:
    """Which columns of the model are made of those that were uploaded, and which must be sent."""
    notes = []
    if recipe.after:
        notes.append(
            f"when the model is asked, rows have the columns as they are after step {recipe.after}"
        )
    lost = recipe.plan(frozenset()).lost
    made = {
        name
        for action in recipe.actions
        if isinstance(action, Assigned | Matched)
        for name in action.names
    }
    computed = [name for name in recipe.columns if name in made and name not in lost]
    if computed:
        notes.append(f"when the model is asked, {_named(computed)} are computed as here")
    for action in recipe.actions:
        if not isinstance(action, Elsewhere):
            continue
        mine = [name for name in recipe.columns if lost.get(name) in action.names]
        if not mine:
            continue
        taken = sorted({lost[name] for name in mine} & recipe.reshaped)
        sent = [name for name in dict.fromkeys(lost[name] for name in mine) if name not in taken]
        said = f"step {action.step} ({action.kind}): when the model is asked, {_named(mine)} "
        said += f"{'is' if len(mine) == 1 else 'are'} not computed: {action.reason}"
        if sent:
            said += f"; send {_named(sent)}, or what is not computed is missing"
        if taken:
            said += (
                f"; {_named(taken)} cannot be sent, because the rows that are asked have another "
                "column of that name: choose a new one"
            )
        notes.append(said)
    unsent = {name for name, each in recipe.fields.items() if each.type is None}
    mine = [name for name in recipe.columns if lost.get(name) in unsent]
    if mine:
        culprits = sorted({lost[name] for name in mine})
        notes.append(
            f"when the model is asked, {_named(mine)} {'is' if len(mine) == 1 else 'are'} not "
            f"computed: {_named(culprits)}, of which no value can be sent, would be needed; send "
            f"what is made of it, or it is missing"
        )
    return notes


def _named(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
