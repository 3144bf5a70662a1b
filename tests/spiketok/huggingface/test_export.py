import json

import pytest

from spiketok import Vocabulary, build_vocabulary
from spiketok.errors import SpikeError
from spiketok.huggingface import VOCABULARY_FILE, export_tokenizer, generate
from spiketok.huggingface import export as folder
from spiketok.huggingface.chat_template import CHAT_TEMPLATE


def test_the_folder_holds_code_and_what_spike_reads_back(vocabulary, tmp_path):
    files = export_tokenizer(vocabulary, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == files
    assert set(files) == {
        "chat_template.jinja",
        "spike_tokenizer.json",
        "spike_tokenizer.py",
        "tokenizer_config.json",
    }
    read = {name: (tmp_path / "out" / name).read_text() for name in files}
    assert read["spike_tokenizer.py"] == generate()
    assert read["chat_template.jinja"] == CHAT_TEMPLATE
    config = json.loads(read["tokenizer_config.json"])
    assert config["auto_map"] == {"AutoTokenizer": ["spike_tokenizer.SpikeTokenizer", None]}
    assert (config["eos_token"], config["pad_token"]) == ("<eos>", "<pad>")
    assert config["bos_token"] == "<eos>"  # texts begin behind the separator
    assert config["extra_special_tokens"] == ["<bos>", *list(vocabulary.special_ids)[4:]]
    back = Vocabulary.read(tmp_path / "out" / VOCABULARY_FILE)
    assert back.fingerprint() == vocabulary.fingerprint()


def test_it_tells_nobody_where_the_corpus_lay(tmp_path):
    vocabulary = build_vocabulary([], 388, "chatml", inputs=(tmp_path / "secret" / "corpus",))
    for name, fast in (("code", False), ("stock", True)):
        for file in export_tokenizer(vocabulary, tmp_path / name, fast):
            assert "secret" not in (tmp_path / name / file).read_text()


def test_the_stock_folder_holds_no_code(vocabulary, tmp_path):
    files = export_tokenizer(vocabulary, tmp_path / "out", fast=True)
    assert "tokenizer.json" in files
    assert not [name for name in files if name.endswith(".py")]
    config = json.loads((tmp_path / "out" / "tokenizer_config.json").read_text())
    assert "auto_map" not in config
    assert Vocabulary.read(tmp_path / "out" / VOCABULARY_FILE) == vocabulary


def test_a_vocabulary_without_markers_has_no_chat_template(tmp_path):
    files = export_tokenizer(build_vocabulary([b"ab"], 261, "minimal"), tmp_path / "out")
    assert "chat_template.jinja" not in files


def test_a_published_file_is_exported_too(vocabulary, tmp_path):
    path = tmp_path / "tokenizer.json"
    full = build_vocabulary([b"th", b"the "], 390, "chatml")
    full.write(path)
    content = json.loads(path.read_text())
    del content["spike"]
    path.write_text(json.dumps(content))
    export_tokenizer(Vocabulary.read(path), tmp_path / "out")
    assert Vocabulary.read(tmp_path / "out" / VOCABULARY_FILE) == full


def test_a_folder_that_is_there_stays_as_it_is(vocabulary, tmp_path):
    (tmp_path / "kept").write_text("mine")
    with pytest.raises(SpikeError, match="exists already; "):
        export_tokenizer(vocabulary, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_a_failure_leaves_nothing(vocabulary, tmp_path, monkeypatch):
    def fail():
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folder, "generate", fail)
    with pytest.raises(OSError, match="No space"):
        export_tokenizer(vocabulary, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_special_tokens_beyond_ascii_are_refused(tmp_path):
    vocabulary = build_vocabulary([b"ab"], 390, "chatml")
    entries = (*vocabulary.entries[:262], "ä".encode(), *vocabulary.entries[263:])
    odd = Vocabulary(entries=entries, kinds=vocabulary.kinds, max_token_bytes=2)
    with pytest.raises(SpikeError, match="not ASCII"):
        export_tokenizer(odd, tmp_path / "out")
