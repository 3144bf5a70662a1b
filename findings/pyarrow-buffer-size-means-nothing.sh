#!/bin/bash
# pyarrow: ParquetFile(path, buffer_size=N) does not read a column in pieces of N bytes, for pre_buffer is on unless it is turned off and reads
# the whole column chunk first. One row of 512 kB out of a chunk of 79 MB takes 154 times its size; with pre_buffer=False 4 times.
# And data_page_size bounds no page of large rows: it is looked at after each write_batch_size = 1,024 rows only, so 300 such rows are one page,
# and a single row takes 600 times its size even then. Exits non-zero when that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pyarrow==26.0.1
cat > "$folder/write.py" <<'P'
import os
import sys

import pyarrow as pa
import pyarrow.parquet as pq

table = pa.table({"text": [os.urandom(256 << 10).hex() for _ in range(300)]})
options = {"use_dictionary": False, "data_page_size": 1 << 20, "compression": "zstd"}
pq.write_table(table, sys.argv[1] + "/usual.parquet", **options)
pq.write_table(table, sys.argv[1] + "/each-row.parquet", write_batch_size=1, **options)
P
cat > "$folder/read.py" <<'P'
import sys

import pyarrow as pa
import pyarrow.parquet as pq

options = {"pre_buffer": False} if sys.argv[2] == "off" else {}
file = pq.ParquetFile(sys.argv[1], buffer_size=1 << 16, **options)
row = next(file.iter_batches(batch_size=1))
print(pa.default_memory_pool().max_memory() // row.nbytes)  # how many times the row's own size
P
times() { "$folder/venv/bin/python" "$folder/read.py" "$folder/$1.parquet" "$2"; }
"$folder/venv/bin/python" "$folder/write.py" "$folder"
small=$(times each-row usual) small_off=$(times each-row off) usual_off=$(times usual off)
echo "pyarrow 26.0.1, one row of 300: small pages $small times its size, without pre_buffer $small_off; usual pages, without pre_buffer, $usual_off"
[ "$small" -ge 100 ] && [ "$small_off" -le 10 ] && [ "$usual_off" -ge 250 ]
