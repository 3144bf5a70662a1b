"""Text generation with a tokenizer and a model: prompt in, sampled tokens and text out."""

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
    """Continue a prompt up to the end of the document.

    The prompt begins a document, so the model reads the separator first. Special and reserved ids,
    which no text has, are never sampled, except the separator, which ends the text.

    Args:
        model: of the tokenizer.
        tokenizer: of the model.
        prompt: bytes of the text's beginning; may be empty.
        tokens: largest number of tokens.
        sampling: sampling settings.
        heal: whether the end of the prompt is re-tokenised (token healing).
        trained_ids: bool [V], the only ids that are sampled; None: all.

    Returns:
        The ids of the prompt; its last bytes, which token healing samples again, else empty; and
        an iterator over the sampled tokens.
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
    """Return the choices of the first new id; None, for all ids, after it."""
    return None if new else choices


def reply_to(
    model: LanguageModel,
    tokenizer: Tokenizer,
    conversation: Sequence[int],
    tokens: int,
    sampling: SamplingParams,
    trained_ids: TrainedIds = None,
) -> str:
    """Return the text of a reply to a conversation; markers in it have their names.

    Args:
        model: trained on conversations.
        tokenizer: of the model.
        conversation: ids, with the header of an assistant's message at the end.
        tokens: largest number of tokens.
        sampling: sampling settings.
        trained_ids: bool [V], the only ids that are sampled; None: all.
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
    reply = [token.id for token in sampled if token.id != end]
    return tokenizer.decode_bytes(reply).decode("utf-8", "replace")


def prompt_ids(
    tokenizer: Tokenizer, prompt: bytes, heal: bool, banned_ids: Collection[int] = frozenset()
) -> tuple[list[int], bytes, Callable[[Sequence[int]], Sequence[int] | None]]:
    """Return a prompt's certain ids, its other bytes, and the choices that these allow.

    If only banned ids could spell the other bytes, there is no healing: all ids are certain.

    Args:
        tokenizer: of the prompt.
        prompt: bytes of the text.
        heal: whether the end of the prompt is re-tokenised (token healing).
        banned_ids: never sampled.
    """
    if not heal or tokenizer.algorithm != "length-max":
        return tokenizer.encode(prompt).tolist(), b"", lambda _: None
    healer = TokenHealer(tokenizer)
    kept, rest = healer.stable_prefix(prompt)
    if rest and not healer.choices(rest, banned_ids):
        return tokenizer.encode(prompt).tolist(), b"", lambda _: None

    def choices(new: Sequence[int]) -> Sequence[int] | None:
        unspelled = rest[len(tokenizer.decode_bytes(new)) :] if len(new) < len(rest) else b""
        return healer.choices(unspelled, banned_ids) if unspelled else None

    return kept, rest, choices


def text_after(
    tokenizer: Tokenizer, kept: Sequence[int], rest: bytes, sampled: Iterable[SampledToken]
) -> Iterator[str]:
    """Yield the text after a prompt, as soon as it is certain.

    Args:
        tokenizer: of the model.
        kept: the certain ids of the prompt, as `prompt_ids` returns them.
        rest: the prompt's other bytes.
        sampled: the tokens after the certain ids.
    """
    decoder = StreamDecoder(tokenizer)
    # A character that the prompt leaves unfinished is part of the added text.
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
    """Yield the text before the first of the `stops`; a possible beginning of one is held back."""
    held = ""
    for text in texts:
        held += text
        places = [held.index(stop) for stop in stops if stop in held]
        if places:
            yield held[: min(places)]
            return
        lengths = (n for stop in stops for n in range(1, len(stop)) if held.endswith(stop[:n]))
        certain = len(held) - max(lengths, default=0)
        yield held[:certain]
        held = held[certain:]
    yield held
