"""Length-max settings: the options of a training, and the budget of each effort."""

from dataclasses import dataclass

from ..errors import SettingError
from ..id_layout import MAX_TOKEN_BYTES
from ..vocabulary import room_for_pieces
from .constraints import BOUNDARIES, DIGITS, Allowed

MIB = 1 << 20
# The trainer's peak memory is below this multiple of the text that it reads.
MEMORY_PER_BYTE = 8
MIN_MEMORY = MIB
OBJECTIVES = ("tokens", "freq-length", "frequency")


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """Budget of a training; texts are given in bytes.

    Attributes:
        surplus: the vocabulary first grows to this multiple of its final size.
        growing_text: read in growing rounds, for each entry: pairs of a small vocabulary are
            frequent, and a part of the sample shows them as well.
        dropping_text: read while the surplus is dropped.
        refining_text: read in refining rounds; where the sample has less, the corpus is read
            again.
        refinements: maximum number of refining rounds.
    """

    surplus: float
    growing_text: int
    dropping_text: int
    refining_text: int
    refinements: int


EFFORTS = {
    "fast": Effort(
        surplus=1.2,
        growing_text=1024,
        dropping_text=8 * MIB,
        refining_text=16 * MIB,
        refinements=1,
    ),
    "default": Effort(
        surplus=2.0,
        growing_text=2048,
        dropping_text=16 * MIB,
        refining_text=32 * MIB,
        refinements=4,
    ),
    "max": Effort(
        surplus=2.0,
        growing_text=4096,
        dropping_text=64 * MIB,
        refining_text=1024 * MIB,
        refinements=8,
    ),
}
# Budget to compare two starts, with a quarter of the entries.
SCOUTING = Effort(
    surplus=1.2,
    growing_text=512,
    dropping_text=2 * MIB,
    refining_text=4 * MIB,
    refinements=1,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthMaxSettings:
    """Length-max training settings.

    Attributes:
        vocab_size: number of ids, special and reserved ones included.
        layout: `"chatml"` (a block of 128 special ids) or `"minimal"`.
        boundary: `"none"`: entries may span words; `"word"`: each is a part of a GPT-4-like word
            that begins where the word does, or of a match of `pattern`; `"line"`: none continues
            after a line end.
        pattern: a word of boundary `"word"`, as a `regex` pattern.
        two_stage: this fraction of the entries stays inside words and is chosen first; the others
            are free. 0: one stage.
        digits: `"free"`; `"split"`: no entry joins a digit to anything; `"group3"`: entries with a
            digit are up to three digits and nothing else.
        objective: `"tokens"`: fewest under the real encoder; for comparison, merges one at a time:
            `"freq-length"`: by frequency × length, as the paper has it; `"frequency"`: byte-pair
            encoding without words.
        effort: `"fast"`, `"default"` or `"max"`: fewer tokens for more time; for objective tokens.
        max_token_bytes: longest entry, 2 to 255.
        min_frequency: leave out entries that the sample uses less often.
        held_out: fraction of documents, chosen by content, for measurement only.
        memory: bytes that the trainer may use; bounds the sample, at least 1 MiB.
    """

    vocab_size: int = 16512
    layout: str = "chatml"
    boundary: str = "none"
    pattern: str | None = None
    two_stage: float = 0.0
    digits: str = "free"
    objective: str = "tokens"
    effort: str = "default"
    max_token_bytes: int = 24
    min_frequency: int = 1
    held_out: float = 0.01
    memory: int = 1 << 30

    def __post_init__(self) -> None:
        room_for_pieces(self.vocab_size, self.layout)
        for name, choices in (
            ("boundary", BOUNDARIES),
            ("digits", DIGITS),
            ("objective", OBJECTIVES),
            ("effort", tuple(EFFORTS)),
        ):
            if (wrong := getattr(self, name)) not in choices:
                raise SettingError(name, f"{wrong!r} is unknown; use one of {', '.join(choices)}")
        if not 2 <= self.max_token_bytes <= MAX_TOKEN_BYTES:
            wrong = self.max_token_bytes
            fault = f"{wrong} is out of range; choose 2 to {MAX_TOKEN_BYTES}"
            raise SettingError("max_token_bytes", fault)
        for name in ("held_out", "two_stage"):
            if not 0 <= (wrong := getattr(self, name)) < 1:
                fault = f"{wrong} is out of range; choose a fraction from 0 to below 1"
                raise SettingError(name, fault)
        if self.min_frequency < 0:
            fault = f"{self.min_frequency} is below 0; choose 0 or more"
            raise SettingError("min_frequency", fault)
        if self.memory < MIN_MEMORY:
            fault = f"{self.memory} bytes are too few; choose at least {MIN_MEMORY}"
            raise SettingError("memory", fault)
        if self.two_stage and self.boundary != "none":
            fault = "its second stage has no boundary; leave boundary at none"
            raise SettingError("two_stage", fault)
        if self.two_stage and self.objective != "tokens":
            raise SettingError(
                "two_stage", "needs objective tokens; leave out one of the two options"
            )
        if self.pattern is not None and self.boundary != "word" and not self.two_stage:
            fault = "only boundary word has a pattern; choose that boundary or leave it out"
            raise SettingError("pattern", fault)
        self.allowed(self.boundary)

    @property
    def sample_bytes(self) -> int:
        """Bytes of text that may be trained on."""
        return self.memory // MEMORY_PER_BYTE

    def allowed(self, boundary: str) -> Allowed:
        """Return the test for entries under a boundary."""
        return Allowed(self.max_token_bytes, boundary, self.pattern, self.digits)
