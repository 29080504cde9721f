"""What the search knows follows the incidents, in the background: nobody who declares or is paged waits for it."""

from collections.abc import Callable

from escalation.storage.search.documents import fold
from workers.context import Context


class SearchRounds:
    """Makes the documents of incidents that changed. `stopping` ends a round early."""

    def __init__(self, context: Context, stopping: Callable[[], bool]) -> None:
        self._store = context.store
        self._stopping = stopping

    def run(self) -> None:
        """Make all that are missing."""
        while not self._stopping() and fold(self._store):
            pass
