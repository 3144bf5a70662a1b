import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spike_lm.model.families.build import build_model
from spike_lm.model.inference.generate import SampledToken
from spike_lm.model.inference.sampling import SamplingParams
from spike_lm.model.inference.text import continue_prompt, prompt_ids, text_after, up_to_any
from spiketok import BeseVocabulary, Tokenizer, build_vocabulary
from tests.model.tiny import tiny_config

PIECES = [b"ab", b"abc", b"abcde", b"bcdb", b"\xc3\xa4b", b"\xa4b", b"aa", b"aaaa"]
TOKENIZER = Tokenizer(build_vocabulary(PIECES, 400, "chatml"))
BESE = Tokenizer(BeseVocabulary(merges=(), vocab_size=40))
drawn = settings(deadline=None)


@drawn
@given(st.text("abcdäA. ", max_size=9), st.text("abcdäA. ", max_size=9), st.booleans())
def test_what_is_added_is_what_comes_after_the_prompt(prompt, more, heal):
    for tokenizer in (TOKENIZER, BESE):
        kept, rest, choices = prompt_ids(tokenizer, prompt.encode(), heal)
        whole = tokenizer.encode((prompt + more).encode()).tolist()
        following = whole[len(kept) :]
        if not heal or tokenizer is BESE:
            assert rest == b""
            following = tokenizer.encode(more).tolist() if tokenizer is TOKENIZER else []
        for place, token in enumerate(following):
            fitting = choices(following[:place])
            assert fitting is None or token in fitting
        tokens = [SampledToken(token, 0.0) for token in following]
        text = "".join(text_after(tokenizer, kept, rest, tokens))
        assert text == (more if following else "")


def test_a_character_that_the_prompt_begins_is_shown_whole():
    kept, rest, choices = prompt_ids(TOKENIZER, b"x\xc3", True)
    assert rest == b"\xc3"
    assert TOKENIZER.vocabulary.entries.index(b"\xc3\xa4b") in choices([])
    token = TOKENIZER.vocabulary.entries.index(b"\xc3\xa4b")
    assert "".join(text_after(TOKENIZER, kept, rest, [SampledToken(token, 0.0)])) == "äb"


@drawn
@given(
    st.lists(st.text("ab.\n", max_size=3), max_size=12),
    st.lists(st.text("ab.", min_size=1, max_size=4), max_size=3),
)
def test_stops_cut_wherever_pieces_end(pieces, stops):
    text = "".join(pieces)
    places = [text.index(stop) for stop in stops if stop in text]
    assert "".join(up_to_any(pieces, stops)) == text[: min(places, default=len(text))]


def test_text_comes_before_a_stop_is_ruled_out_only_as_far_as_it_is_sure():
    pieces = iter(["on", "e \n", "\ntwo", "never"])
    assert list(up_to_any(pieces, ["\n\n"])) == ["on", "e ", ""]
    assert next(pieces) == "never"


def test_a_prompt_that_trained_ids_cannot_spell_stays_as_it_is_cut():
    ids = TOKENIZER.vocabulary.entries.index
    banned = {ids(piece) for piece in PIECES if piece.startswith(b"ab")}
    kept, rest, choices = prompt_ids(TOKENIZER, b"x.ab", True, banned | {ids(b"a")})
    assert (kept, rest, choices([])) == (TOKENIZER.encode(b"x.ab").tolist(), b"", None)
    kept, rest, choices = prompt_ids(TOKENIZER, b"x.ab", True, banned - {ids(b"abcde")})
    assert rest == b"ab"
    assert choices([]) == [ids(b"abcde")]


@pytest.mark.parametrize("heal", [True, False])
def test_no_prompt_is_a_prompt(heal):
    assert prompt_ids(TOKENIZER, b"", heal)[:2] == ([], b"")


def test_a_text_without_a_prompt_is_not_empty(monkeypatch):
    """Also where nothing is likelier after a separator than a separator."""
    for tokenizer in (TOKENIZER, BESE):
        size, eos_id = tokenizer.vocab_size, tokenizer.eos_id
        model = build_model(tiny_config(), size, eos_id=eos_id, seed=1)
        towards = model.model.embed_tokens.weight[eos_id].detach() * 1e4
        monkeypatch.setattr(
            model, "backbone", lambda *_, towards=towards, **__: towards[None, None]
        )
        for prompt, count in ((b"", 1), (b"a", 0)):
            _, _, following = continue_prompt(
                model, tokenizer, prompt, 9, SamplingParams(), heal=False
            )
            assert len(list(following)) == count
