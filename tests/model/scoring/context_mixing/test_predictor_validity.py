"""Seven tests that a score has to pass to be a rate; each is numbered as docs/scoring.md has it.

They are of predictors that begin with counts of other text, over a network of which nothing is
known: random logits that depend on the tokens before.
"""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from spike_lm.model.config.mixing import PARTS, settings_of
from spike_lm.model.scoring.context_mixing.ngram_model import NgramModel
from spike_lm.model.scoring.context_mixing.predictor import Predictor
from spike_lm.model.scoring.predictor_score import PredictorScore, score_with
from spike_lm.model.scoring.published_rule import PublishedRule, on_random_tokens
from spike_lm.model.scoring.sliding_windows import WindowConfig
from spike_lm.model.text_compression.arithmetic_coder import Encoder, cumulative_frequencies
from spiketok.errors import SpikeError

ROOT = Path(__file__).parents[4]
VOCAB, SEPARATOR = 64, 3
TABLE = torch.randn(VOCAB, VOCAB, generator=torch.Generator().manual_seed(1))


def text(size, seed):
    """Return ids of which each depends on the one before; a passage of 50 comes back at times."""
    generator = np.random.default_rng(seed)
    steps = generator.zipf(1.6, size).clip(max=VOCAB - 1)
    ids = np.cumsum(steps) % VOCAB
    for start in range(100, size - 50, 170):
        ids[start : start + 50] = ids[:50]
    return ids.astype(np.uint32)


def network(ids):
    """Return logits [n, V] for ids [n], from the token before each."""
    before = np.concatenate([[SEPARATOR], ids[:-1]]).astype(np.int64)
    return TABLE[before]


def start(parts=("all",), alone=False):
    settings = settings_of(parts, network=not alone)
    counts = None
    if settings.has("ngram"):
        counts = NgramModel(VOCAB)
        counts.learn(text(3_000, 7))
    predictor = Predictor(VOCAB, settings, counts)
    predictor.read_separator(SEPARATOR)
    return predictor


def rows(predictor, ids):
    return network(ids) if predictor.settings.network else None


ALONE = pytest.mark.parametrize("alone", [False, True], ids=["network", "alone"])


@ALONE
def test_1_sums_to_one(alone):
    """At 1,024 places all candidates together have 1, and the one that came has its score."""
    ids, predictor = text(1_024, 1), start(alone=alone)
    logits = rows(predictor, ids)
    for place, token in enumerate(ids):
        every = predictor.distributions(None if logits is None else logits[place])
        part = None if logits is None else logits[place : place + 1]
        found = predictor.score(ids[place : place + 1], part)
        for name, p in every.items():
            assert abs(p.sum() - 1) < 1e-9
            assert p[token] == found[name][0]


@ALONE
def test_2_random_tokens_cost_what_they_are_worth(alone):
    """Nobody codes uniformly random tokens in less than log₂ V bits; the published rule "does"."""
    ids = np.random.default_rng(2).integers(0, VOCAB, 30_000)
    predictor = start(alone=alone)
    for p in predictor.score(ids, rows(predictor, ids)).values():
        assert -np.log2(p).mean() >= math.log2(VOCAB) - 0.01
    verdict = on_random_tokens(1 << 16, 1024)
    assert verdict.true_bits == 10
    assert verdict.bits < 1
    assert verdict.total > 500


@ALONE
def test_3_the_target_is_not_looked_at(alone):
    """Other tokens from a place on leave what was said up to it as it was, to the last bit."""
    ids, place = text(700, 3), 600
    seen = []
    for others in (ids[place:], (ids[place:] + 1) % VOCAB, np.full(100, 5, np.uint32)):
        changed = np.concatenate([ids[:place], others]).astype(np.uint32)
        predictor = start(alone=alone)
        logits = rows(predictor, changed)
        found = predictor.score(changed[:place], None if logits is None else logits[:place])
        ahead = predictor.distributions(None if logits is None else logits[place])
        whole = start(alone=alone).score(changed, logits)
        seen.append((found, ahead, {name: p[:place] for name, p in whole.items()}))
    for name in seen[0][0]:
        for found, ahead, whole in seen[1:]:
            assert np.array_equal(found[name], seen[0][0][name])
            assert np.array_equal(ahead[name], seen[0][1][name])
            assert np.array_equal(whole[name], seen[0][2][name])


def test_4_the_size_of_tables_changes_nothing():
    """Tables grow as they fill; one that was made far too large gives the same numbers."""
    ids, floor = text(2_000, 4), np.full(2_000, 1 / VOCAB)
    small = NgramModel(VOCAB)
    large = NgramModel(VOCAB)
    large.reserve(200_000)
    assert large.bytes > 4 * small.bytes
    found = [counts.score(ids, floor).probabilities for counts in (small, large)]
    assert np.array_equal(*found)


def test_5_a_coder_brings_the_text_back(tmp_path):
    """20,000 tokens, decoded in another process, took no more than 0.1 % beyond their score."""
    ids, predictor, encoder = text(20_000, 5), start(alone=True), Encoder()
    whole = predictor.settings.stages[-1]
    bits = 0.0
    for token in ids:
        shares = cumulative_frequencies(predictor.distributions()[whole])
        encoder.encode(int(shares[token]), int(shares[token + 1]))
        bits -= math.log2(predictor.score(token[None])[whole][0])
    data = encoder.finish()
    assert abs(8 * len(data) - bits) <= 0.001 * bits + 64
    (tmp_path / "coded").write_bytes(data)
    code = (
        "import sys, numpy as np\n"
        "from tests.model.scoring.context_mixing.test_predictor_validity import start\n"
        "from spike_lm.model.text_compression.arithmetic_coder import cumulative_frequencies\n"
        "from spike_lm.model.text_compression.arithmetic_coder import Decoder\n"
        "decoder = Decoder(open(sys.argv[1], 'rb').read())\n"
        "predictor = start(alone=True)\n"
        "for _ in range(20_000):\n"
        "    every = predictor.distributions()[predictor.settings.stages[-1]]\n"
        "    token = decoder.decode(cumulative_frequencies(every))\n"
        "    predictor.score(np.array([token]))\n"
        "    print(token)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "coded")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert list(map(int, done.stdout.split())) == ids.tolist()


@ALONE
def test_6_each_token_is_scored_once_and_before_it_is_learned(alone):
    """What comes later, in whatever order, leaves earlier scores alone; all is scored once."""
    ids = text(900, 6)
    shuffled = ids.copy()
    np.random.default_rng(1).shuffle(shuffled[600:])
    found = []
    for row in (ids, shuffled):
        predictor = start(alone=alone)
        logits = rows(predictor, row)
        found.append(
            [
                predictor.score(row[a : a + 300], None if logits is None else logits[a : a + 300])
                for a in (0, 300, 600)
            ]
        )
    for name in found[0][0]:
        for part in (0, 1):
            assert np.array_equal(found[0][part][name], found[1][part][name])
        assert sum(len(part[name]) for part in found[0]) == len(ids)
        assert not np.array_equal(found[0][2][name], found[1][2][name])
    documents = [(ids, 1_000), (shuffled[:100], 100)]
    score = scored(start(alone=True), documents)
    assert (score.tokens, score.bytes, score.documents) == (len(ids) + 100 + 2, 1_100, 2)


def test_7_every_part_is_told_apart_and_what_is_no_rate_gets_no_score(line):
    """`spike eval` prints a line for each part; a predictor that fails test 1 or 2 fails there."""
    command = ["eval", "runs/base", "--text", "held.txt", "--with", "all"]
    status, output, errors = line(*command, "--json")
    assert status == 0, errors
    found = json.loads(output)
    assert list(found["rungs"]) == ["network", *PARTS]
    assert found["bits_per_byte"] == found["rungs"]["mixture"]["bits_per_byte"]
    shown = line(*command)[1]
    assert all(f"  {part} " in shown for part in found["rungs"])
    documents = [(text(2_000, 8), 2_000)]
    with pytest.raises(SpikeError, match=r"no score: .* add up to 1"):
        scored(Doubled(start(["ngram"], alone=True)), documents)
    with pytest.raises(SpikeError, match=r"no score: random tokens of 6\.00 bits each got"):
        scored(Published(start(["ngram"], alone=True)), documents)


def scored(predictor, documents) -> PredictorScore:
    return score_with(
        predictor, None, documents, WindowConfig(context=1, stride=1), eos_id=SEPARATOR
    )


class Doubled:
    """A predictor that promises each token more than there is to give."""

    def __init__(self, predictor):
        self._predictor, self.settings = predictor, predictor.settings
        self.vocab_size, self.seconds = VOCAB, predictor.seconds

    def score(self, ids, _logits=None):
        return {name: np.minimum(1, 1.5 * p) for name, p in self._predictor.score(ids).items()}

    def distributions(self, _logits=None):
        found = self._predictor.distributions()
        return {name: np.minimum(1, 1.5 * p) for name, p in found.items()}


class Published(Doubled):
    """The published rule behind the doors of a predictor; asked for a distribution it lies."""

    def score(self, ids, _logits=None):
        size = len(ids)
        rule = PublishedRule(
            np.asarray(ids, np.int64), np.full(size, 1 / VOCAB), np.full(size, 4.0), VOCAB
        )
        return {"ngram": rule.scores()}

    def distributions(self, _logits=None):
        return {"ngram": np.full(VOCAB, 1 / VOCAB)}
