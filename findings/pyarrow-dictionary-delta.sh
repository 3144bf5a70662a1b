#!/bin/bash
# pyarrow writes a dictionary column with a delta encoding, and cannot read its own file.
# Seen: write_table succeeds; read_table raises "Not yet implemented: DecodeArrow of DictAccumulator".
# Exits non-zero when that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pyarrow==26.0.1
"$folder/venv/bin/python" - "$folder" <<'P'
import sys

import pyarrow as pa
import pyarrow.parquet as pq

print("pyarrow", pa.__version__)
failed = []
for encoding in ("DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"):
    path = f"{sys.argv[1]}/{encoding}.parquet"
    plain = pa.table({"text": ["one", "two", "one"]})
    table = plain.cast(pa.schema([("text", pa.dictionary(pa.int32(), pa.string()))]))
    options = {"use_dictionary": False, "column_encoding": {"text": encoding}}
    pq.write_table(plain, path, **options)
    print(f"{encoding}, type string: written and read,", pq.read_table(path) == plain)
    pq.write_table(table, path, **options)
    try:
        pq.read_table(path)
        print(f"{encoding}, type dictionary: written and read")
    except OSError as error:
        failed.append(encoding)
        print(f"{encoding}, type dictionary: written, not read: {error}")
sys.exit(len(failed) != 2)
P
