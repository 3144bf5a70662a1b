"""Streams of given tokens, for tests: a shard written by Arrow alone, opened as a folder's are."""

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa

from datapipe import TokenStream
from datapipe.shards.checksums import RangeSums
from datapipe.shards.files import ShardFile
from datapipe.shards.schema import LOSS_MASK


def write_shard(path, parts, made_by, masks=None, options=None):
    """Write arrays of tokens as record batches of one document each; return its description."""
    schema = made_by.schema(masked=masks is not None)
    with pa.ipc.new_file(str(path), schema, options=options) as writer:
        for number, part in enumerate(parts):
            documents = 1 if len(part) else 0
            offsets = pa.array([0, len(part)][: documents + 1], pa.int64())
            columns = {
                "tokens": pa.array(part, schema.field("tokens").type.value_type),
                "n_bytes": [len(part)] * documents,
                "id": [b"i" * 16] * documents,
                "source": [0] * documents,
                "row": [number] * documents,
            }
            if masks is not None:
                columns[LOSS_MASK] = pa.array(masks[number], pa.uint8())
            writer.write_batch(
                pa.RecordBatch.from_arrays(
                    [
                        pa.LargeListArray.from_arrays(offsets, columns[field.name], type=field.type)
                        if pa.types.is_large_list(field.type)
                        else pa.array(columns[field.name], field.type)
                        for field in schema
                    ],
                    schema=schema,
                )
            )
    return described(path, sum(map(len, parts)), made_by, masks is not None)


def described(path, tokens, made_by, masked=False):
    """Return the description of a shard with the sums that it has now."""
    data, sums = path.read_bytes(), RangeSums()
    sums.update(data)
    return ShardFile(
        path=path,
        size=len(data),
        sums=sums.digests(),
        documents=1,
        tokens=tokens,
        masked=masked,
        made_by=made_by,
    )


def stream_over(parts, made_by, masks=None):
    """Return a stream of one shard with these record batches; its file is gone, but open."""
    with tempfile.TemporaryDirectory() as folder:
        shard = write_shard(Path(folder) / "a.arrow", parts, made_by, masks)
        stream = TokenStream([shard], made_by, "")
        if stream.tokens:
            stream.read(np.array([0]), 1)
    return stream
