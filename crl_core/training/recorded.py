"""Steps recorded once and replayed: on a GPU a step is a hundred short kernels, and calling them takes longer than they
do. A CUDA graph is one call.

What is recorded must have fixed shapes, wait for nothing, and change in place whatever outlasts it. Without a GPU the
same is run step by step (`rehearsed`), so that all but the recording itself is tested there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Work = Callable[[], None]
Record = Callable[[Work], Work]  # does the work a few times, and returns what does it again
REHEARSALS = 3  # a library chooses its kernels, and takes its memory, at the first calls


def cuda_graph(work: Work) -> Work:
    """The work as one call to the GPU. Needs a CUDA device; rehearsed on a stream of its own, as capture demands."""
    aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(REHEARSALS):
            work()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph.replay


def rehearsed(work: Work) -> Work:
    """The work itself, after as many rehearsals as a recording has."""
    for _ in range(REHEARSALS):
        work()
    return work


class Recorded:
    """`take(batch, measure)` recorded for each value of `measure`, with batches of one shape.

    lasting: what a step changes and the next one finds; put back after rehearsals, which are not to count.
    """

    def __init__(
        self, take: Callable[[Sequence[Tensor], bool], None], lasting: Sequence[Tensor], record: Record
    ) -> None:
        self._take, self._lasting, self._record = take, lasting, record
        self._batch: list[Tensor] = []
        self._replays: dict[bool, Work] = {}

    def __call__(self, batch: Sequence[Tensor], measure: bool) -> None:
        if not self._batch:
            self._batch = [torch.empty_like(part, memory_format=torch.contiguous_format) for part in batch]
        for here, part in zip(self._batch, batch, strict=True):
            here.copy_(part)
        if measure not in self._replays:
            self._replays[measure] = self._recorded(measure)
        self._replays[measure]()

    def _recorded(self, measure: bool) -> Work:
        before = [part.clone() for part in self._lasting]
        replay = self._record(lambda: self._take(self._batch, measure))
        for part, was in zip(self._lasting, before, strict=True):
            part.copy_(was)
        return replay
