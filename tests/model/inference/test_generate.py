import pytest
import torch

from spike_lm.model.families.build import build_model
from spike_lm.model.inference.generate import generate
from spike_lm.model.inference.incremental import IncrementalDecoder
from spike_lm.model.inference.sampling import SamplingParams
from spiketok.errors import SpikeError
from tests.model.tiny import VOCAB, golf_config, shaken, tiny_config, whale_config

PROMPT = [3, 1, 4, 1, 5]
LIKELIEST = SamplingParams(temperature=0)
CONFIGS = {
    "plain": tiny_config(),
    "golf": golf_config(),
    "spikewhale": whale_config(),
    "published": whale_config("spikewhale.layout=published"),
}


@pytest.fixture(scope="module", params=CONFIGS)
def any_model(request):
    return shaken(build_model(CONFIGS[request.param], VOCAB, eos_id=3, seed=1).double())


def ids_of(*arguments, **options):
    return [token.id for token in generate(*arguments, **options)]


def windows_end(length):
    """Return where the window begins that ends with token `length`: they move on by 6 of 12."""
    start = 0
    for n in range(1, length + 1):
        start = n - 6 if n - start > 12 else start
    return start


def test_temperature_0_takes_the_likeliest_of_a_window_read_at_once(any_model):
    ids = list(PROMPT)
    for chosen, log_probability in generate(any_model, PROMPT, LIKELIEST, max_tokens=40):
        start = windows_end(len(ids))
        before = torch.tensor([ids[start - any_model.lookback : start]]) if start else None
        hidden = any_model.backbone(torch.tensor([ids[start:]]), before)
        expected = any_model.logits(hidden)[0, -1].log_softmax(0)
        assert chosen == int(expected.argmax())
        assert log_probability == pytest.approx(float(expected.max()), abs=1e-9)
        ids.append(chosen)
    assert len(ids) == 45


def test_each_token_is_read_about_twice_at_most(any_model, monkeypatch):
    read, backbone = [], any_model.backbone

    def counted(ids, *before, **rest):
        read.append(ids.shape[1])
        return backbone(ids, *before, **rest)

    monkeypatch.setattr(any_model, "backbone", counted)
    ids_of(any_model, PROMPT, max_tokens=20)
    assert read == [5, *[1] * 7, 6, *[1] * 6, 6, *[1] * 4]


def test_a_reading_goes_on_where_another_text_stopped(any_model):
    reading = IncrementalDecoder(any_model)
    first = ids_of(any_model, PROMPT, LIKELIEST, max_tokens=9, reading=reading)
    longer = [*PROMPT, *first, 7, 8]
    again = ids_of(any_model, longer, LIKELIEST, max_tokens=9, reading=reading)
    fresh = IncrementalDecoder(any_model)
    for n in range(1, len(longer)):
        fresh.next_logits(longer[:n])
    assert again == ids_of(any_model, longer, LIKELIEST, max_tokens=9, reading=fresh)


def test_equal_seeds_give_equal_texts(model):
    first, second, other = (
        ids_of(model, PROMPT, SamplingParams(seed=seed), max_tokens=20) for seed in (1, 1, 2)
    )
    assert first == second != other


def test_stop_ids_end_the_text_and_banned_ids_never_come(model):
    free = ids_of(model, PROMPT, LIKELIEST, max_tokens=30)
    stopped = ids_of(model, PROMPT, LIKELIEST, max_tokens=30, stop_ids={free[4]})
    assert stopped == free[: free.index(free[4]) + 1]
    banned = set(range(VOCAB)) - {7, 9}
    assert set(ids_of(model, PROMPT, max_tokens=30, banned_ids=banned)) <= {7, 9}


def test_choices_are_kept_to(model):
    def choices(new):
        return [[7, 9], [2]][len(new)] if len(new) < 2 else None

    options = {"max_tokens": 3, "choices": choices}
    drawn = [ids_of(model, PROMPT, SamplingParams(seed=seed), **options) for seed in range(9)]
    assert {first for first, _, _ in drawn} == {7, 9}
    assert {second for _, second, _ in drawn} == {2}
    assert len({third for _, _, third in drawn}) > 2


def test_a_repetition_penalty_makes_what_was_said_less_likely(model):
    wild = SamplingParams(temperature=0, repetition_penalty=100)
    found = ids_of(model, PROMPT, wild, max_tokens=12)
    assert len(set(found)) == 12
    assert not set(found) & set(PROMPT)


def test_an_empty_prompt_is_refused(model):
    with pytest.raises(SpikeError, match="no tokens"):
        generate(model, [], max_tokens=1)


def test_a_model_that_may_write_nothing_says_so(model):
    with pytest.raises(SpikeError, match="--allow-unseen"):
        generate(model, PROMPT, max_tokens=1, banned_ids=set(range(VOCAB)))
