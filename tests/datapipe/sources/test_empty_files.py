import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

# Files with bytes, but without a document.
CONTENTS = {
    "array.json": b"[]",
    "gzip.txt.gz": gzip.compress(b""),
    "heading.csv": b"id,text\n",
    "blank.jsonl": b"\n\n\n",
    "empty.jsonl": b'{"text": ""}\n',
    "none.parquet": None,
}
COMMANDS = {
    "tokenizer train": ["--vocab", "400", "--out", "nothing.json"],
    "shard": ["--tokenizer", "tokenizer.json", "--out", "nothing"],
    "tokenizer compare": ["tokenizer.json", "--text"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_inputs_without_documents_are_named_in_one_line(command, line, folder, tmp_path):
    for name, content in CONTENTS.items():
        path = tmp_path / name
        if content is None:
            pq.write_table(pa.table({"text": pa.array([], pa.string())}), path)
        else:
            path.write_bytes(content)
        status, _, errors = line(*command.split(), *COMMANDS[command], str(path))
        assert (status, errors.count("\n")) == (1, 1), errors
        assert errors.startswith(f"spike: {path}: ")
        assert "; name files with text" in errors
    if command != "tokenizer compare":
        both = [str(tmp_path / "blank.jsonl"), str(tmp_path / "empty.jsonl")]
        errors = line(*command.split(), *COMMANDS[command], *both)[2]
        assert "blank.jsonl and 1 more: every record is left out (empty 1); name files" in errors
    assert not (folder / "nothing").exists()
    assert not (folder / "nothing.json").exists()
