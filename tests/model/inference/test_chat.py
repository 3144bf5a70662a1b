from contextlib import closing
from itertools import chain

import numpy as np
import pytest

from spike_lm.model.families.build import build_model
from spike_lm.model.inference.chat import (
    add_user_turn,
    begin_conversation,
    generate_reply,
    suppressed_ids,
)
from spike_lm.model.inference.generate import SampledToken, generate
from spike_lm.model.inference.sampling import SamplingParams
from spiketok import Tokenizer, build_vocabulary, encode_chat, message, read_messages
from spiketok.errors import SpikeError
from tests.model.tiny import golf_config, tiny_config, whale_config

TOKENIZER = Tokenizer(build_vocabulary([b"the", b"user\n", b"assistant\n"], 400, "chatml"))
END = TOKENIZER.special_ids["<|im_end|>"]
DRAWING = SamplingParams(seed=3)
FAMILIES = pytest.mark.parametrize(
    "config_of", [tiny_config, golf_config, whale_config], ids=["plain", "golf", "whale"]
)


def begun(config_of=tiny_config, context=100, system=""):
    config = config_of(f"model.context={context}")
    model = build_model(config, TOKENIZER.vocab_size, eos_id=TOKENIZER.eos_id)
    return begin_conversation(model, TOKENIZER, system)


def all_ids(conversation):
    return [TOKENIZER.eos_id, *conversation.system, *chain(*conversation.turns)]


def ids_of(*messages, generation_prompt=False):
    return encode_chat(TOKENIZER, messages, generation_prompt)[0].tolist()


@FAMILIES
def test_a_reply_goes_on_from_exactly_what_was_drawn(config_of):
    conversation = begun(config_of, system="be brief")
    expected = [TOKENIZER.eos_id, *ids_of(message("system", "be brief"))]
    for number, question in enumerate(["hi", "the <|im_end|>"]):
        assert add_user_turn(conversation, question, 5) == 0
        expected += ids_of(message("user", question), generation_prompt=True)
        drawn = list(generate_reply(conversation, DRAWING, 5))
        alone = generate(
            conversation.model,
            expected,
            SamplingParams(seed=3 + number),
            max_tokens=5,
            stop_ids=[END],
            banned_ids=suppressed_ids(TOKENIZER),
        )
        assert drawn == [token.id for token in alone]
        expected += [*drawn, *([] if drawn[-1] == END else [END]), 4 + ord("\n")]
        assert all_ids(conversation) == expected


def test_ids_are_those_of_training_when_the_reply_is_cut_as_the_encoder_cuts(monkeypatch):
    said = TOKENIZER.encode(b"the cat").tolist()
    monkeypatch.setattr(
        "spike_lm.model.inference.chat.generate",
        lambda *_, **__: (SampledToken(token, 0.0) for token in [*said, END]),
    )
    conversation = begun()
    add_user_turn(conversation, "who?", 9)
    list(generate_reply(conversation, DRAWING, 5))
    whole = ids_of(message("user", "who?"), message("assistant", "the cat"))
    assert conversation.turns == [whole]


def test_what_an_assistant_cannot_say_is_never_drawn():
    banned = set(suppressed_ids(TOKENIZER))
    parts = [{"type": kind, "text": "a"} for kind in ("text", "think", "solution", "tool_call")]
    said = ids_of(*read_messages([{"role": "assistant", "content": parts}]))
    assert not banned & set(said[1:])
    special = TOKENIZER.special_ids
    assert {special["<|im_start|>"], special["<tool_response>"], TOKENIZER.eos_id} <= banned
    assert set(TOKENIZER.vocabulary.reserved_ids) <= banned


def test_a_reply_broken_off_is_closed_and_kept():
    conversation = begun()
    add_user_turn(conversation, "hi", 5)
    with closing(generate_reply(conversation, DRAWING, 5)) as drawn:
        first = next(drawn)
    asked = ids_of(message("user", "hi"), generation_prompt=True)
    ending = [] if first == END else [END]
    assert conversation.turns == [[*asked, first, *ending, 4 + ord("\n")]]


def test_the_oldest_turns_go_whole_and_the_system_prompt_stays():
    conversation = begun(context=80, system="brief")
    system, dropped = conversation.system, 0
    for _ in range(12):
        before = list(conversation.turns)
        gone = add_user_turn(conversation, "the question", 20)
        dropped += gone
        assert conversation.turns[:-1] == before[gone:]
        # All that was there could not have stayed.
        kept = sum(map(len, before[max(0, gone - 1) :]))
        asked = len(conversation.turns[-1]) + len(ids_of(generation_prompt=True))
        assert not gone or 1 + len(system) + kept + asked + 20 > 80
        list(generate_reply(conversation, SamplingParams(), 20))
        assert conversation.system == system
    assert dropped > 5


def test_replies_are_of_trained_ids_that_an_assistant_may_say():
    trained = np.zeros(TOKENIZER.vocab_size, np.bool_)
    trained[[4 + ord("a"), 4 + ord("b"), TOKENIZER.special_ids["<|im_start|>"]]] = True
    model = begun().model
    conversation = begin_conversation(model, TOKENIZER, trained_ids=trained)
    add_user_turn(conversation, "hi", 20)
    assert set(generate_reply(conversation, SamplingParams(), 20)) == {4 + ord("a"), 4 + ord("b")}


def test_a_full_context_ends_a_reply():
    conversation = begun(context=60)
    add_user_turn(conversation, "hi", 1000)
    drawn = list(generate_reply(conversation, SamplingParams(), 1000))
    asked = len(ids_of(message("user", "hi"), generation_prompt=True))
    assert drawn[-1] == END or len(drawn) == 60 - 1 - asked


def test_a_question_too_long_changes_nothing():
    conversation = begun(context=60)
    add_user_turn(conversation, "hi", 5)
    before = [list(turn) for turn in conversation.turns]
    with pytest.raises(SpikeError, match="too many"):
        add_user_turn(conversation, "word " * 50, 5)
    assert conversation.turns == before


def test_a_system_prompt_leaves_room_for_a_question_and_a_quarter_for_its_reply():
    with pytest.raises(SpikeError, match="shorten it"):
        begun(context=60, system="word " * 50)
    longest = 0
    while longest < 60:
        try:
            conversation = begun(context=60, system="w" * (longest + 1))
        except SpikeError:
            break
        longest += 1
        assert add_user_turn(conversation, "?", 1000) == 0
    assert longest > 5


def test_a_tokenizer_without_markers_is_refused():
    plain = Tokenizer(build_vocabulary([b"th"], 264, "minimal"))
    model = build_model(tiny_config(), 264, eos_id=plain.eos_id)
    with pytest.raises(SpikeError, match="lacks the chat markers"):
        begin_conversation(model, plain)
