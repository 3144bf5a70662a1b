"""Depth recurrence: the order of layers, of which some run several times.

The layers of a loop are used again with the same weights, which adds depth and
no parameters (Universal Transformers, Dehghani et al. 2018, arXiv:1807.03819). PR #1666 of
openai/parameter-golf runs layers 3–5 three times.
"""

from collections.abc import Sequence


def layer_order(layers: int, loop: Sequence[int], passes: int) -> list[tuple[int, bool]]:
    """Return layers in the order they run, each with whether it runs for the first time.

    The layers of `loop` follow one another and run `passes` times as a group.

    >>> layer_order(4, [1, 2], 2)
    [(0, True), (1, True), (2, True), (1, False), (2, False), (3, True)]
    """
    after = max(loop, default=-1) + 1
    again = [(layer, False) for _ in range(passes - 1) for layer in loop]
    straight = [(layer, True) for layer in range(layers)]
    return straight[:after] + again + straight[after:]
