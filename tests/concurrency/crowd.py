"""Many people at once: real threads, each with its own connection, let go together."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from django.db import connection

PATIENCE_SECONDS = 60


def together(calls: Sequence[Callable[[], Any]], *, connections: int | None = None) -> list[Any]:
    """Run every call at once from so many connections; what each returned or raised, in order.

    With fewer connections than calls, each connection takes its share one after the other.
    """
    crowd = connections or len(calls)
    barrier = Barrier(crowd, timeout=PATIENCE_SECONDS)
    outcomes: list[Any] = [None] * len(calls)

    def take(first: int) -> None:
        try:
            connection.ensure_connection()
            barrier.wait()
            for index in range(first, len(calls), crowd):
                try:
                    outcomes[index] = calls[index]()
                except Exception as error:
                    outcomes[index] = error
        finally:
            connection.close()

    with ThreadPoolExecutor(crowd) as pool:
        for future in [pool.submit(take, first) for first in range(crowd)]:
            future.result(PATIENCE_SECONDS)
    return outcomes


def met_after(monkeypatch: Any, module: Any, step: str, *, crowd: int) -> None:
    """Everyone of the crowd has taken this step before anyone goes on: the crowd at its worst, every time.

    For the negative controls. Where the guard holds, the others never come, and this would wait for them.
    """
    everyone, taken = Barrier(crowd, timeout=PATIENCE_SECONDS), getattr(module, step)

    def take_and_wait(*args: Any, **kwargs: Any) -> Any:
        result = taken(*args, **kwargs)
        everyone.wait()
        return result

    monkeypatch.setattr(module, step, take_and_wait)
