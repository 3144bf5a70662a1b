#!/bin/bash
# safetensors 0.8.0 writes weights that only their owner can read, and calls a file that somebody else may not read missing:
# FileNotFoundError instead of PermissionError. A program that trusts the type says that weights are gone. Exits 0 while this is so.
set -eu
W=$(mktemp -d); trap 'rm -rf "$W"' EXIT
chmod 755 "$W"; umask 022
python3 -m venv "$W/env"
"$W/env/bin/pip" install --quiet safetensors==0.8.0 numpy==2.2.6
"$W/env/bin/python" - "$W" <<'P'
import os, sys
import numpy as np, safetensors
from safetensors.numpy import load_file, save_file

print("safetensors", safetensors.__version__)
path = sys.argv[1] + "/weights.safetensors"
open(path, "wb").close()  # 0644 by the umask
before = os.stat(path).st_mode & 0o777
save_file({"a": np.zeros(3, np.float32)}, path)
after = os.stat(path).st_mode & 0o777
print(f"mode before saving {before:o}, after {after:o}")
os.chmod(path, 0)
if os.getuid() == 0:  # root may read everything
    os.setgid(65534), os.setuid(65534)
try:
    open(path, "rb")
except OSError as error:
    system = type(error).__name__
try:
    load_file(path)
    found = "no error"
except OSError as error:
    found = type(error).__name__
    print(f"open: {system}; safetensors: {found}: {error}")
sys.exit((before, after, system, found) != (0o644, 0o600, "PermissionError", "FileNotFoundError"))
P
