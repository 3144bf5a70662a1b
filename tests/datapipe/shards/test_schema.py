import numpy as np
import pyarrow as pa
import pytest
import xxhash

from datapipe import describe, open_as_dataset, read_manifest
from datapipe.shards.checked_reader import shard_documents
from datapipe.shards.schema import TokenSchema, open_shard
from spiketok.errors import SpikeError
from tests.datapipe.sources.written_streams import described

MADE_BY = TokenSchema(fingerprint="f" * 64, vocab_size=300, separator=3)


def shard_file(path, schema=None, offsets=(0, 2, 5), tokens=(9, 3, 8, 7, 3), **columns):
    """Write a shard of two documents, or what pretends to be one."""
    schema = schema or MADE_BY.schema()
    values = pa.array(tokens, schema.field("tokens").type.value_type)
    lists = pa.LargeListArray.from_arrays(
        pa.array([0, 2, 5], pa.int64()), values, type=schema.field("tokens").type
    )
    given = {"n_bytes": [1, 2], "id": [b"i" * 16, b"j" * 16], "source": [0, 0], "row": [0, 1]}
    given |= columns
    arrays = [
        lists if field.name == "tokens" else pa.array(given[field.name], field.type)
        for field in schema
    ]
    with pa.ipc.new_file(str(path), schema) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
    # Arrow writes no wrong offsets: they are put in afterwards.
    honest, wanted = (np.array(numbers, np.int64).tobytes() for numbers in ((0, 2, 5), offsets))
    data = path.read_bytes()
    assert data.count(honest) == 1
    path.write_bytes(data.replace(honest, wanted))
    return path


def read(path):
    (documents,) = shard_documents(described(path, 5, MADE_BY))
    return documents


def test_a_good_shard_opens(tmp_path):
    documents = read(shard_file(tmp_path / "a.arrow"))
    assert documents.tokens.tolist() == [9, 3, 8, 7, 3]
    assert documents.ends.tolist() == [2, 5]
    assert bytes(documents.ids[1]) == b"j" * 16
    assert not documents.tokens.flags.writeable


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ({"offsets": (0, 2, 10**6)}, "damaged"),
        ({"offsets": (0, 7, 5)}, "damaged"),
        ({"offsets": (-8, 2, 5)}, "damaged"),
        ({"offsets": (0, 2, 4)}, "do not fill"),
        ({"offsets": (1, 2, 5)}, "do not fill"),
        ({"offsets": (0, 0, 5)}, "do not fill"),
        ({"tokens": (9, 3, 8, 300, 3)}, "id 300 is outside the vocabulary of 300"),
        ({"tokens": (9, 3, 8, 3, 9)}, "does not end with id 3"),
        ({"tokens": (9, 3, None, 3, 3)}, "nulls"),
        ({"row": [None, 1]}, "nulls"),
    ],
)
def test_a_lying_shard_does_not(tmp_path, damage, message):
    schema = pa.schema(
        [pa.field(field.name, field.type) for field in MADE_BY.schema()],
        MADE_BY.schema().metadata,
    )
    if None in damage.get("tokens", ()):
        schema = schema.set(0, pa.field("tokens", pa.large_list(pa.uint16())))
    with pytest.raises(SpikeError, match=message):
        read(shard_file(tmp_path / "a.arrow", schema, **damage))


@pytest.mark.parametrize("opened", [read, lambda path: open_shard(path, MADE_BY)])
def test_metadata_and_columns_are_checked(tmp_path, opened):
    schema = MADE_BY.schema()
    other = schema.with_metadata({**schema.metadata, b"spike.tokenizer": b"other"})
    with pytest.raises(SpikeError, match=r"spike\.tokenizer is other instead of f+"):
        opened(shard_file(tmp_path / "a.arrow", other))
    wide = schema.set(0, pa.field("tokens", pa.large_list(pa.uint32()), False))
    with pytest.raises(SpikeError, match="column 'tokens' is not"):
        opened(shard_file(tmp_path / "b.arrow", wide))
    (tmp_path / "c.arrow").write_bytes(b"ARROW1 no")
    with pytest.raises(SpikeError, match="not an Arrow file"):
        opened(tmp_path / "c.arrow")


def test_columns_of_others_do_not_matter(tmp_path):
    more = MADE_BY.schema().append(pa.field("language", pa.string()))
    assert len(read(shard_file(tmp_path / "d.arrow", more, language=["en", "de"]))) == 2


def test_the_digest_is_as_the_specification_says(shard, tmp_path):
    manifest = shard(tmp_path / "data")
    for entry in manifest.splits["train"].shards:
        with pa.memory_map(str(tmp_path / "data" / entry.file)) as file:
            table = pa.ipc.open_file(file).read_all().combine_chunks()
            lists = table["tokens"].combine_chunks()
            parts = [
                lists.value_lengths().to_numpy().astype("<i8").tobytes(),
                lists.flatten().to_numpy().tobytes(),
                table["n_bytes"].to_numpy().astype("<i8").tobytes(),
                b"".join(table["id"].to_pylist()),
            ]
        digests = b"".join(map(xxhash.xxh3_128_digest, parts))
        assert entry.digest == xxhash.xxh3_128_hexdigest(digests)


def test_shards_open_as_a_dataset_without_a_copy(shard, tmp_path):
    manifest = shard(tmp_path / "data")
    before = pa.total_allocated_bytes()
    with pytest.raises(SpikeError, match="split 'x' is unknown; use one of train, validation"):
        open_as_dataset(tmp_path / "data", "x")
    dataset = open_as_dataset(tmp_path / "data", "train")
    assert pa.total_allocated_bytes() - before < 4096
    assert len(dataset) == manifest.splits["train"].documents
    assert sum(map(len, dataset["tokens"])) == manifest.splits["train"].tokens
    assert dataset[0]["tokens"][-1] == 3
    assert len(dataset[0]["id"]) == 16


def test_description_adds_up(shard, tmp_path):
    manifest = shard(tmp_path / "data")
    found = describe(tmp_path / "data")
    assert found["documents_read"] == found["documents"] + 1
    assert found["dropped"] == {"empty": 1}
    assert found["tokens"] == found["train_tokens"] + found["validation_tokens"]
    assert found["text_bytes"] == (found["tokens"] - found["documents"]) * found["bytes_per_token"]
    assert (
        found["fingerprint"] == manifest.fingerprint == read_manifest(tmp_path / "data").fingerprint
    )
    files = (tmp_path / "data").glob("*.arrow")
    assert found["shard_bytes"] == sum(path.stat().st_size for path in files)
