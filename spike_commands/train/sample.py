"""Samples during training: a prompt's continuation, or the reply to one of the validation set."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spiketok.chat.chatml import END, START

from ..results import some
from ..visible import safe_for_terminals

if TYPE_CHECKING:
    from datapipe import TokenStream
    from spike_lm.model import Config
    from spike_lm.model.families.build import Model
    from spike_lm.model.runs.trained_ids import TrainedIds
    from spike_lm.model.training.trainer import Sample
    from spiketok import Tokenizer

# Tokens of a split that are searched for a prompt.
SEARCHED = 1 << 16
# Lines of a prompt, and of a sample, that the log shows; `metrics.jsonl` has all of them.
MAX_LINES = 20


def training_sampler(
    config: "Config", data_folder: Path, tokenizer: "Tokenizer"
) -> "Callable[[Model, TrainedIds], Sample] | None":
    """Return the function that samples from the model during a run; None where none is wanted.

    With a loss mask, the sample replies to the configured prompt as a user's message. If there is
    none, it replies to the first prompt of the validation split that fits in half the context (of
    the training split where nothing is held out). Without a loss mask it continues the configured
    prompt.
    """
    if not config.sample.every:
        return None
    from spike_lm.model.inference.sampling import SamplingParams
    from spike_lm.model.inference.text import continue_prompt, reply_to, text_after
    from spike_lm.model.training.trainer import Sample

    sampling, tokens = SamplingParams(temperature=0.8, top_p=0.95), config.sample.tokens
    ids = chat_prompt(config, data_folder, tokenizer)

    def sample(model: "Model", trained: "TrainedIds") -> Sample:
        if trained is not None and not trained.any():
            trained = None
        if ids:
            text = reply_to(model, tokenizer, ids, tokens, sampling, trained)
            return Sample(conversation_text(tokenizer, ids), text)
        prompt = config.sample.prompt
        begun = continue_prompt(
            model, tokenizer, prompt.encode(), tokens, sampling, trained_ids=trained
        )
        return Sample(prompt, "".join(text_after(tokenizer, *begun)))

    return sample


def chat_prompt(config: "Config", data_folder: Path, tokenizer: "Tokenizer") -> list[int]:
    """Return the ids before the reply of a conversation; none where the data has no loss mask."""
    from datapipe import open_stream
    from spiketok import encode_chat, message

    for split in ("validation", "train"):
        stream = open_stream(data_folder, split)
        if not stream.masked:
            continue
        if config.sample.prompt:
            messages = [message("user", config.sample.prompt)]
            ids: list[int] = encode_chat(tokenizer, messages, generation_prompt=True)[0].tolist()
            return ids
        if found := first_prompt(stream, config.model.context // 2):
            return found
    return []


def first_prompt(stream: "TokenStream", most: int) -> list[int]:
    """Return the first prompt of at most `most` ids before a reply; else the shortest of all.

    A prompt begins with its conversation and ends where the first reply begins. Empty where the
    first tokens of the stream hold no reply.
    """
    import numpy as np

    size = min(stream.tokens, SEARCHED)
    ids, mask = stream.read(np.array([0]), size)[0], stream.read_mask(np.array([0]), size)
    assert mask is not None  # noqa: S101 — the caller has asked
    replies = np.flatnonzero(mask[0] & ~np.concatenate([[False], mask[0, :-1]]))
    if not len(replies):
        return []
    begins = np.concatenate([[0], np.flatnonzero(ids == stream.made_by.separator) + 1])
    begins = begins[np.searchsorted(begins, replies, "right") - 1]
    lengths = replies - begins
    fitting = np.flatnonzero(lengths <= most)
    chosen = fitting[0] if len(fitting) else lengths.argmin()
    prompt: list[int] = ids[begins[chosen] : replies[chosen]].tolist()
    return prompt


def conversation_text(tokenizer: "Tokenizer", ids: Sequence[int]) -> str:
    """Return the end of a prompt as text: its last message and the next role, `role: text`."""
    start, end = tokenizer.special_ids[START], tokenizer.special_ids[END]
    messages: list[list[int]] = []
    inside = False
    for token in ids:
        if token == start:
            messages.append([])
        elif inside and token != end:
            messages[-1].append(token)
        inside = token != end and (inside or token == start)
    texts = (tokenizer.decode_bytes(said).decode("utf-8", "replace") for said in messages[-2:])
    parts = (text.partition("\n") for text in texts)
    return "\n".join(f"{role}: {said}" for role, _, said in parts)


def sample_lines(sample: "Sample") -> Iterator[str]:
    r"""Yield the lines of a sample, indented, with control characters made visible.

    Blank lines in a row are shown as one, and at most 20 lines of the prompt and of the sample.

    >>> list(sample_lines(("user: Hi\nassistant: ", "yes\n\x1b[1m")))
    ['    user: Hi', '    assistant: yes', '    ⟨U+1B⟩[1m']
    """
    prompt, text = sample
    lines = safe_for_terminals(prompt + text).split("\n")
    begun = safe_for_terminals(prompt).count("\n")
    for part in (lines[:begun], lines[begun:]):
        yield from (f"    {line}".rstrip() for line in shortened(part))


def shortened(lines: Sequence[str]) -> Iterator[str]:
    """Yield lines with one blank line for several, and the number of those after the 20th.

    >>> list(shortened(["a", "", " ", "b"]))
    ['a', '', 'b']
    >>> list(shortened(["a"] * 23))[19:]
    ['a', '… (3 more lines)']
    """
    blank = [not line.strip() for line in lines]
    kept = [
        "" if blank[number] else line
        for number, line in enumerate(lines)
        if not (blank[number] and number and blank[number - 1])
    ]
    yield from kept[:MAX_LINES]
    if len(kept) > MAX_LINES:
        yield f"… ({some(len(kept) - MAX_LINES, 'more line')})"
