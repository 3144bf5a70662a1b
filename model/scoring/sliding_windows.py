"""Sliding-window evaluation: each target is fresh in exactly one window of its text.

A stream of text begins in the context of one separator, which is no target; a document ends with
the separator, which is one. Each document is a stream of its own, or all of them are one, and
windows then run over the borders of documents.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from spiketok.errors import SpikeError

from ..families.language_model import LanguageModel

# Ids; which of them and of the separator after them are scored; the bytes of the scored ones.
Document: TypeAlias = tuple[NDArray[np.integer], NDArray[np.bool_], int]
NO_END = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowConfig:
    """Settings of sliding windows over a text.

    Attributes:
        context: tokens per window, at most the model's.
        stride: tokens by which windows move on once they are full, 1 … context. Every token but a
            stream's first ones is predicted from at least context − stride + 1 tokens before it.
        batch_windows: windows per forward pass; where tokens are read one by one it has no effect.
        reset: whether each document is a stream of its own. Otherwise all are one, windows run over
            their borders, and a document's first tokens are predicted from the one before it, too.
    """

    context: int
    stride: int
    batch_windows: int = 8
    reset: bool = True


def default_windows(
    model: LanguageModel,
    context: int = 0,
    stride: int = 0,
    *,
    batch_windows: int = 8,
    reset: bool = True,
) -> WindowConfig:
    """Return windows in which zeros become the model's context, and half a window.

    Args:
        model: the model that reads the windows.
        context: tokens per window; 0: the model's context.
        stride: tokens by which windows move on; 0: half a window.
        batch_windows: as in `WindowConfig`.
        reset: as in `WindowConfig`.
    """
    context = context or model.config.context
    stride = stride or max(1, context // 2)
    return WindowConfig(context=context, stride=stride, batch_windows=batch_windows, reset=reset)


@dataclass(frozen=True, slots=True)
class Stream:
    """Stream of one or several documents in a row, with n targets."""

    ids: NDArray[np.int64]
    """[n + 1]: a separator, then the targets."""
    counted: NDArray[np.bool_]
    """[n]: the targets that are scored."""
    ends: NDArray[np.int64]
    """[n]: the bytes of the document that ends with the target, NO_END where none does."""


@dataclass(frozen=True, slots=True)
class Window:
    """Window of a stream for one forward pass, whose last targets are fresh."""

    ids: NDArray[np.int64]
    """The inputs, and the last target after them."""
    before: NDArray[np.int64]
    """Ids before the inputs, as many as the model's embeddings look back on."""
    counted: NDArray[np.bool_]
    """Which fresh targets (those in no window before) are scored."""
    ends: NDArray[np.int64]
    """Of the fresh targets, as in `Stream`."""

    @property
    def fresh(self) -> NDArray[np.int64]:
        """Ids [n] of the fresh targets."""
        return self.ids[len(self.ids) - len(self.counted) :]

    @property
    def places(self) -> NDArray[np.int64]:
        """Places [m] in the inputs that predict the counted targets."""
        return np.flatnonzero(self.counted) + len(self.ids) - 1 - len(self.counted)


def sliding_windows(
    documents: Iterable[Document], windows: WindowConfig, *, eos_id: int, lookback: int
) -> Iterator[Window]:
    """Yield the windows of documents, in the order of the text.

    Args:
        documents: read as they are needed, or, unless `windows.reset`, all at once.
        windows: their settings.
        eos_id: the id that ends each document.
        lookback: ids before a window on which embeddings depend.
    """
    streams = (_joined([document], eos_id) for document in documents)
    for stream in streams if windows.reset else [_joined(documents, eos_id)]:
        # Embeddings do not look back over a separator, so separators can replace missing ids.
        padded = np.concatenate([np.full(lookback, eos_id), stream.ids])
        borders = window_borders(len(stream.counted), windows.context, windows.stride)
        for start, fresh, stop in borders:
            yield Window(
                ids=stream.ids[start : stop + 1],
                before=padded[start : start + lookback],
                counted=stream.counted[fresh:stop],
                ends=stream.ends[fresh:stop],
            )


def _joined(documents: Iterable[Document], eos_id: int) -> Stream:
    ids, counted, ends = [np.array([eos_id])], [np.zeros(0, bool)], [np.zeros(0, np.int64)]
    for text, scored, text_bytes in documents:
        ids += [text.astype(np.int64), np.array([eos_id])]
        counted.append(scored)
        ends += [np.full(len(text), NO_END), np.array([text_bytes])]
    return Stream(np.concatenate(ids), np.concatenate(counted), np.concatenate(ends))


def window_borders(targets: int, context: int, stride: int) -> Iterator[tuple[int, int, int]]:
    """Yield, of each window, its first input, and the targets from … to that are fresh.

    >>> list(window_borders(8, 4, 3))
    [(0, 0, 4), (3, 4, 7), (4, 7, 8)]
    """
    fresh = 0
    while fresh < targets:
        stop = min(fresh + (stride if fresh else context), targets)
        yield max(0, stop - context), fresh, stop
        fresh = stop


def check_windows(model: LanguageModel, windows: WindowConfig) -> None:
    """Check that the model can read the windows and that they leave no target out.

    Raises:
        SpikeError: context or stride is out of range.
    """
    check_window_sizes(windows, model.config.context)


def check_window_sizes(windows: WindowConfig, context: int) -> None:
    """Check that a model of that context can read the windows, and that no target is left out.

    Raises:
        SpikeError: context or stride is out of range.
    """
    if not 1 <= windows.stride <= windows.context <= context:
        raise SpikeError(
            f"context {windows.context}, stride {windows.stride}: choose them so that "
            f"1 ≤ stride ≤ context ≤ the model's context, {context}"
        )
