from collections import Counter

import pytest
import torch

from model.assembly import build_model
from model.evaluation import generate
from spiketok.errors import SpikeError
from tests.model.tiny import VOCAB, shaken, whale_config

PROMPT = [3, 1, 4, 1, 5]


def test_temperature_0_takes_the_likeliest(model):
    ids = list(PROMPT)
    for chosen in generate(model, PROMPT, max_tokens=20, temperature=0):
        assert chosen == int(model(torch.tensor([ids[-12:]]))[0, -1].argmax())
        ids.append(chosen)
    assert len(ids) == 25


def test_equal_seeds_give_equal_texts(model):
    first, second, other = (
        list(generate(model, PROMPT, max_tokens=20, seed=seed)) for seed in (1, 1, 2)
    )
    assert first == second != other


def test_draws_by_the_probabilities(model):
    expected = torch.softmax(model(torch.tensor([PROMPT]))[0, -1].double() / 0.7, 0)
    drawn = Counter(
        next(generate(model, PROMPT, max_tokens=1, temperature=0.7, seed=seed))
        for seed in range(2000)
    )
    for i in range(VOCAB):
        assert drawn[i] / 2000 == pytest.approx(expected[i].item(), abs=0.05)


def test_top_p_keeps_the_likeliest_only(model):
    probabilities = torch.softmax(model(torch.tensor([PROMPT]))[0, -1].double(), 0)
    likeliest, order = probabilities.sort(descending=True)
    top_p = (likeliest[0] + likeliest[1]).item() - 1e-6
    drawn = {
        next(generate(model, PROMPT, max_tokens=1, top_p=top_p, seed=seed)) for seed in range(200)
    }
    assert drawn == set(order[:2].tolist())


def test_stop_ids_end_the_text_and_banned_ids_never_come(model):
    free = list(generate(model, PROMPT, max_tokens=30, temperature=0))
    stopped = list(generate(model, PROMPT, max_tokens=30, temperature=0, stop_ids={free[4]}))
    assert stopped == free[: free.index(free[4]) + 1]
    banned = set(range(VOCAB)) - {7, 9}
    assert set(generate(model, PROMPT, max_tokens=30, banned_ids=banned)) <= {7, 9}


@pytest.mark.parametrize("bad", [{"temperature": -1.0}, {"top_p": 0.0}, {"top_p": 1.1}])
def test_settings_out_of_range_are_refused(model, bad):
    with pytest.raises(SpikeError, match="needed is"):
        list(generate(model, PROMPT, max_tokens=1, **bad))


def test_an_empty_prompt_is_refused(model):
    with pytest.raises(SpikeError, match="no tokens"):
        list(generate(model, [], max_tokens=1))


def test_a_golf_model_sees_the_ids_before_its_window(golf, monkeypatch):
    ids = list(PROMPT)
    for chosen in generate(golf, PROMPT, max_tokens=20, temperature=0):
        start = max(0, len(ids) - 12)
        whole = golf.embed(torch.tensor([ids]))
        with monkeypatch.context() as patch:
            patch.setattr(golf, "embed", lambda *_: whole[:, start:])  # noqa: B023
            hidden = golf.trunk(torch.tensor([ids[start:]]))
        assert chosen == int(golf.logits(hidden)[0, -1].argmax())
        ids.append(chosen)
    assert len(ids) == 25


@pytest.mark.parametrize("layout", ["repaired", "published"])
def test_a_cache_changes_nothing_even_where_the_context_is_full(layout, monkeypatch):
    config = whale_config(f"spikewhale.layout={layout}")
    whale = shaken(build_model(config, VOCAB, separator=3, seed=1)).double()
    cached = list(generate(whale, PROMPT, max_tokens=20, temperature=0))
    read = []
    trunk = whale.trunk

    def uncached(ids, *before, cache):
        read.append(ids.shape[1])
        cache.length += ids.shape[1]
        start = sum(read[:-1])
        return trunk(torch.tensor([[*PROMPT, *cached][: start + ids.shape[1]]]))

    monkeypatch.setattr(
        whale, "trunk", lambda ids, *b, **c: uncached(ids, **c) if c else trunk(ids, *b)
    )
    assert list(generate(whale, PROMPT, max_tokens=20, temperature=0)) == cached
    assert read == [5, 1, 1, 1, 1, 1, 1, 1]
