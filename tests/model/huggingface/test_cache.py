"""The cache of exported models in `generate`: used, refused, continued, cut back after drafts."""

import copy
from dataclasses import dataclass

import pytest
import torch

from tests.model.huggingface.test_modeling_spike import TEXTS, cache_name, ids_of

pytestmark = pytest.mark.slow
own_class = pytest.mark.parametrize("kind", ["capped", "whale", "rare", "golf"])
GREEDY = {"do_sample": False, "max_new_tokens": 12}


def ids_per_pass(model):
    """Note how many ids each pass of the model reads, in the list returned."""
    lengths = []

    def note(_, positional, named):
        lengths.append((positional or (named["input_ids"],))[0].shape[1])

    model.register_forward_pre_hook(note, with_kwargs=True)
    return lengths


@own_class
def test_each_pass_after_the_first_reads_one_token(both, kind):
    run, theirs = both(kind)
    row = torch.tensor([ids_of(run, TEXTS[0])])
    lengths = ids_per_pass(theirs)
    found = theirs.generate(row, output_logits=True, return_dict_in_generate=True, **GREEDY)
    assert lengths == [row.shape[1], *[1] * (len(found.logits) - 1)]
    with torch.no_grad():
        whole = theirs(found.sequences).logits[0, row.shape[1] - 1 : -1]
    assert (torch.cat(found.logits) - whole).abs().max() < 1e-5


def test_a_cache_under_another_name_is_refused_loudly(both, monkeypatch):
    """As each release of transformers would be that renames the cache once more."""
    from transformers import GenerationMixin
    from transformers.utils import ModelOutput

    run, theirs = both("golf")
    row = torch.tensor([ids_of(run, TEXTS[0])])
    original = GenerationMixin._update_model_kwargs_for_generation

    @dataclass
    class Renamed(ModelOutput):
        logits: torch.Tensor | None = None
        memory: object = None

    def forget(self, outputs, model_kwargs, **options):
        renamed = Renamed(logits=outputs.logits, memory=outputs.get(cache_name()))
        model_kwargs.pop(cache_name(), None)
        return original(self, renamed, model_kwargs, **options)

    monkeypatch.setattr(GenerationMixin, "_update_model_kwargs_for_generation", forget)
    with pytest.raises(RuntimeError, match="the prompt would be lost"):
        theirs.generate(row, **GREEDY)
    theirs.generate(row, use_cache=False, **GREEDY)


def test_arguments_that_lose_what_was_read_are_refused(both, transformers):
    run, theirs = both("golf")
    row = torch.tensor([ids_of(run, TEXTS[0])])
    one = row[:, -1:]
    with torch.no_grad():
        cache = theirs(row[:, :-1], use_cache=True)[cache_name()]
        with pytest.raises(ValueError, match="the prompt would be lost"):
            theirs(one, memory=cache)
        with pytest.raises(ValueError, match="1 new ids and 0 in the cache"):
            theirs(one, attention_mask=torch.ones_like(row))
        with pytest.raises(ValueError, match="two names of one argument"):
            theirs(one, cache=cache, past_key_values=cache)
        with pytest.raises(ValueError, match="DynamicCache is not supported"):
            theirs(row, cache=transformers.DynamicCache())
        with pytest.raises(ValueError, match="tokens_to_remove is positive"):
            cache.crop(2)
        assert torch.equal(
            theirs(one, cache=copy.deepcopy(cache)).logits,
            theirs(one, past_key_values=cache).logits,
        )
    with pytest.raises(ValueError, match="cache_implementation='static'"):
        theirs.generate(row, cache_implementation="static", **GREEDY)


@own_class
def test_a_prompt_read_once_is_continued_in_several_ways(both, kind):
    run, theirs = both(kind)
    prompt = torch.tensor([ids_of(run, TEXTS[0])])
    with torch.no_grad():
        read = theirs(prompt, use_cache=True)[cache_name()]
    for text in TEXTS[1:]:
        row = torch.cat([prompt, torch.tensor([ids_of(run, text)[1:]])], 1)
        wanted = theirs.generate(row, use_cache=False, **GREEDY)
        found = theirs.generate(row, **{cache_name(): copy.deepcopy(read)}, **GREEDY)
        assert torch.equal(found, wanted)
    read.reset()
    found = theirs.generate(prompt.repeat(2, 1), **{cache_name(): read}, **GREEDY)
    wanted = theirs.generate(prompt.repeat(2, 1), use_cache=False, **GREEDY)
    assert torch.equal(found, wanted)


@pytest.mark.parametrize("kind", ["plain", "capped", "whale", "rare", "golf"])
def test_drafted_tokens_do_not_change_the_text(both, kind):
    """Also where windows move on between the tokens that one pass verifies."""
    run, theirs = both(kind)
    row = torch.tensor([ids_of(run, 2 * TEXTS[0])])
    ways = {"do_sample": False, "max_new_tokens": 40 if kind != "plain" else 8}
    wanted = theirs.generate(row, **ways)
    helper = copy.deepcopy(theirs)
    with torch.no_grad():
        for weight in helper.parameters():
            weight.add_(0.02 * torch.randn(weight.shape, generator=torch.manual_seed(0)))
    drafts = {"same": {"assistant_model": copy.deepcopy(theirs)}}
    drafts |= {"other": {"assistant_model": helper}, "lookup": {"prompt_lookup_num_tokens": 4}}
    lengths = ids_per_pass(theirs)
    for name, draft in drafts.items():
        lengths.clear()
        assert torch.equal(theirs.generate(row, **ways, **draft), wanted), name
        assert max(lengths[1:]) > 1 or name == "lookup"


@own_class
def test_logits_beyond_the_context_are_each_of_their_own_window(both, kind):
    theirs = both(kind)[1]
    ids = torch.randint(4, 400, (2, 60), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        alone = torch.cat(
            [theirs(ids[:, :end], logits_to_keep=1).logits for end in range(45, 61)], 1
        )
        assert (theirs(ids, logits_to_keep=16).logits - alone).abs().max() < 1e-5
        cache = theirs(ids[:, :44], use_cache=True, logits_to_keep=1)[cache_name()]
        found = theirs(ids[:, 44:], **{cache_name(): cache}).logits
        assert (found - alone).abs().max() < 1e-5
