import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datapipe.sources.file_signatures import check_is_text, format_of
from spiketok.errors import SpikeError

TABLE = pa.table({"text": ["a"]})


def written(write):
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def ipc(opened):
    sink = pa.BufferOutputStream()
    with opened(sink, TABLE.schema) as writer:
        writer.write_table(TABLE)
    return sink.getvalue().to_pybytes()


def zipped(buffer):
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("a", "b")


def archived(buffer):
    with tarfile.open(fileobj=buffer, mode="w") as file:
        file.addfile(tarfile.TarInfo("a"))


def tensors():
    header = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(4)


FORMATS = {
    "gzip": gzip.compress(b"a"),
    "zstd": pa.compress(b"a" * 99, codec="zstd", asbytes=True),
    "bzip2": bz2.compress(b"a"),
    "xz": lzma.compress(b"a"),
    "ZIP": written(zipped),
    "tar": written(archived),
    "parquet": written(lambda buffer: pq.write_table(TABLE, buffer)),
    "Arrow": ipc(pa.ipc.new_file),
    "Arrow stream": ipc(pa.ipc.new_stream),
    "NumPy": written(lambda buffer: np.save(buffer, np.zeros(2))),
    "safetensors": tensors(),
    "PNG": b"\x89PNG\r\n\x1a\n" + bytes(10),
    "JSON Lines": b'{"text": "a"}\n{"text": "b"}\n',
    "JSON": b'\xef\xbb\xbf[\n  {\n    "text": "a"',
    "binary (UTF-16": "\ufeffOnce".encode("utf-16-le"),
    "binary (byte 0": b"Once\0upon",
}


@pytest.mark.parametrize(("name", "content"), FORMATS.items(), ids=list(FORMATS))
def test_files_of_other_formats_are_named(name, content):
    assert format_of(content).startswith(name)
    with pytest.raises(SpikeError, match=r"a\.txt: begins like .*, not like text; .*--as bytes"):
        check_is_text("a.txt", content)


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"])))
def test_texts_are_no_other_format(text):
    for beginning in ("", "%PDF-", "BZh", "GGUF", "ID3", "PK", "Obj", "ORC", "RIFF", "\n"):
        if not (beginning + text).lstrip("\ufeff \t\r\n").startswith(("{", "[")):
            assert format_of((beginning + text).encode()) is None


def test_a_line_of_json_that_is_no_object_is_text():
    for text in ('{"a": 1\n', "{a}\n{b}\n", "[1]\n", '"a"\n', "{}x"):
        assert format_of(text.encode()) is None
