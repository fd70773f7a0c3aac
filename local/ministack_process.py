"""MiniStack with the one wait shortened that every invocation pays: what `local.ministack` runs."""

from __future__ import annotations

from ministack.app import main
from ministack.core.lambda_runtime import Worker

# MiniStack answers an invocation only when its log has been silent for 5 ms, or after 50 ms
# without any line. What a handler prints is in the pipe before its answer is; a straggler is
# kept, and joins the log of the worker's next invocation.
_FIRST_LINE_SECONDS = 0.003
_SILENCE_SECONDS = 0.0005
_AT_MOST_SECONDS = 0.25


if __name__ == "__main__":
    Worker._drain_stderr_bounded.__defaults__ = (  # noqa: SLF001
        _FIRST_LINE_SECONDS,
        _SILENCE_SECONDS,
        _AT_MOST_SECONDS,
    )
    main()
