"""Work done lot by lot, by several threads: one computes while the database writes the lot of another."""

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, as_completed, wait
from threading import Barrier
from typing import TypeVar

from django.db import connection
from django.utils import translation

Lot = TypeVar("Lot")
Report = TypeVar("Report")


def each(work: Callable[[Lot], Report], lots: Iterable[Lot], workers: int) -> Generator[Report, None, None]:
    """`work(lot)` of each, as they are done. No lot is read before a worker is about to be free.

    Each thread has a connection of its own, closed in the end; with one worker there is no thread.
    """
    if workers == 1:
        yield from map(work, lots)
        return
    language = translation.get_language()

    def in_a_thread(lot: Lot) -> Report:
        with translation.override(language):
            return work(lot)

    with ThreadPoolExecutor(workers) as pool:
        running: set[Future[Report]] = set()
        try:
            for lot in lots:
                running.add(pool.submit(in_a_thread, lot))
                if len(running) > workers:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    yield from (each.result() for each in done)
            yield from (each.result() for each in as_completed(running))
        finally:
            # As many as there are threads, met at a barrier so that each closes its own.
            barrier = Barrier(workers)
            for closing in [pool.submit(_leave, barrier) for _n in range(workers)]:
                closing.result()


def _leave(barrier: Barrier) -> None:
    connection.close()
    barrier.wait()
