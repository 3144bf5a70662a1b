import copy
import itertools
import math

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.nn import functional

from spike_lm.model.families.build import build_model
from spike_lm.model.runs.folder import Run
from spike_lm.model.scoring.bits_per_byte import score_documents
from spike_lm.model.scoring.sliding_windows import WindowConfig, window_borders
from spike_lm.model.text_compression.compressed_file import compress, decompress
from spike_lm.model.text_compression.compressed_header import checksum, read_header
from spike_lm.model.text_compression.next_token_logits import predict_tokens
from spiketok import BeseVocabulary, Tokenizer, build_vocabulary
from spiketok.errors import SpikeError
from tests.model.tiny import golf_config, shaken, tiny_config, whale_config

TOKENIZER = Tokenizer(build_vocabulary([b"ab", b"abc", b"the "], 300, "minimal"))
CONFIGS = {"plain": tiny_config(), "golf": golf_config(), "spikewhale": whale_config()}
drawn = settings(deadline=None, max_examples=10, suppress_health_check=list(HealthCheck))
WINDOWS = WindowConfig(context=12, stride=5)
TEXT = b"abc the abab" * 4 + bytes(range(250, 256))


def make_run(config, tokenizer=TOKENIZER):
    vocab_size, eos_id = tokenizer.vocab_size, tokenizer.eos_id
    model = shaken(build_model(config, vocab_size, eos_id=eos_id, seed=1))
    known = {"step": 1, "fingerprints": {}, "digest": ""}
    return Run(config=config, model=model, tokenizer=tokenizer, **known)


@pytest.fixture(scope="module", params=CONFIGS)
def run(request):
    return make_run(CONFIGS[request.param])


@drawn
@given(st.binary(max_size=40), st.integers(1, 12), st.integers(1, 12))
def test_every_text_comes_back_and_takes_what_its_score_says(run, text, context, stride):
    windows = WindowConfig(context=context, stride=min(stride, context))
    data = compress(run, text, windows)
    assert decompress(run, data) == text
    assert compress(run, text, windows) == data
    ids = [*TOKENIZER.encode(text).tolist(), TOKENIZER.eos_id]
    nats = nats_of(run.model, ids, windows)
    score = score_documents(run.model, [(np.array(ids[:-1]), 1)], windows, eos_id=TOKENIZER.eos_id)
    assert score.nats == pytest.approx(nats, rel=1e-5)
    bits = (score.nats - score.nats_separators) / math.log(2)
    assert 8 * len(read_header(data)[1]) <= bits * 1.001 + 16


def nats_of(model, ids, windows):
    """Read each window at once."""
    stream, nats = [TOKENIZER.eos_id, *ids], 0.0
    for start, scored, stop in window_borders(len(ids), windows.context, windows.stride):
        behind = [TOKENIZER.eos_id] * model.lookback + stream[:start]
        before = torch.tensor([behind[start:]]) if model.lookback else None
        hidden = model.backbone(torch.tensor([stream[start:stop]]), before)[0, scored - start :]
        wanted = torch.tensor(ids[scored:stop])
        nats += functional.cross_entropy(model.logits(hidden), wanted, reduction="sum").item()
    return nats


@drawn
@given(st.lists(st.integers(4, 299), max_size=30), st.integers(1, 12), st.integers(1, 12))
def test_predicts_what_windows_read_at_once_predict(run, ids, context, stride):
    windows = WindowConfig(context=context, stride=min(stride, context))
    model = copy.deepcopy(run.model).double()
    steps = predict_tokens(model, len(ids), windows, eos_id=TOKENIZER.eos_id)
    nats = 0.0
    for place, token in enumerate(ids):
        logits = next(steps) if place == 0 else steps.send(ids[place - 1])
        found = torch.softmax(logits, dim=-1).numpy()
        assert found.sum() == pytest.approx(1, abs=1e-12)
        nats -= math.log(found[token])
    assert nats == pytest.approx(nats_of(model, ids, windows), rel=1e-9, abs=1e-9)


def test_what_does_not_fit_is_refused():
    run = make_run(CONFIGS["plain"])
    data = compress(run, TEXT, WINDOWS)
    other = make_run(CONFIGS["plain"])
    with torch.no_grad():
        other.model.model.embed_tokens.weight[0, 0] += 1e-3
    with pytest.raises(SpikeError, match="compressed with model"):
        decompress(other, data)
    other_tokenizer = Tokenizer(build_vocabulary([b"ab", b"the "], 300, "minimal"))
    with pytest.raises(SpikeError, match="compressed with tokenizer"):
        decompress(make_run(CONFIGS["plain"], other_tokenizer), data)
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    with pytest.raises(SpikeError, match="compressed with threads"):
        decompress(run, data)
    torch.set_num_threads(threads)
    assert decompress(run, data) == TEXT
    lossy = Tokenizer(BeseVocabulary(merges=(), vocab_size=40, alphabet="bese-published"))
    with pytest.raises(SpikeError, match="loses text"):
        compress(make_run(CONFIGS["plain"], lossy), TEXT, WINDOWS)
    for context, stride in ((13, 1), (4, 5)):
        with pytest.raises(SpikeError, match="1 ≤ stride ≤ context"):
            compress(run, TEXT, WindowConfig(context=context, stride=stride))


def one_ulp_off(run, calls_before=0):
    """Return a run whose logits are larger by one ulp, once some calls have passed."""
    other = make_run(run.config)
    logits, calls = other.model.logits, itertools.count()

    def shifted(hidden):
        found = logits(hidden)
        return torch.nextafter(found, found + 1) if next(calls) >= calls_before else found

    other.model.logits = shifted
    return other


@pytest.mark.parametrize("calls_before", [0, 30])
def test_other_predictions_are_told_from_damage(calls_before):
    run = make_run(CONFIGS["plain"])
    text = TEXT * 8
    data = compress(run, text, WINDOWS)
    assert decompress(run, data) == text
    other = one_ulp_off(run, calls_before)
    # One ulp seldom moves a share of 2^32 across a border, but here it does.
    with pytest.raises(SpikeError, match=r"file is whole, but predictions differ here"):
        decompress(other, data)
    for wrong in (data[:-1], data + b"\0", data[:-9] + b"\0" + data[-8:]):
        with pytest.raises(SpikeError, match="file is damaged or cut short"):
            decompress(other, wrong)


def test_files_of_other_formats_are_named():
    data = compress(make_run(CONFIGS["plain"]), TEXT, WINDOWS)
    for number, words in ((2, "format 2 is of an earlier spike"), (4, "format 4 is not known")):
        with pytest.raises(SpikeError, match=words):
            read_header(data.replace(b'"format":3', b'"format":%d' % number, 1))


def test_damage_is_an_error_or_harmless():
    run = make_run(CONFIGS["plain"])
    data = compress(run, TEXT, WINDOWS)
    random = np.random.default_rng(0)
    damaged = [data[:cut] for cut in range(0, len(data), 7)]
    for _ in range(60):
        wrong = bytearray(data)
        wrong[random.integers(len(wrong))] ^= 1 << random.integers(8)
        damaged.append(bytes(wrong))
    with pytest.raises(SpikeError, match="damaged"):
        decompress(run, data + b"\0")
    for wrong in damaged:
        try:
            assert decompress(run, wrong) == TEXT
            assert wrong == data
        except SpikeError as error:
            assert "\n" not in str(error)


def claiming(data, **claims):
    """Return a file with a forged header and the right checksum."""
    header, coded = read_header(data)
    described = msgspec.json.encode(msgspec.structs.replace(header, **claims))
    length = len(described).to_bytes(4, "little")
    return data[:4] + length + described + checksum(described, coded) + coded


def test_claims_beyond_what_a_file_can_hold_are_refused_before_the_work():
    run = make_run(CONFIGS["plain"])
    data = compress(run, TEXT, WINDOWS)
    assert decompress(run, claiming(data)) == TEXT
    tokens, longest = read_header(data)[0].tokens, int(TOKENIZER.byte_lengths.max())
    for claims, words in (
        ({"tokens": 10**12, "bytes": 10**12}, "claims 1,000,000,000,000 tokens, and it can hold"),
        ({"bytes": tokens * longest + 1}, f"bytes, and it can hold at most {tokens * longest}"),
        ({"tokens": len(TEXT) + 1}, "disagree"),
    ):
        with pytest.raises(SpikeError, match=words):
            decompress(run, claiming(data, **claims))
