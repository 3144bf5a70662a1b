"""Context-mixing settings: the parts on top of a network's logits, and their numbers."""

from collections.abc import Iterable

import msgspec

PARTS = ("temperature", "calibration", "ngram", "match", "mixture")
"""Parts of a predictor, in the order in which they build on one another."""
OF_THE_NETWORK = PARTS[:2]


class PredictorSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Predictor settings; with the initial counts they determine its predictions."""

    network: bool = True
    """Whether a network takes part."""
    parts: tuple[str, ...] = ()
    """Some of `PARTS`, in their order."""
    lengths: tuple[int, ...] = (0, 1, 2, 8)
    """Longest contexts, in tokens, of the n-gram predictions that are mixed: 0 for unigrams, 1 for
    bigrams …; `ngram` alone uses the last one, the longest."""
    repeats: tuple[int, ...] = (16, 20, 24, 32, 48)
    """Match lengths, in tokens: the token after a context's last occurrence is predicted."""
    tilt: float = 2.0
    """Strength of the network's tilt toward a predicted token that is certain."""
    slowest: float = 0.01
    """Smallest learning rate of the mixture's weights."""
    share: float = 1e-5
    """Share of the initial weights mixed into all weights with each token."""

    def __post_init__(self) -> None:
        """Raise ValueError for settings without a valid predictor."""
        if list(self.parts) != [part for part in PARTS if part in self.parts]:
            raise ValueError(f"unknown or unordered parts; name {', '.join(PARTS)} in this order")
        if not self.network and set(self.parts) & set(OF_THE_NETWORK):
            raise ValueError(
                f"without a network there is no {' or '.join(OF_THE_NETWORK)}; leave them out"
            )
        if not self.network and not self.parts:
            raise ValueError(
                "without a network nothing predicts; name ngram, match or mixture as parts"
            )
        for lengths, least, most in ((self.lengths, 0, 32), (self.repeats, 1, 1024)):
            rising = list(lengths) == sorted(set(lengths)) and 1 <= len(lengths) <= 16
            if not (rising and least <= lengths[0] and lengths[-1] <= most):
                raise ValueError(
                    f"lengths out of range; name at most 16, rising, from {least} to {most}"
                )
        if not (0 <= self.tilt <= 10 and 0 <= self.slowest <= 1 and 0 <= self.share <= 1):
            raise ValueError(
                "tilt, slowest or share is out of range; tilt is at most 10, the others 1"
            )

    def has(self, part: str) -> bool:
        """Return whether a part is on."""
        return part in self.parts

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the predictions that build on one another; the last is of the whole."""
        return (*(["network"] if self.network else []), *self.parts)


def settings_of(parts: Iterable[str], *, network: bool = True) -> PredictorSettings:
    """Return the settings with these parts, in any order; `all` means all possible ones.

    Raises:
        ValueError: a part is not known, or needs a network.

    >>> settings_of(["mixture", "ngram"]).parts
    ('ngram', 'mixture')
    >>> settings_of(["all"], network=False).parts
    ('ngram', 'match', 'mixture')
    """
    chosen = set(parts)
    if "all" in chosen:
        chosen = set(PARTS) if network else set(PARTS) - set(OF_THE_NETWORK)
    if unknown := sorted(chosen - set(PARTS)):
        raise ValueError(f"{unknown[0]!r} is no part; name some of {', '.join(PARTS)}, all")
    return PredictorSettings(network=network, parts=tuple(part for part in PARTS if part in chosen))
