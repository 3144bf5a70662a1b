"""Prompts of samples: the first reply's of a data set, and their text."""

import numpy as np

from spike_lm.model.training.sample import conversation_text, first_prompt
from spiketok import Tokenizer, build_vocabulary, encode_chat, message

SEPARATOR = 3
TOKENIZER = Tokenizer(build_vocabulary([b"ab"], 400, "chatml"))


def prompt_of(ids, mask, most):
    return first_prompt(np.array(ids, np.uint16), np.array(mask, bool), SEPARATOR, most)


def test_the_first_prompt_that_fits_is_taken():
    ids = [5, 6, 7, 8, 9, SEPARATOR, 10, 11, 12, 13, 14, SEPARATOR, 15, 16, SEPARATOR]
    mask = [0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 1, 0]
    assert prompt_of(ids, mask, 4) == [5, 6, 7, 8]
    assert prompt_of(ids, mask, 3) == [10, 11]
    assert prompt_of(ids, mask, 1) == [15]
    assert prompt_of(ids, mask, 0) == [15]
    assert prompt_of(ids, [0] * 15, 9) == []
    assert prompt_of([5, 6], [1, 0], 9) == []


def test_a_prompt_is_shown_as_its_last_message():
    messages = [message("system", "be ab"), message("user", "a\n<|im_end|>b")]
    ids = encode_chat(TOKENIZER, messages, generation_prompt=True)[0].tolist()
    assert conversation_text(TOKENIZER, ids) == "user: a\n<|im_end|>b\nassistant: "
