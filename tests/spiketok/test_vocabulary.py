import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from spiketok import Tokenizer, Vocabulary, build_vocabulary
from spiketok.errors import SpikeError


@pytest.fixture
def file(vocabulary, tmp_path):
    vocabulary.write(tmp_path / "tokenizer.json")
    return tmp_path / "tokenizer.json"


def rewrite(file, change):
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def test_layout_and_round_trip(tmp_path):
    vocabulary = build_vocabulary(
        [b"\xff\x00", b"ab"],
        392,
        "chatml",
        max_token_bytes=5,
        settings={"layout": "chatml"},
        training={"documents": 3},
        inputs=(tmp_path / "corpus" / "a.txt",),
    )
    assert vocabulary.reserved_ids == [262, 263, *range(281, 392)]
    assert vocabulary.special_ids["<|im_start|>"] == 264
    vocabulary.write(tmp_path / "tokenizer.json")
    assert json.loads((tmp_path / "tokenizer.json").read_text())["spike"]["inputs"] == [
        "corpus/a.txt"
    ]
    assert Vocabulary.read(tmp_path / "tokenizer.json") == vocabulary
    (tmp_path / "elsewhere").mkdir()
    vocabulary.write(tmp_path / "elsewhere" / "tokenizer.json")
    assert Vocabulary.read(tmp_path / "elsewhere" / "tokenizer.json").inputs == vocabulary.inputs


def test_fingerprint_is_that_of_the_specification():
    # sha256 of the header and, by hand, of the 260 entries of the smallest vocabulary.
    data = b"spike-tokenizer-1\nlength-max\n"
    for name in (b"<pad>", b"<unk>", b"<bos>", b"<eos>"):
        data += b"\x01" + len(name).to_bytes(4, "little") + name
    for byte in range(256):
        data += b"\x00\x01\x00\x00\x00" + bytes([byte])
    smallest = build_vocabulary([], 260, "minimal")
    assert smallest.fingerprint() == hashlib.sha256(data).hexdigest()
    with_reserved = build_vocabulary([], 261, "minimal")
    data += b"\x02\x00\x00\x00\x00"
    assert with_reserved.fingerprint() == hashlib.sha256(data).hexdigest()


def test_origin_is_outside_the_fingerprint(vocabulary):
    other = replace(vocabulary, settings={"x": 1}, inputs=(Path("/elsewhere"),))
    assert other.fingerprint() == vocabulary.fingerprint()
    assert (
        build_vocabulary([b"ab"], 400, "chatml").fingerprint()
        != build_vocabulary([b"ac"], 400, "chatml").fingerprint()
    )


@pytest.mark.parametrize(
    ("size", "layout", "message"),
    [
        (387, "chatml", "choose 388 to"),
        (259, "minimal", "choose 260 to"),
        (1 << 24, "minimal", "choose 260 to"),
        (400, "other", "chatml, minimal"),
        (261, "minimal", "2 pieces do not fit"),
    ],
)
def test_impossible_sizes(size, layout, message):
    with pytest.raises(SpikeError, match=message):
        build_vocabulary([b"ab", b"cd"], size, layout)


def test_published_files(tmp_path):
    full = build_vocabulary([b"the ", b"and"], 390, "chatml")
    full.write(tmp_path / "tokenizer.json")

    def publish(content):
        del content["spike"]
        content["vocab"] = {
            key.replace("|reserved_", "unused"): token for key, token in content["vocab"].items()
        }

    rewrite(tmp_path / "tokenizer.json", publish)
    published = Vocabulary.read(tmp_path / "tokenizer.json")
    assert published == full
    assert published.layout == "chatml"
    assert published.reserved_ids == list(range(262 + 17, 390))
    tokenizer = Tokenizer(published)
    text = "the <eos> and <unused389|>"
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert not set(tokenizer.encode(text).tolist()) & set(published.reserved_ids)
    assert tokenizer.encode(text, allow_special=True).tolist()[1] == 3


def test_published_files_without_special_block(tmp_path):
    file = tmp_path / "tokenizer.json"
    build_vocabulary([b"ab"], 261, "minimal").write(file)
    rewrite(file, lambda content: content.pop("spike"))
    assert Vocabulary.read(file) == build_vocabulary([b"ab"], 261, "minimal")


def move(content, key, token):
    content["vocab"][key] = token


def rename(content, old, new):
    content["vocab"][new] = content["vocab"].pop(old)


BREAKS = [
    ("vocab", lambda c: c.pop("vocab")),
    ("vocab", lambda c: c.update(vocab=[])),
    ("vocab_size", lambda c: c.update(vocab_size=399)),
    ("vocab_size", lambda c: c.update(vocab_size=True)),
    ("has id 261 like", lambda c: move(c, "th", 261)),
    ("has id 260 like", lambda c: move(c, "the", 260)),
    ("no id below", lambda c: move(c, "th", 400)),
    ("no id below", lambda c: move(c, "th", -1)),
    ("no id below", lambda c: move(c, "th", 260.0)),
    ("no id below", lambda c: move(c, "th", None)),
    ("beyond 255", lambda c: rename(c, "th", "tĦ")),
    ("empty key", lambda c: rename(c, "th", "")),
    ("id 101", lambda c: rename(c, "a", "zzz")),
    ("id 0", lambda c: rename(c, "<pad>", "<PAD>")),
    ("algorithm", lambda c: c.update(algorithm="bpe")),
    ("algorithm", lambda c: c.pop("algorithm")),
    ("max_token_len", lambda c: c.update(max_token_len=256)),
    ("max_token_len", lambda c: c.update(max_token_len=3)),
    ("max_token_len", lambda c: c.update(max_token_len="24")),
    ("special_tokens", lambda c: c.pop("special_tokens")),
    ("special_tokens", lambda c: c["special_tokens"].append("<nobody>")),
    ("special_tokens", lambda c: c["special_tokens"].append("<think>")),
    ("special_tokens", lambda c: c["special_tokens"].append("\ud800")),
    ("special_tokens", lambda c: c["special_tokens"].reverse()),
    ("special_tokens", lambda c: c["special_tokens"].insert(0, "a")),
    ("special_tokens", lambda c: c["special_tokens"].insert(0, "<pad>")),
    ("spike", lambda c: c.update(spike=3)),
    ("spike is not an object", lambda c: c.update(spike=None)),
    ("NaN is not JSON", lambda c: c["spike"]["training"].update(loss=float("nan"))),
    ("-Infinity is not JSON", lambda c: c.update(elsewhere=-float("inf"))),
    ("spike.format is not 1", lambda c: c["spike"].update(format=2)),
    ("spike.layout", lambda c: c["spike"].update(layout=[])),
    ("spike.reserved", lambda c: c["spike"].update(reserved=[[399, 401]])),
    ("spike.reserved", lambda c: c["spike"].update(reserved=[[5, 6]])),
    ("special, and also a byte", lambda c: c["spike"].update(reserved=[[272, 273]])),
    ("spike.reserved", lambda c: c["spike"].update(reserved=[[300, 310], [305, 311]])),
    ("spike.settings", lambda c: c["spike"].pop("settings")),
    ("spike.training", lambda c: c["spike"].update(training=[])),
    ("spike.inputs", lambda c: c["spike"].update(inputs=[1])),
]


@pytest.mark.parametrize(("message", "damage"), BREAKS, ids=range(len(BREAKS)))
def test_damaged_files_are_refused(file, message, damage):
    rewrite(file, damage)
    with pytest.raises(SpikeError) as caught:
        Vocabulary.read(file)
    text = str(caught.value)
    assert text.startswith(f"{file}: ")
    assert message in text
    assert "; " in text
    assert "\n" not in text


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b"null",
        b"[" * 100_000,
        b'{"a": 1, "a": 2}',
        b'{"algorithm": %s1}' % (b"1" * 5000),
    ],
    ids=range(8),
)
def test_files_that_are_no_vocabulary(tmp_path, content):
    (tmp_path / "t.json").write_bytes(content)
    with pytest.raises(SpikeError, match=r"t\.json"):
        Vocabulary.read(tmp_path / "t.json")


def test_numbers_beyond_all_bounds_are_refused(file):
    settings = '"settings": {"x": 1e999}, "x": {'
    file.write_text(file.read_text().replace('"settings": {', settings))
    with pytest.raises(SpikeError, match="too large"):
        Vocabulary.read(file)


def test_doubled_keys_are_named(file):
    file.write_text(file.read_text().replace('"th": 260', '"th": 260, "th": 260'))
    with pytest.raises(SpikeError, match="'th' occurs twice"):
        Vocabulary.read(file)


def test_missing_file(tmp_path):
    with pytest.raises(SpikeError, match="No such file"):
        Vocabulary.read(tmp_path / "t.json")
    with pytest.raises(SpikeError, match="directory"):
        Vocabulary.read(tmp_path)


def test_a_large_tokenizer_of_hugging_face_is_called_one(tmp_path):
    path = tmp_path / "tokenizer.json"
    merges = [["a", "b"]] * 150_000
    path.write_text(json.dumps({"added_tokens": [], "model": {"merges": merges}}))
    with pytest.raises(SpikeError, match="is a Hugging Face tokenizer"):
        Tokenizer.load(path)
