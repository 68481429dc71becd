"""Runs a partitioned merge in this process, one step after the other."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

from connectors.lake.engines.workers import Chunk


class LocalRunner:
    """Implements `Runner` on lists."""

    def spread(self, payloads: Iterable[bytes]) -> list[Chunk]:
        """Makes chunks of payloads, numbered from 0."""
        return list(enumerate(payloads))

    def each(self, chunks: list[Chunk], step: Callable[[int, bytes], Iterator[Chunk]]) -> list[Chunk]:
        """Runs a step on each chunk."""
        return [found for number, payload in chunks for found in step(number, payload)]

    def join(
        self, chunks: Sequence[list[Chunk]], step: Callable[[int, Sequence[bytes]], Iterator[bytes]]
    ) -> list[bytes]:
        """Runs a step on all payloads of each number."""
        joined: dict[int, list[bytes]] = defaultdict(list)
        for some in chunks:
            for number, payload in some:
                joined[number].append(payload)
        return [found for number, payloads in joined.items() for found in step(number, payloads)]

    def collect(self, chunks: list[Chunk], number: int) -> list[bytes]:
        """Returns the payloads of one number."""
        return [payload for found, payload in chunks if found == number]
