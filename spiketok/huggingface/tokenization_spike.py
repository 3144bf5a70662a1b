"""SpikeTokenizer, a class of `transformers`; `bundle.py` makes it a file without spike imports."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import AddedToken, BatchEncoding, PreTrainedTokenizer

from ..chat.messages import read_messages
from ..errors import SpikeError
from ..id_layout import FIRST_NAMES, RESERVED, SPECIAL, reserved_name
from ..tokenizer_json import LENGTH_MAX, MAX_FILE_BYTES, parse, read_fields
from .chat_template import CHAT_TEMPLATE
from .names import ROLES, VOCABULARY_FILE, names_without_role
from .text_processing import (
    Encoder,
    Pair,
    Segment,
    chat_segments,
    name_pattern,
    placeholders,
    places,
    resolved,
    rows_of,
    split_at_names,
)

# Options for a row of ids, and for the batch that the rows become.
ROW_OPTIONS = (
    *("add_special_tokens", "max_length", "stride", "return_token_type_ids", "verbose"),
    *("return_overflowing_tokens", "return_special_tokens_mask", "return_length"),
)
BATCH_OPTIONS = ("max_length", "pad_to_multiple_of", "padding_side", "return_attention_mask")
# Result with a value for each id → that of padding ids.
NO_NOTE: dict[str, Any] = {"offset_mapping": (0, 0), "assistant_masks": 0}


class SpikeTokenizer(PreTrainedTokenizer):
    """Longest-match tokenizer over bytes, without pre-tokenization.

    As is usual in `transformers`, names of special tokens in a text become those tokens;
    `split_special_tokens=True` reads them as text. `apply_chat_template` never looks for names in
    messages. After `<|im_start|>` the first line, which names the role, is encoded by itself, so
    that a rendered conversation has the ids that its messages have.
    """

    vocab_files_names: Mapping[str, str] = {"vocab_file": VOCABULARY_FILE}

    def __init__(self, vocab_file: str | None, **options: Any) -> None:
        if vocab_file is None:
            raise SpikeError(f"{VOCABULARY_FILE}: is not in the folder; export the tokenizer again")
        self._file = vocabulary_bytes(Path(vocab_file))
        fields = read_fields(Path(vocab_file), parse(Path(vocab_file), self._file, LENGTH_MAX))
        self._entries: tuple[bytes, ...] = fields["entries"]
        self._kinds: bytes = fields["kinds"]
        self._encode = Encoder(self._entries, self._kinds)
        self._names = [
            reserved_name(token)
            if kind == RESERVED
            else entry.decode("utf-8" if kind == SPECIAL else "latin-1")
            for token, (entry, kind) in enumerate(zip(self._entries, self._kinds, strict=True))
        ]
        self._ids = {name: token for token, name in enumerate(self._names)}
        self._added_tokens_decoder = {
            token: AddedToken(self._names[token], special=True, normalized=False)
            for token, kind in enumerate(self._kinds)
            if kind == SPECIAL
        }
        for role, name in ROLES.items():
            options.setdefault(role, name)
        special = [token.content for token in self._added_tokens_decoder.values()]
        options.setdefault("extra_special_tokens", names_without_role(special))
        super().__init__(**options)

    @property
    def native(self) -> bool:
        """Whether the native core of spike encodes."""
        return self._encode.native

    @property
    def vocab_size(self) -> int:
        """Number of ids, special and reserved ones included; tokens added later are not."""
        return len(self._names)

    def get_vocab(self) -> dict[str, int]:
        """Return token → id; a piece is written with one character of 0–255 for each byte."""
        return {**self._ids, **self._added_tokens_encoder}

    def save_vocabulary(
        self, save_directory: str, filename_prefix: str | None = None
    ) -> tuple[str, ...]:
        """Write the vocabulary as it was read."""
        prefix = f"{filename_prefix}-" if filename_prefix else ""
        path = Path(save_directory) / f"{prefix}{VOCABULARY_FILE}"
        path.write_bytes(self._file)
        return (str(path),)

    def tokenize(self, text: str, **options: Any) -> list[str]:
        """Return the tokens of a text."""
        ids = self.encode(text, **{"add_special_tokens": False, **options})
        return list(self.convert_ids_to_tokens(ids))

    def _convert_token_to_id(self, token: str) -> int:
        return self._ids.get(token, self._ids[FIRST_NAMES[1]])

    def _convert_id_to_token(self, index: int) -> str:
        return self._names[index] if 0 <= index < len(self._names) else FIRST_NAMES[1]

    def convert_tokens_to_string(self, tokens: Iterable[str]) -> str:
        """Return the text of tokens; invalid UTF-8 becomes U+FFFD."""
        known = ((token, self._ids.get(token)) for token in tokens)
        parts = (
            token.encode() if found is None else self._entries[found] for token, found in known
        )
        return b"".join(parts).decode("utf-8", "replace")

    def _encode_plus(self, text: Any, text_pair: Any = None, **options: Any) -> BatchEncoding:
        """Encode one text or a batch; the base class comes here for all its ways to encode."""
        if options.pop("sanitize_control_tokens", False):
            return super()._encode_plus(text, text_pair, sanitize_control_tokens=True, **options)
        as_text = options.get("split_special_tokens")
        as_text = self.split_special_tokens if as_text is None else as_text
        rows, batched = rows_of(text, text_pair, options.get("is_split_into_words", False))
        segments = [self._segments(part, as_text) for row in rows for part in row]
        found = self._encode(segments)
        ids = [[token for part in row for token in part] for row in found]
        pairs = [
            (first, None if row[1] is None else second)
            for row, first, second in zip(rows, ids[::2], ids[1::2], strict=True)
        ]
        notes = {}
        if options.get("return_offsets_mapping"):
            spans = [
                [*places(parts, tokens, self._entries)]
                for parts, tokens in zip(segments, found, strict=True)
            ]
            both = zip(spans[::2], spans[1::2], strict=True)
            notes["offset_mapping"] = [first + second for first, second in both]
        return self._finish(pairs, batched, notes, options)

    def _segments(self, text: Any, as_text: bool) -> list[Segment]:
        """Cut a text at names of special tokens; ids and words, in lists, are cut already."""
        if isinstance(text, str):
            if as_text:
                return [Segment(text)]
            tokens = self._added_tokens_decoder.values()
            names = tuple((t.content, t.lstrip, t.rstrip, t.single_word) for t in tokens)
            return [*split_at_names(text, name_pattern(names), self._added_tokens_encoder)]
        if isinstance(text, int):
            return [Segment("", text)]
        return [part for item in text or () for part in self._segments(item, as_text)]

    def _finish(
        self,
        pairs: Sequence[Pair],
        batched: bool,
        notes: Mapping[str, Sequence[Sequence[Any]]],
        options: Mapping[str, Any],
    ) -> BatchEncoding:
        """Truncate, join and pad rows of ids by the options.

        Args:
            pairs: for each row its ids and, if it is a pair of texts, those of the second.
            batched: whether the result is a batch even of one row.
            notes: results that have a value for each id, from a row's first to its last.
            options: as the base class passes them.
        """
        row_options = {name: options[name] for name in ROW_OPTIONS if name in options}
        batch_options = {name: options[name] for name in BATCH_OPTIONS if name in options}
        tensors = options.get("return_tensors")
        truncation = options["truncation_strategy"].value
        batch: dict[str, list[Any]] = {"input_ids": []}
        for pair in map(placeholders, pairs) if notes else pairs:
            row = self.prepare_for_model(
                *pair, truncation=truncation, return_attention_mask=False, **row_options
            )
            for name, value in row.items():
                batch.setdefault(name, []).append(value)
        if tensors:
            batch.pop("overflowing_tokens", None)
            batch.pop("num_truncated_tokens", None)
        batch = dict(self.pad(batch, padding=options["padding_strategy"].value, **batch_options))
        if notes:
            rows = batch["input_ids"]
            for name, values in notes.items():
                batch[name] = [*map(resolved, rows, values, [NO_NOTE[name]] * len(rows))]
            ids = [first + (second or []) for first, second in pairs]
            for name in {"input_ids", "overflowing_tokens"} & batch.keys():
                batch[name] = [*map(resolved, batch[name], ids)]
        if not batched and not tensors:
            batch = {name: rows[0] for name, rows in batch.items()}
        return BatchEncoding(batch, tensor_type=tensors)

    def apply_chat_template(
        self,
        conversation: Any,
        tools: Any = None,
        documents: Any = None,
        chat_template: str | None = None,
        add_generation_prompt: bool = False,
        continue_final_message: bool | str = False,
        tokenize: bool = True,
        **options: Any,
    ) -> Any:
        """Encode a conversation message by message; text of messages never becomes a marker.

        With `tokenize=False`, or another template, the base class renders text, and encodes that.

        Args:
            conversation: a list of messages, an object with `messages`, or a list of either.
            tools: not supported by the chat format.
            documents: not supported by the chat format.
            chat_template: another template.
            add_generation_prompt: end with the start of an assistant's message.
            continue_final_message: leave the end of the last message out.
            tokenize: return ids instead of text.
            options: as in the base class: `padding`, `truncation`, `max_length`, `return_dict`, ….

        Raises:
            SpikeError: a message is malformed, or the chat format lacks what an option needs.
        """
        asked = {
            "tools": tools,
            "documents": documents,
            "add_generation_prompt": add_generation_prompt,
            "continue_final_message": continue_final_message,
        }
        if not tokenize or self.get_chat_template(chat_template, tools) != CHAT_TEMPLATE:
            return super().apply_chat_template(
                conversation, chat_template=chat_template, tokenize=tokenize, **asked, **options
            )
        if tools or documents:
            raise SpikeError("tools, documents: are not read; describe them in a system message")
        if isinstance(continue_final_message, str):
            raise SpikeError("continue_final_message: is a text; pass True")
        if continue_final_message and add_generation_prompt:
            raise SpikeError("continue_final_message excludes add_generation_prompt; choose one")
        conversation = getattr(conversation, "messages", conversation)
        batched = bool(conversation) and not isinstance(conversation[0], Mapping)
        rows = [
            chat_segments(
                read_messages(
                    [without_none(message) for message in getattr(chat, "messages", chat)]
                ),
                self._added_tokens_encoder,
                add_generation_prompt,
                bool(continue_final_message),
            )
            for chat in (conversation if batched else [conversation])
        ]
        return self._finish_chats(rows, batched, **options)

    def _finish_chats(
        self,
        rows: Sequence[Sequence[Segment]],
        batched: bool,
        padding: Any = False,
        truncation: Any = False,
        max_length: int | None = None,
        return_dict: bool = True,
        return_assistant_tokens_mask: bool = False,
        tokenizer_kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        """Encode the segments of conversations, and finish them by the options."""
        strategies = self._get_padding_truncation_strategies(padding, truncation, max_length)
        names = ("padding_strategy", "truncation_strategy", "max_length")
        options |= {**(tokenizer_kwargs or {}), **dict(zip(names, strategies, strict=False))}
        options["add_special_tokens"] = False
        found = self._encode(rows)
        pairs = [([token for part in row for token in part], None) for row in found]
        notes = {}
        if return_assistant_tokens_mask:
            notes["assistant_masks"] = [
                [int(part.trained) for part, ids in zip(row, tokens, strict=True) for _ in ids]
                for row, tokens in zip(rows, found, strict=True)
            ]
        encoded = self._finish(pairs, batched, notes, options)
        return encoded if return_dict else encoded["input_ids"]


def vocabulary_bytes(path: Path) -> bytes:
    """Return the content of a vocabulary file, never of a pipe or device, which may be endless.

    Raises:
        SpikeError: it is not a regular file, or larger than 1 GiB.
    """
    if not path.is_file():
        raise SpikeError(f"{path}: is missing or not a regular file; export the tokenizer again")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise SpikeError(f"{path}: is larger than 1 GiB; export the tokenizer again")
    return path.read_bytes()


def without_none(message: Any) -> Any:
    """Return a message without keys that are None, as the base class does."""
    if not isinstance(message, Mapping):
        return message
    return {name: value for name, value in message.items() if value is not None}
