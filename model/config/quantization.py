"""Quantization settings: the section `[quantize]`, and the parsers of its words; no torch here."""

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias, get_args

from msgspec import Meta, Struct

from spiketok.errors import SpikeError

from .ranges import BelowOne

Part: TypeAlias = Literal["mlp", "attn", "embed", "other"]
PARTS: tuple[Part, ...] = get_args(Part)
# Names of bit widths; from 16 on they are floating-point numbers.
BITS = {f"int{bits}": bits for bits in range(2, 9)} | {"fp16": 16, "fp32": 32}
UNNAMED = BITS["fp16"]


class QuantizeConfig(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Weight quantization: bits, method, and quantization-aware training (QAT)."""

    bits: str
    """Bits of each part's matrices, as "mlp=int5,attn=int6,embed=fp16"; parts not named: fp16."""
    clip: str = "search"
    """Clip value of a row: "max", "percentile=99.95", "std=12.5", or "search" (by GPTQ)."""
    qat: str = "off"
    """Start of quantization-aware training: "off", "start", "progress=0.6", "rate=0.15"."""
    crown_q: Annotated[float, Meta(ge=0, le=1e6)] = 0.0
    """Weight λ of CROWN-Q's penalty during QAT: λ/12 · mean of w²δ², per matrix."""
    method: Literal["gptq", "rtn"] = "gptq"
    """Quantization method: GPTQ, or round to nearest (RTN)."""
    sparsity: Annotated[BelowOne, "share of the weights"] = 0.0
    """Magnitude pruning: share of each matrix's weights, the smallest, that become zero."""
    correction_rank: Annotated[int, Meta(ge=0, le=64)] = 0
    """Rank of a low-rank correction of the rounding errors, in int4; 0 for none."""


@dataclass(frozen=True, slots=True)
class Clip:
    """Clip: rule for the largest value of a row's grid."""

    kind: Literal["max", "percentile", "std", "size"]
    """The row's largest magnitude, a percentile of its magnitudes, a multiple of its standard
    deviation, or the given magnitude itself."""
    value: float = 0.0
    """Percentile, multiple or magnitude; unused by `max`."""


@dataclass(frozen=True, slots=True)
class QatStart:
    """Start of quantization-aware training."""

    kind: Literal["progress", "rate"]
    """At a share of the training, or once the learning rates fall below a share of theirs."""
    value: float
    """The share, from 0 to 1."""


def parse_bits(text: str) -> dict[Part, int]:
    """Parse the bits of each part; 16 and 32 mean floating-point numbers.

    Raises:
        SpikeError: a part or precision is unknown or named twice.

    >>> parse_bits("mlp=int5, embed=fp32")
    {'mlp': 5, 'attn': 16, 'embed': 32, 'other': 16}
    """
    bits: dict[Part, int] = {}
    for item in text.split(","):
        name, _, precision = (word.strip() for word in item.partition("="))
        part = next((known for known in PARTS if known == name), None)
        if part is None:
            raise SpikeError(f"`{name}` is no part of a model; name some of {', '.join(PARTS)}")
        if precision not in BITS:
            raise SpikeError(
                f"{part}: `{precision}` is no precision; write one of {', '.join(BITS)}"
            )
        if part in bits:
            raise SpikeError(f"{part} is named twice; name it once")
        bits[part] = BITS[precision]
    return {part: bits.get(part, UNNAMED) for part in PARTS}


def parse_clip(text: str) -> Clip | None:
    """Parse a clip rule; None: search for the clip.

    Raises:
        SpikeError: the text is no clip rule.

    >>> parse_clip("percentile=99.95")
    Clip(kind='percentile', value=99.95)
    """
    match _word_and_number(text):
        case "search", None:
            return None
        case "max", None:
            return Clip("max")
        case "percentile", float(value) if 0 < value <= 100:
            return Clip("percentile", value)
        case "std", float(value) if 0 < value <= 1000:
            return Clip("std", value)
    raise SpikeError(
        f"`{text}` is no clip rule; write search, max, percentile=0 … 100 or std=0 … 1000"
    )


def parse_qat(text: str) -> QatStart | None:
    """Parse the start of quantization-aware training; None: never.

    Raises:
        SpikeError: the text is no start.

    >>> parse_qat("rate=0.15")
    QatStart(kind='rate', value=0.15)
    """
    match _word_and_number(text):
        case "off", None:
            return None
        case "start", None:
            return QatStart("progress", 0.0)
        case "progress", float(value) if 0 <= value < 1:
            return QatStart("progress", value)
        case "rate", float(value) if 0 < value <= 1:
            return QatStart("rate", value)
    raise SpikeError(f"`{text}` is no start; write off, start, progress=0 … 1 or rate=0 … 1")


def _word_and_number(text: str) -> tuple[str, float | None]:
    word, equals, number = text.partition("=")
    try:
        return word.strip(), float(number) if equals else None
    except ValueError:
        return text, None


def quantize_problems(settings: QuantizeConfig) -> dict[str, str]:
    """Return the problems of the section, by place."""
    problems = {}
    for key, parse in (("bits", parse_bits), ("clip", parse_clip), ("qat", parse_qat)):
        try:
            parse(getattr(settings, key))
        except SpikeError as error:
            problems[f"quantize.{key}"] = str(error)
    off = settings.qat.strip() == "off"
    if not off and settings.clip.strip() == "search":
        problems.setdefault(
            "quantize.clip", "QAT needs a clip rule; write max, percentile=… or std=…"
        )
    if off and settings.crown_q:
        problems["quantize.crown_q"] = "quantize.qat is off; set it, or crown_q to 0"
    return problems
