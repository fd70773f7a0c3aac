"""`make demo`: the story of the flights, on a local cloud of its own that ends with it."""

from __future__ import annotations

import os
import sys
from dataclasses import fields
from pathlib import Path

from rich.console import Console

from demo.screen import Screen
from local.cloud import LocalCloud

CHECKOUT = Path(__file__).resolve().parent.parent
STATE = CHECKOUT / ".local" / "demo"
TRAINING_MONTHS = 3


def main() -> int:
    """Play both acts; 0 when the story reached its end."""
    screen = Screen()
    reports = CHECKOUT / ".local" / "reports"
    reports.mkdir(parents=True, exist_ok=True)
    screen.act("Evergreen starts: a whole cloud in one process, no Docker, no account")
    with LocalCloud.started(STATE, warm=True, say=screen.say) as cloud:
        os.environ.update(cloud.outputs.environment)
        from demo.story import Stack, Story, StoryEndedError

        names = {field.name for field in fields(Stack)}
        stack = Stack(**{n: v for n, v in vars(cloud.outputs).items() if n in names})
        example = CHECKOUT / "examples" / "flights"
        story = Story(stack, example, screen, reports)
        try:
            tell(story, screen, example)
        except StoryEndedError as ended:
            screen.console.print(f"[red]The story ends here:[/red] {ended}")
            return 1
    return 0


def tell(story: "Story", screen: Screen, example: Path) -> None:  # noqa: F821, UP037
    """The acts in order."""
    months = sorted((example / "flights").glob("*.parquet"))
    references = [
        (path, path.stem)
        for path in sorted(example.glob("*.*"))
        if path.suffix in {".csv", ".parquet"} and path.stem in story.file.references
    ]
    screen.act("Act one: data becomes a model that answers")
    story.train(references + [(month, "flights") for month in months[:TRAINING_MONTHS]])
    story.ask_about(months[TRAINING_MONTHS])
    screen.act("Act two: the following months arrive as live requests, labels a day later")
    for month in months[TRAINING_MONTHS:]:
        story.replay(month)
    screen.act("What happened")
    story.summary()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        Console().print("\nstopped")
        sys.exit(130)
