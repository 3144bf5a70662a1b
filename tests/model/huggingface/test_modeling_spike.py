"""The exported folders in `transformers` itself, beside our own models."""

from dataclasses import fields

import pytest
import torch

from spike_lm.model.inference.generate import generate
from spike_lm.model.inference.sampling import SamplingParams
from spike_lm.model.layers.kv_cache import context_window_start

pytestmark = pytest.mark.slow

EVERY = ["plain", "untied", "capped", "whale", "rare", "golf"]
every_kind = pytest.mark.parametrize("kind", EVERY)
TEXTS = [b"the and a user", b"an", b"the \xc3\xa4 and the"]


def ids_of(run, text):
    return [run.tokenizer.eos_id, *run.tokenizer.encode(text).tolist()]


def padded(rows, pad=0):
    """Return ids and mask [B, T] of rows, filled up from the left."""
    longest = max(map(len, rows))
    ids = torch.tensor([[pad] * (longest - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
    return ids, mask


def ours_greedy(run, row, tokens):
    banned = {*run.tokenizer.special_ids.values(), *run.tokenizer.vocabulary.reserved_ids}
    eos_id = run.tokenizer.eos_id
    settings = {"stop_ids": [eos_id], "banned_ids": sorted(banned - {eos_id})}
    drawn = generate(run.model, row, SamplingParams(temperature=0), max_tokens=tokens, **settings)
    return [token.id for token in drawn]


def cache_name():
    """Return what this release of `transformers` calls the cache."""
    from transformers.modeling_outputs import CausalLMOutputWithPast

    names = {field.name for field in fields(CausalLMOutputWithPast)}
    return "cache" if "cache" in names else "past_key_values"


def until_end(ids, eos_id):
    """Return ids up to the separator that ends them; filling follows it."""
    ids = ids.tolist()
    return ids[: ids.index(eos_id) + 1] if eos_id in ids else ids


@every_kind
def test_logits_are_ours(both, kind):
    run, theirs = both(kind)
    ids = torch.randint(4, 400, (3, 24), generator=torch.Generator().manual_seed(1))
    ids[0, 5] = ids[1, 0] = run.tokenizer.eos_id
    with torch.no_grad():
        assert (theirs(ids).logits - run.model(ids)).abs().max() < 1e-5


@every_kind
@pytest.mark.parametrize("use_cache", [True, False])
def test_greedy_texts_are_ours_alone_and_in_a_padded_batch(both, kind, use_cache):
    run, theirs = both(kind)
    rows = [ids_of(run, text) for text in TEXTS]
    wanted = [ours_greedy(run, row, 10) for row in rows]
    options = {"max_new_tokens": 10, "do_sample": False, "use_cache": use_cache}
    for row, expected in zip(rows, wanted, strict=True):
        found = theirs.generate(torch.tensor([row]), **options)[0, len(row) :]
        assert until_end(found, run.tokenizer.eos_id) == expected
    ids, mask = padded(rows)
    found = theirs.generate(ids, attention_mask=mask, **options)[:, ids.shape[1] :]
    assert [until_end(row, run.tokenizer.eos_id) for row in found] == wanted


@every_kind
def test_behind_the_context_windows_move_on_as_ours_do(both, kind):
    run, theirs = both(kind)
    if not hasattr(theirs.config, "sections"):
        pytest.skip("the stock class goes on with positions that it has not learned")
    for row in (ids_of(run, TEXTS[0]), ids_of(run, 5 * TEXTS[0])):
        wanted = ours_greedy(run, row, 40)
        assert context_window_start(len(row) + len(wanted) - 1, 24) >= 2 * context_window_start(
            25, 24
        )
        for use_cache in (True, False):
            options = {"max_new_tokens": 40, "do_sample": False, "use_cache": use_cache}
            found = theirs.generate(torch.tensor([row]), **options)[0, len(row) :]
            assert until_end(found, run.tokenizer.eos_id) == wanted
    with pytest.raises(ValueError, match="more than the context"):
        theirs(torch.full((1, 25), 5))


@every_kind
def test_a_cache_does_not_change_what_is_drawn(both, kind, transformers):
    run, theirs = both(kind)
    ids, mask = padded([ids_of(run, text) for text in TEXTS])
    texts = []
    for use_cache in (True, False):
        transformers.set_seed(5)
        options = {"do_sample": True, "temperature": 1.3, "use_cache": use_cache}
        texts.append(theirs.generate(ids, attention_mask=mask, max_new_tokens=8, **options))
    assert torch.equal(*texts)
    assert len({tuple(row.tolist()) for row in texts[0][:, ids.shape[1] :]}) > 1


@every_kind
def test_sampling_draws_from_all_ids_as_ours_does(both, kind):
    """Where all are equally likely, many texts begin with many more ids than 50."""
    run, theirs = both(kind)
    with torch.no_grad():
        for table in {theirs.get_input_embeddings(), theirs.get_output_embeddings()} - {None}:
            table.weight.zero_()
    allowed = run.tokenizer.vocab_size - len(theirs.generation_config.suppress_tokens)
    ids = torch.full((2000, 1), run.tokenizer.eos_id)
    first = theirs.generate(ids, max_new_tokens=1)[:, 1].unique()
    assert 0.9 * allowed < len(first) <= allowed
    assert allowed > 200


@every_kind
def test_beam_search_is_the_same_with_and_without_a_cache(both, kind):
    run, theirs = both(kind)
    ids, mask = padded([ids_of(run, text) for text in TEXTS])
    options = {"num_beams": 3, "num_return_sequences": 2, "max_new_tokens": 8, "do_sample": False}
    found = [
        theirs.generate(ids, attention_mask=mask, use_cache=use_cache, **options)
        for use_cache in (True, False)
    ]
    assert torch.equal(*found)
    assert len(found[0]) == 6


@pytest.mark.parametrize("kind", ["capped", "whale", "golf"])
def test_beams_are_the_likeliest_texts_of_all(both, kind):
    """With as many beams as ids, two tokens on, the search is exhaustive."""
    run, theirs = both(kind)
    eos_id = run.tokenizer.eos_id
    row = ids_of(run, TEXTS[0])
    allowed = [token for token in range(4, 30) if token != eos_id]
    banned = [token for token in range(400) if token not in allowed]
    options = {"num_beams": len(allowed), "max_new_tokens": 2, "length_penalty": 0.0}
    found = theirs.generate(
        torch.tensor([row]), do_sample=False, suppress_tokens=banned, eos_token_id=399, **options
    )
    with torch.no_grad():
        both_ids = torch.tensor([[*row, first] for first in allowed])
        scores = theirs(both_ids).logits[:, -2:].log_softmax(-1)
    first = scores[range(len(allowed)), 0, allowed]
    total = first[:, None] + scores[:, 1, allowed]
    best = divmod(int(total.argmax()), len(allowed))
    assert found[0, len(row) :].tolist() == [allowed[token] for token in best]


@every_kind
def test_a_cache_can_be_cut_back_and_gone_on_with(both, kind):
    run, theirs = both(kind)
    ids = torch.tensor([ids_of(run, b"the and a user an the")])
    with torch.no_grad():
        whole = theirs(ids).logits
        cached = theirs(ids[:, :6], use_cache=True)[cache_name()]
        theirs(torch.full((1, 3), 9), **{cache_name(): cached})
        assert cached.get_seq_length() == 9
        cached.crop(-3)
        rest = theirs(ids[:, 6:], **{cache_name(): cached}).logits
        assert (rest - whole[:, 6:]).abs().max() < 1e-5


@every_kind
def test_labels_give_the_mean_loss_of_the_next_token(both, kind):
    run, theirs = both(kind)
    ids = torch.randint(4, 400, (2, 12), generator=torch.Generator().manual_seed(1))
    labels = ids.clone()
    labels[0, :5] = -100
    with torch.no_grad():
        found = theirs(ids, labels=labels).loss
        rows = run.model(ids)[:, :-1].flatten(0, 1)
    wanted = torch.nn.functional.cross_entropy(rows, labels[:, 1:].flatten())
    assert found.item() == pytest.approx(wanted.item(), abs=1e-5)


@every_kind
def test_saving_carries_weights_and_code_along(both, runs, kind, tmp_path, transformers):
    _, theirs = both(kind)
    theirs.save_pretrained(tmp_path / "saved")
    code = "spike_model.py"
    original = runs(kind)[1] / code
    assert (tmp_path / "saved" / code).exists() == original.exists()
    if original.exists():
        assert (tmp_path / "saved" / code).read_text() == original.read_text()
    again = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path / "saved", trust_remote_code=True
    )
    weights = theirs.state_dict()
    assert all(torch.equal(w, weights[name]) for name, w in again.state_dict().items())
    ids = torch.arange(4, 20)[None]
    with torch.no_grad():
        assert torch.equal(again(ids).logits, theirs(ids).logits)


@every_kind
def test_what_was_saved_elsewhere_can_be_imported(both, runs, kind, tmp_path):
    from spike_lm.model.huggingface import import_model
    from spike_lm.model.runs.folder import load_run

    _, theirs = both(kind)
    with torch.no_grad():
        theirs.get_input_embeddings().weight.add_(1)
    theirs.save_pretrained(tmp_path / "saved")
    vocabulary = runs(kind)[1] / "spike_tokenizer.json"
    (tmp_path / "saved/spike_tokenizer.json").write_bytes(vocabulary.read_bytes())
    import_model(tmp_path / "saved", tmp_path / "back")
    back = load_run(tmp_path / "back")
    assert torch.equal(back.model.model.embed_tokens.weight, theirs.get_input_embeddings().weight)
    ids = torch.arange(4, 20)[None]
    with torch.no_grad():
        assert (back.model(ids) - theirs(ids).logits).abs().max() < 1e-5


@pytest.mark.parametrize("kind", ["capped", "whale", "golf"])
def test_a_new_model_is_drawn_from_a_configuration(both, kind, transformers):
    _, theirs = both(kind)
    transformers.set_seed(3)
    model = type(theirs)(theirs.config)
    for name, table in model.model.rope_tables().items():
        assert torch.equal(getattr(model.model, name), table)
    assert model.model.embed_tokens.weight.std() < 0.1
    assert model(torch.arange(4, 20)[None]).logits.isfinite().all()
