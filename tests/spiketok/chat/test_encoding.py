import gzip
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

from datapipe import read_conversation
from spiketok import Tokenizer, build_vocabulary, encode_chat, message, reference
from spiketok.chat.chatml import pieces, render
from spiketok.chat.encoding import CODES, encode_pieces
from spiketok.errors import SpikeError
from tests.spiketok.chat.test_chatml import CONVERSATIONS

SFT_CHAT = Path(__file__).parents[3].parent / "shared/data/sft_chat"
# Entries that would join what is said to the line of the role, the end or a marker.
GREEDY = [b"user\n", b"user\nI", b"assistant\n", b"assistant\nThe", b"\nThe", b"\na", b"\n\n"]
GREEDY += [b"er\n", b"<|im_start|>user\n", b"<think", b">\n", b"e\n", b"the ", b"The answer is "]
TOKENIZER = Tokenizer(build_vocabulary(GREEDY, 420, "chatml"))


@given(CONVERSATIONS)
def test_each_piece_is_encoded_for_itself(messages):
    ids, mask = encode_chat(TOKENIZER, messages)
    expected, trained = [], []
    for piece in pieces(messages):
        if piece.marker:
            found = [TOKENIZER.special_ids[piece.text]]
        else:
            found = reference.encode(TOKENIZER.vocabulary, piece.text.encode())
        expected += found
        trained += [piece.trained] * len(found)
    assert ids.tolist() == expected
    assert mask.tolist() == trained
    assert (ids.dtype, mask.dtype) == (TOKENIZER.dtype, np.uint8)
    assert TOKENIZER.decode_bytes(ids).decode() == render(messages)


@given(CONVERSATIONS)
def test_text_never_becomes_a_special_token(messages):
    ids, _ = encode_chat(TOKENIZER, messages)
    specials = set(TOKENIZER.special_ids.values())
    count = sum(piece.marker for piece in pieces(messages))
    assert sum(token in specials for token in ids.tolist()) == count


def test_no_conversation_is_no_ids():
    ids, mask = encode_chat(TOKENIZER, [])
    assert (len(ids), len(mask)) == (0, 0)


def test_a_tokenizer_without_markers_is_refused():
    with pytest.raises(SpikeError, match=r"lacks the chat markers <\|im_start\|>"):
        encode_chat(Tokenizer(build_vocabulary([], 260, "minimal")), [message("user", "hi")])


def conversations(path):
    with (gzip.open if path.suffix == ".gz" else open)(path) as lines:
        for line in lines:
            try:
                yield read_conversation(json.loads(line), parse_markers=True)
            except SpikeError:
                assert path.name == "mt_bench_question.jsonl"  # questions alone


def ids_of_rows(rows):
    """Encode rows of pieces at once; return the ids of each row."""
    flat = [piece for row in rows for piece in row]
    codes = np.array([CODES[piece.text] if piece.marker else 0 for piece in flat], np.uint8)
    texts = ["" if piece.marker else piece.text for piece in flat]
    ids, counts = encode_pieces(TOKENIZER, texts, codes)
    borders = np.cumsum([0, *map(len, rows)])
    ends = np.concatenate([[0], np.cumsum(counts)])[borders]
    return [ids[start:stop] for start, stop in pairwise(ends)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dolly_subset_no_context.jsonl.gz", 5223),
        ("fastchat_dummy_conversation.jsonl", 500),
        ("gpteacher_codegen.jsonl.gz", 4535),
        ("gpteacher_toolformer.jsonl.gz", 5959),
        ("gsm8k_think_tool_chat.jsonl.gz", 7473),
        ("mt_bench_question.jsonl", 0),
        ("self_instruct_seed_tasks.jsonl", 175),
        ("self_instruct_user_oriented_252.jsonl", 252),
    ],
)
@pytest.mark.skipif(not SFT_CHAT.exists(), reason="needs ../shared/data/sft_chat")
def test_prompt_and_reply_make_the_whole_of_real_conversations(name, expected):
    found = list(conversations(SFT_CHAT / name))
    assert len(found) == expected
    wholes, prompts, replies = [], [], []
    for messages in found:
        for number, said in enumerate(messages):
            if said.role == "assistant":
                wholes.append(pieces(messages[: number + 1]))
                prompts.append(pieces(messages[:number], generation_prompt=True))
                replies.append(pieces([said])[2:])
    rows = ids_of_rows(wholes + prompts + replies) if found else []
    count = len(wholes)
    for whole, prompt, reply in zip(
        rows[:count], rows[count : 2 * count], rows[2 * count :], strict=True
    ):
        assert np.array_equal(whole, np.concatenate([prompt, reply]))
