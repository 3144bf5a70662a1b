"""Shard settings: how records are read, and which are for validation."""

from dataclasses import dataclass

from msgspec import UNSET, UnsetType

from spiketok.errors import SpikeError

from ..sources.bad_records import Errors, check_errors
from ..sources.text_splitting import check_split


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatSettings:
    """Settings for reading conversations.

    Attributes:
        parse_markers: find markers of reasoning and calls in the plain text of assistants.
        ignored_keys: ignored keys of records, sorted; not written where there are none.
    """

    parse_markers: bool = False
    ignored_keys: tuple[str, ...] | UnsetType = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardSettings:
    """Settings of shards.

    Attributes:
        text_field: the member or column that holds the text.
        errors: policy for broken records: `strict`, `replace` or `skip`.
        validation: fraction of documents, chosen by content, kept from the training split.
        shard_tokens: a shard ends with the document that brings it to this number of tokens.
        split_text: how plain text files become documents, see `text_pieces`; UNSET: `auto`. It is
            not written to a plan without such files.
        max_record: bytes of the largest record, see `ErrorPolicy`; UNSET: 1 GiB.
        chat: set where the records are conversations; `text_field` is ignored then.
    """

    text_field: str = "text"
    errors: Errors = "strict"
    validation: float = 0.01
    shard_tokens: int = 1 << 26
    split_text: str | UnsetType = UNSET
    max_record: int | UnsetType = UNSET
    # Not None: plans of text do not mention it.
    chat: ChatSettings | UnsetType = UNSET


def check_settings(settings: ShardSettings) -> None:
    """Check that settings are in range.

    Raises:
        SpikeError: one is not.
    """
    check_errors(settings.errors)
    if not 0 <= settings.validation < 1:
        fault = "is out of range; choose a fraction from 0 to below 1"
        raise SpikeError(f"validation = {settings.validation}: {fault}")
    if settings.split_text is not UNSET:
        check_split(settings.split_text)
    if settings.max_record is not UNSET and settings.max_record < 1:
        raise SpikeError(f"max_record = {settings.max_record}: is too small; choose 1 or more")
    if settings.shard_tokens < 1:
        raise SpikeError(f"shard_tokens = {settings.shard_tokens}: is too small; choose 1 or more")


def reading(chat: ChatSettings | UnsetType) -> str:
    """Describe in a few words how records are read."""
    if not chat:
        return "text"
    ignored = f", ignoring {', '.join(chat.ignored_keys)}" if chat.ignored_keys else ""
    marked = "with" if chat.parse_markers else "without"
    return f"conversations {marked} markers in their text{ignored}"
