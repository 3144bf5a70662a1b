"""Learning from a text while it is scored: against a plain loop, and from the past alone."""

import copy
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.func import functional_call

from spike_lm.model.config.ttt import parse_ttt
from spike_lm.model.families.build import build_model
from spike_lm.model.families.parameter_roles import training_only_modules
from spike_lm.model.scoring import bits_per_byte
from spike_lm.model.scoring.bits_per_byte import score_documents
from spike_lm.model.scoring.sliding_windows import WindowConfig
from spike_lm.model.scoring.ttt.learner import ttt_learner
from spike_lm.model.scoring.ttt.lora import start_factors
from spike_lm.model.scoring.ttt.trainable_weights import chosen_parameters, write_weights
from spike_lm.model.text_compression.next_token_logits import predict_tokens
from spiketok.errors import SpikeError
from tests.model.tiny import VOCAB, WHALE_RARE, golf_config, shaken, tiny_config, whale_config

SEPARATOR, CONTEXT, STRIDE = 3, 8, 3
WINDOWS = WindowConfig(context=CONTEXT, stride=STRIDE)
BYTES = np.arange(VOCAB) % 5
CONFIGS = {
    "plain": tiny_config(),
    "golf": golf_config(),
    "spikewhale": whale_config(),
    "experts": whale_config(*WHALE_RARE),
}
QUICK = "chunk=20,epochs=2,batch=3,polyak=0.5,rate=0.01"


def make_model(family):
    return shaken(build_model(CONFIGS[family], VOCAB, eos_id=SEPARATOR, seed=1)).double()


@pytest.fixture(params=CONFIGS)
def any_model(request):
    return make_model(request.param)


def texts(*sizes, seed=0):
    random = np.random.default_rng(seed)
    return [random.integers(4, VOCAB, size).astype(np.uint16) for size in sizes]


def learn_and_score(model, settings, ids, **options):
    """Return the score and the model's weights just before they are given back."""
    documents = [(text, len(text)) for text in ids]
    parsed = parse_ttt(settings)
    targets = sum(len(text) + 1 for text in ids)
    known = {"context": CONTEXT, "eos_id": SEPARATOR}
    with ttt_learner(model, parsed, targets=targets, byte_lengths=BYTES, **known) as learner:
        score = score_documents(
            model,
            documents,
            WindowConfig(context=CONTEXT, stride=STRIDE, **options),
            eos_id=SEPARATOR,
            learner=learner,
        )
        return score, copies(model)


def copies(model):
    return {name: weight.clone() for name, weight in model.state_dict().items()}


def assert_same(first, second):
    assert first.keys() == second.keys()
    for name, weight in first.items():
        assert torch.equal(weight, second[name]), name


class Nats(nn.Module):
    """−ln p of each target of one sequence; what parameters are replaced in."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, before, ids):
        before = torch.tensor([before]) if self.model.lookback else None
        logits = self.model.logits(self.model.backbone(torch.tensor([ids[:-1]]), before))[0]
        return -logits.log_softmax(-1)[torch.arange(len(ids) - 1), ids[1:]]


def plain_loop(model, settings, documents):
    """Score window by window and learn sequence by sequence; return the nats."""
    told = parse_ttt(settings)
    nats_of, back = Nats(copy.deepcopy(model)), model.lookback
    start = {f"model.{name}": p.detach().clone() for name, p in model.named_parameters()}
    chosen = [f"model.{name}" for name, _ in chosen_parameters(model, told)]
    leaves = {}
    for name in chosen:
        owner = model.get_submodule(name.removeprefix("model.").rpartition(".")[0])
        if told.rank and isinstance(owner, nn.Linear):
            leaves[name] = list(start_factors(name[6:], start[name], told.rank))
        else:
            leaves[name] = [start[name].clone()]
    moved = [leaf.requires_grad_() for some in leaves.values() for leaf in some]
    means = {name: [leaf.detach().clone() for leaf in some] for name, some in leaves.items()}
    optimizer = {
        "adamw": lambda: torch.optim.AdamW(moved, betas=(0.9, 0.999), weight_decay=0),
        "sgd": lambda: torch.optim.SGD(moved, momentum=0.9),
    }[told.optimizer]()

    def weights(of):
        sums = {n: start[n] + v[1] @ v[0] if len(v) > 1 else v[0] for n, v in of.items()}
        return start | sums

    row = [SEPARATOR] * (back + 1)
    total, passed, learned_to, scored_nats = sum(len(d) + 1 for d in documents), 0, 0, 0.0
    for document in documents:
        stream = [SEPARATOR] * (back + 1) + document.tolist() + [SEPARATOR]
        done, length = 0, len(document) + 1
        while done < length:
            stop = min(done + (STRIDE if done else CONTEXT), length)
            begin = max(0, stop - CONTEXT)
            inputs = stream[begin + back : stop + back + 1]
            with torch.no_grad():
                found = functional_call(
                    nats_of, weights(means), (stream[begin : begin + back], inputs)
                )
            scored_nats += found[done - begin :].sum().item()
            row += inputs[done - begin + 1 :]
            before, passed, done = passed, passed + stop - done, stop
            if passed // told.chunk == before // told.chunk or passed == total:
                continue
            chunk, chunks = passed // told.chunk - 1, math.ceil(total / told.chunk)
            rate = told.rate
            if told.decay != "none":
                rate *= 0.5 * (1 + math.cos(math.pi * chunk / (chunks - 1)))
                rate *= 1 + 2 * min(1, chunk / (0.3 * chunks))
            places = range(learned_to, passed, CONTEXT)
            optimizer.param_groups[0]["lr"] = rate
            for first in [*range(0, len(places), told.batch)] * told.epochs:
                losses, counts = [], []
                for place in places[first : first + told.batch]:
                    end = min(place + CONTEXT, passed)
                    ids = row[place + back : end + back + 1]
                    nats = functional_call(
                        nats_of, weights(leaves), (row[place : place + back], ids)
                    )
                    weight = torch.tensor(BYTES[ids[1:]] if told.by_bytes else [1] * len(nats))
                    losses.append((nats * weight).sum())
                    counts.append(weight.sum())
                optimizer.zero_grad()
                (sum(losses) / sum(counts)).backward()
                for leaf in moved:
                    leaf.grad = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
                nn.utils.clip_grad_norm_(moved, 1.0)
                optimizer.step()
                with torch.no_grad():
                    for name, some in leaves.items():
                        for mean, leaf in zip(means[name], some, strict=True):
                            mean.mul_(told.polyak).add_(leaf, alpha=1 - told.polyak)
            learned_to = passed
    return scored_nats


@pytest.mark.parametrize(
    "settings",
    [
        QUICK,
        "chunk=20,epochs=1,batch=2,optimizer=sgd,rate=0.1,decay=none,by_bytes=true,polyak=0",
        QUICK + ",rank=2,vectors=false",
    ],
)
def test_equals_a_plain_loop(any_model, settings):
    documents = texts(13, 0, 31)
    found, _ = learn_and_score(any_model, settings, documents, batch_windows=3)
    assert found.nats == pytest.approx(plain_loop(any_model, settings, documents), rel=1e-9)
    plain, _ = learn_and_score(any_model, "epochs=0", documents)
    assert abs(found.nats - plain.nats) > 1e-3


def test_learns_what_repeats(model):
    model.requires_grad_(True)  # as one that is in training has it; only what is chosen may move
    document = np.tile(texts(10)[0], 20)
    settings = "chunk=50,epochs=4,batch=4,polyak=0,rate=0.01,decay=none"
    learned, _ = learn_and_score(model, settings, [document])
    plain, _ = learn_and_score(model, "epochs=0", [document])
    assert learned.nats < 0.8 * plain.nats
    assert all(p.requires_grad and p.grad is None for p in model.parameters())


def test_nothing_before_a_border_depends_on_what_comes_after(any_model, monkeypatch):
    def rows_of(document):
        taken, nats_of = [], bits_per_byte._nats
        with monkeypatch.context() as patched:
            patched.setattr(
                bits_per_byte, "_nats", lambda *a: taken.append(nats_of(*a)) or taken[-1]
            )
            learn_and_score(any_model, QUICK, [document], batch_windows=1)
        return torch.cat(taken)

    (document,) = texts(70)
    other = document.copy()
    other[41:] = other[41:][::-1]  # windows end at 8, 11, …, 41, so that 41 … are in chunk 3
    first, second = rows_of(document), rows_of(other)
    assert torch.equal(first[:41], second[:41])
    # What comes later in its chunk does not reach back either, and the next chunk tells them apart.
    assert not torch.equal(first[60:], second[60:])


@pytest.mark.parametrize("settings", [QUICK + ",vectors=false", QUICK + ",rank=2"])
def test_a_decoder_makes_the_same_weights(any_model, settings):
    (document,) = texts(45)
    _, scored = learn_and_score(any_model, settings, [document], batch_windows=5)
    known = {"context": CONTEXT, "eos_id": SEPARATOR}
    targets = len(document) + 1
    with ttt_learner(
        any_model, parse_ttt(settings), targets=targets, byte_lengths=BYTES, **known
    ) as learner:
        steps = predict_tokens(any_model, targets, WINDOWS, eos_id=SEPARATOR, learner=learner)
        nats, found = 0.0, next(steps)
        for token in document.tolist():
            nats -= torch.log_softmax(found.double(), dim=-1)[token].item()
            found = steps.send(token)
        nats -= torch.log_softmax(found.double(), dim=-1)[SEPARATOR].item()
        assert_same(copies(any_model), scored)
    score, _ = learn_and_score(any_model, settings, [document])
    assert score.nats == pytest.approx(nats, rel=1e-9)


def test_without_epochs_the_score_is_the_plain_one(any_model):
    documents = texts(13, 31)
    found, weights = learn_and_score(any_model, "epochs=0,chunk=5", documents)
    plain = score_documents(
        any_model,
        [(text, len(text)) for text in documents],
        WINDOWS,
        eos_id=SEPARATOR,
    )
    assert found == plain
    assert_same(weights, copies(any_model))


def test_the_last_chunk_is_not_learned_from(any_model):
    before = copies(any_model)
    for size in (19, 18):  # with the separator 20, a whole chunk, and 19
        assert_same(learn_and_score(any_model, QUICK, texts(size))[1], before)
    after = learn_and_score(any_model, QUICK, texts(30))[1]
    assert any(not torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("settings", [QUICK + ",rank=3", QUICK + ",blocks=1,vectors=false"])
def test_nothing_leaks_and_only_what_is_chosen_moves(any_model, settings):
    before = copies(any_model)
    _, after = learn_and_score(any_model, settings, texts(45))
    assert_same(copies(any_model), before)
    assert not any(p.requires_grad or p.grad is not None for p in any_model.parameters())
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    chosen = {name for name, _ in chosen_parameters(any_model, parse_ttt(settings))}
    assert moved
    assert moved <= chosen
    training_only = tuple(training_only_modules(any_model))
    tables = ("embedding", "engram.compressor", "engram.table", "memory", "bigram.table")
    assert not [name for name in chosen if name.startswith((*tables, *training_only))]


def test_weights_come_back_after_an_error(model):
    with torch.no_grad():
        model.model.embed_tokens.weight[5] = math.inf
    before = copies(model)
    with pytest.raises(SpikeError, match="in chunk 1 is not finite; lower `rate`"):
        learn_and_score(model, QUICK, [np.full(30, 5)])
    assert_same(copies(model), before)
    assert not any(p.requires_grad or p.grad is not None for p in model.parameters())


def test_low_rank_changes_start_as_none(any_model):
    known = {"targets": 9, "context": CONTEXT, "eos_id": SEPARATOR, "byte_lengths": BYTES}
    before = copies(any_model)
    with ttt_learner(any_model, parse_ttt("rank=4"), **known) as learner:
        for means in (False, True):
            write_weights(learner._learned, means=means)
            assert_same(copies(any_model), before)


def test_what_the_model_does_not_have_is_refused(model):
    with pytest.raises(SpikeError, match="blocks=3, but the model has 2; use blocks=2 or fewer"):
        learn_and_score(model, "blocks=3", [])
    with pytest.raises(SpikeError, match="train no weight"):
        learn_and_score(model, "blocks=0,vectors=false", [])


RANK = """
import sys
from datetime import timedelta
from safetensors.torch import save_file
import torch
from torch import distributed
from tests.model.scoring.ttt import test_learner as here

folder, family, number, count = sys.argv[1:]
torch.set_num_threads(1)
torch.manual_seed(0)  # what a constructor of torch draws itself
distributed.init_process_group(
    "gloo", init_method=f"file://{folder}/meeting-{count}", rank=int(number),
    world_size=int(count), timeout=timedelta(seconds=60),
)
score, weights = here.learn_and_score(
    here.make_model(family).float(), here.QUICK, here.texts(90, 0, 37), batch_windows=2
)
nats = torch.tensor([score.nats, score.nats_separators], dtype=torch.float64)
save_file(weights | {"nats": nats}, f"{folder}/{count}-{number}.safetensors")
distributed.destroy_process_group()
"""


@pytest.mark.slow
@pytest.mark.parametrize("family", CONFIGS)
def test_ranks_equal_one_to_the_bit(family, tmp_path):
    found = []
    for count in (1, 2, 3):
        command = [sys.executable, "-c", RANK, str(tmp_path), family]
        started = [
            subprocess.Popen([*command, str(number), str(count)], cwd=Path(__file__).parents[4])
            for number in range(count)
        ]
        assert [process.wait(120) for process in started] == [0] * count
        found += [load_file(tmp_path / f"{count}-{number}.safetensors") for number in range(count)]
    for other in found[1:]:
        assert_same(found[0], other)
