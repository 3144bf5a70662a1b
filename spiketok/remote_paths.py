"""Remote paths (URLs): recognise them, since commands read and write local files only."""

import re

# Scheme → the program that copies such files to and from this machine.
COPIERS = {
    "s3": "aws s3 cp",
    "s3a": "aws s3 cp",
    "gs": "gcloud storage cp",
    "gcs": "gcloud storage cp",
    "az": "azcopy copy",
    "abfs": "azcopy copy",
    "abfss": "azcopy copy",
    "hf": "hf download",
    "http": "curl -LO",
    "https": "curl -LO",
    "ftp": "curl -O",
    "hdfs": "hdfs dfs -get",
    "ssh": "scp",
    "sftp": "sftp",
}
# `Path` turns two slashes into one: then only a well-known scheme is taken for one.
_URL = re.compile(rf"([A-Za-z][A-Za-z0-9+.-]+)://|({'|'.join(COPIERS)}|file):/", re.IGNORECASE)


def remote_fault(path: str) -> str | None:
    """Return why a path cannot be used because it is remote; None for a local path.

    >>> remote_fault("corpus/a.txt"), remote_fault("C:/a.txt")
    (None, None)
    >>> remote_fault("s3://bucket/a.txt")
    's3://bucket/a.txt: is a remote path; copy it to this machine with aws s3 cp'
    """
    url = _URL.match(path)
    if not url:
        return None
    scheme = (url[1] or url[2]).lower()
    if url[2]:
        path = path.replace(":/", "://", 1)
    if scheme == "file":
        return f"{path}: is a URL; give the path without file://"
    copier = COPIERS.get(scheme)
    fix = f"copy it to this machine with {copier}" if copier else "copy it to this machine"
    return f"{path}: is a remote path; {fix}"
