"""Statistics of training data: compared with counts made here."""

from collections import Counter

import numpy as np

from datapipe import read_manifest, read_split
from spike_commands.callbacks import SILENT
from spike_commands.report.data_statistics import data_statistics, histogram
from spiketok import Tokenizer


def test_tokens_are_counted_in_the_training_split_alone(folder):
    data = folder / "data"
    found = data_statistics(data, read_manifest(data).fingerprint, SILENT)["tokens"]
    tokenizer = Tokenizer.load(data / "tokenizer.json")
    uses = Counter(token for part in read_split(data, "train") for token in part.tokens.tolist())
    others = {*tokenizer.special_ids.values(), *tokenizer.vocabulary.reserved_ids}
    texts = [token for token in range(tokenizer.vocab_size) if token not in others]
    assert found["entries"] == len(texts)
    assert found["unused"] == sum(uses[token] == 0 for token in texts)
    assert found["uses"] == sum(uses[token] for token in texts)
    best = max(texts, key=lambda token: (uses[token], -token))
    assert found["most_used"][0]["id"] == best
    assert found["ranks"][0] == [1, uses[best]]
    assert found["ranks"][-1][0] == found["used"]
    assert sum(row["entries"] for row in found["lengths"]) == len(texts)
    assert abs(sum(row["share"] for row in found["lengths"]) - 1) < 1e-9
    sizes = [row["bytes"] for row in found["longest"]]
    assert sizes == sorted(sizes, reverse=True)


def test_other_shards_are_not_taken_for_the_runs(folder):
    assert "other data" in data_statistics(folder / "data", "0" * 64, SILENT)["missing"]


def test_a_histogram_counts_every_value():
    values = np.array([1, 1, 2, 7, 8, 100, 128])
    found = histogram(values)
    assert sum(row["count"] for row in found) == len(values)
    for row in found:
        assert row["count"] == sum(row["from"] <= value <= row["to"] for value in values)
    assert histogram(np.zeros(0, np.int64)) == []
