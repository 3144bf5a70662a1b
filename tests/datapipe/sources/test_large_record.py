import json
import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datapipe import find_sources, read_texts
from datapipe.shards import encoded_documents as documents
from datapipe.sources import large_record
from datapipe.sources.bad_records import BadRecordError, ErrorPolicy
from datapipe.sources.jsonl import is_utf8, parse_any
from datapipe.sources.large_record import large_text
from spiketok import Tokenizer, build_vocabulary
from spiketok.bese.vocabulary import BeseVocabulary
from spiketok.corpus_sample import draw_sample, stream_chunks
from spiketok.holdout import HeldOut
from tests.datapipe.sources.test_jsonl import HOSTILE


def verdict(parse, record):
    """Return the text of a record, or the reason why it has none."""
    try:
        text = parse(record)
    except BadRecordError as fault:
        return fault.reason
    return text if text is None else bytes(text)


PARTS = ["\\", "\\u", "d83d", "\\ude00", "\\n", "é", "😀", "\x01", "a", *'"{}[]:,-1', "NaN", ".5"]
PARTS += ["e9", "null", "true", " ", '"text":', '"a":', '{"text":"a"']


RANDOM = st.lists(st.sampled_from(PARTS)).map("".join)


@given(
    st.sampled_from(HOSTILE)
    | RANDOM.map(str.encode)
    | RANDOM.map('{{"text":"{}"}}'.format).map(str.encode)
    | RANDOM.map('{{"text":"a","a":{}}}'.format).map(str.encode),
    st.sampled_from([1, 2, 5, 1 << 16]),
)
def test_text_of_a_large_record_is_that_of_the_definition(record, piece_bytes):
    if is_utf8(record) and record.strip():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(large_record, "PIECE_BYTES", piece_bytes + 11)
            found = verdict(lambda line: large_text(line, "text"), record)
        if found is not None:
            assert found == verdict(
                lambda line: parse_any(line, "text", ErrorPolicy(Path("x"))), record
            )


@given(st.text(st.characters(exclude_categories=["Cs"])), st.booleans(), st.integers(12, 40))
def test_large_records_with_text_need_no_definition(text, ascii_only, piece_bytes):
    record = json.dumps({"n": [1, {}], "text": text}, ensure_ascii=ascii_only).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(large_record, "PIECE_BYTES", piece_bytes)
        found = large_text(record, "text")
    assert found == text.encode()


def drawn(read):
    return draw_sample(read(), 1 << 20, HeldOut(0)).documents


def streamed(read):
    return sum(1 for _ in stream_chunks(read(), HeldOut(0), 1.0, 1 << 16)) and RECORDS


RECORDS, RECORD_BYTES = 4, 5 << 20


@pytest.mark.parametrize("kind", ["jsonl", "json"])
@pytest.mark.parametrize("consume", [drawn, streamed])
def test_one_large_record_is_in_memory_at_a_time(tmp_path, kind, consume):
    lines = [b'{"text": "%d%b"}' % (one, b"x" * RECORD_BYTES) for one in range(RECORDS)]
    path = tmp_path / f"a.{kind}"
    path.write_bytes(b"\n".join(lines) if kind == "jsonl" else b"[" + b",".join(lines) + b"]")
    sources, _ = find_sources([path])
    consume(lambda: read_texts(sources))  # pyarrow imports when it is first used
    tracemalloc.start()
    assert consume(lambda: read_texts(sources)) == RECORDS
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2.6 * RECORD_BYTES


@pytest.mark.parametrize("algorithm", ["length-max", "bese"])
def test_large_documents_are_encoded_as_others(monkeypatch, algorithm):
    pieces = [b"ab", b"abc"]
    tokenizer = Tokenizer(
        build_vocabulary(pieces, 300, "minimal")
        if algorithm == "length-max"
        else BeseVocabulary(alphabet="bese", merges=((5, 6),), vocab_size=50)
    )
    found = []
    for size in (10, 1 << 20):
        monkeypatch.setattr(documents, "LARGE_BYTES", size)
        texts = pa.array([b"x", b"abcab caf\xc3\xa9"], pa.large_binary())[1:]
        names = np.zeros((1, 16), np.uint8)
        one = documents.encode_documents(tokenizer, texts, np.array([7]), names, 0, 1)
        found.append(
            (one.tokens.tolist(), one.ends.tolist(), one.n_bytes.tolist(), one.tokens.dtype)
        )
    assert found[0] == found[1]
