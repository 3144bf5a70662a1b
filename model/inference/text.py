"""Text generation with a tokenizer and a model: prompt in, tokens and text out."""

import codecs
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from itertools import takewhile

from spiketok import StreamDecoder, TokenHealer, Tokenizer
from spiketok.chat.chatml import END

from ..families.language_model import LanguageModel
from ..runs.trained_ids import TrainedIds, unseen_ids
from .chat import suppressed_ids
from .generate import SampledToken, generate
from .sampling import SamplingParams


def continue_prompt(
    model: LanguageModel,
    tokenizer: Tokenizer,
    prompt: bytes,
    tokens: int,
    sampling: SamplingParams,
    heal: bool = True,
    trained_ids: TrainedIds = None,
) -> tuple[list[int], bytes, Iterator[SampledToken]]:
    """Continue `prompt` by at most `tokens`, up to the end of the document.

    The prompt begins a document, so the model reads the separator first. Special and reserved
    ids, which no text has, and those not in `trained_ids` are never sampled; the separator ends
    the text.

    Returns:
        The ids of the prompt; its last bytes where token healing samples these again with the bytes
        after them; and an iterator over the sampled tokens.
    """
    eos_id = tokenizer.eos_id
    unused = {*tokenizer.special_ids.values(), *tokenizer.vocabulary.reserved_ids}
    banned = (unused - {eos_id}) | unseen_ids(trained_ids)
    kept, rest, choices = prompt_ids(tokenizer, prompt, heal, banned)
    if not prompt:
        # Shards hold no empty documents, so no text ends where it begins.
        every = [token for token in range(tokenizer.vocab_size) if token != eos_id]
        choices = partial(first_of, every)
    sampled = generate(
        model,
        [eos_id, *kept],
        sampling,
        max_tokens=tokens,
        stop_ids=[eos_id],
        banned_ids=banned,
        choices=choices,
    )
    return kept, rest, takewhile(lambda token: token.id != eos_id, sampled)


def first_of(choices: Sequence[int], new: Sequence[int]) -> Sequence[int] | None:
    """Return the choices of the first new id; None, which is all ids, after it."""
    return None if new else choices


def reply_to(
    model: LanguageModel,
    tokenizer: Tokenizer,
    conversation: Sequence[int],
    tokens: int,
    sampling: SamplingParams,
    trained_ids: TrainedIds = None,
) -> str:
    """Return a reply of at most `tokens` to a conversation's ids, an assistant's header at the end.

    Only ids of assistants' messages that are in `trained_ids` are sampled; markers are names.
    """
    end = tokenizer.special_ids[END]
    sampled = generate(
        model,
        [tokenizer.eos_id, *conversation],
        sampling,
        max_tokens=tokens,
        stop_ids=[end],
        banned_ids=suppressed_ids(tokenizer) | unseen_ids(trained_ids),
    )
    said = [token.id for token in sampled if token.id != end]
    return tokenizer.decode_bytes(said).decode("utf-8", "replace")


def prompt_ids(
    tokenizer: Tokenizer, prompt: bytes, heal: bool, banned_ids: Collection[int] = frozenset()
) -> tuple[list[int], bytes, Callable[[Sequence[int]], Sequence[int] | None]]:
    """Return a prompt's certain ids, its other bytes, and the ids that these leave open.

    Where only banned ids could spell the other bytes, the prompt's ids stay as they are cut.
    """
    if not heal or tokenizer.algorithm != "length-max":
        return tokenizer.encode(prompt).tolist(), b"", lambda _: None
    healer = TokenHealer(tokenizer)
    kept, rest = healer.stable_prefix(prompt)
    if rest and not healer.choices(rest, banned_ids):
        return tokenizer.encode(prompt).tolist(), b"", lambda _: None

    def choices(new: Sequence[int]) -> Sequence[int] | None:
        left = rest[len(tokenizer.decode_bytes(new)) :] if len(new) < len(rest) else b""
        return healer.choices(left, banned_ids) if left else None

    return kept, rest, choices


def text_after(
    tokenizer: Tokenizer, kept: Sequence[int], rest: bytes, sampled: Iterable[SampledToken]
) -> Iterator[str]:
    """Yield the text that is added to a prompt, as soon as it is certain."""
    decoder = StreamDecoder(tokenizer)
    # A character that the prompt leaves unfinished is part of what is added.
    prompt = tokenizer.decode_bytes(kept) + rest
    known = len(codecs.getincrementaldecoder("utf-8")("replace").decode(prompt))
    for certain in kept:
        known -= len(decoder.add(certain))
    for token in sampled:
        text = decoder.add(token.id)
        yield text[max(0, known) :]
        known -= len(text)
    yield decoder.finish()[max(0, known) :]


def up_to_any(texts: Iterable[str], stops: Collection[str]) -> Iterator[str]:
    """Yield the text before the first of the `stops`; hold back any possible part of one."""
    held = ""
    for text in texts:
        held += text
        found = [held.index(stop) for stop in stops if stop in held]
        if found:
            yield held[: min(found)]
            return
        lengths = (n for stop in stops for n in range(1, len(stop)) if held.endswith(stop[:n]))
        sure = len(held) - max(lengths, default=0)
        yield held[:sure]
        held = held[sure:]
    yield held
