import os
import threading
from contextlib import suppress

import pytest

from spiketok.errors import SpikeError
from spiketok.regular_files import read_given


@pytest.mark.parametrize("kind", ["file", "pipe"])
@pytest.mark.parametrize("size", [0, 7, 3 << 20])
def test_named_files_and_pipes_are_read_up_to_a_limit(tmp_path, kind, size):
    content = os.urandom(size)
    for number, most in enumerate([size - 1, size, size + 1]):
        path = tmp_path / str(number)
        writer = threading.Thread(target=write_until_closed, args=[path, content])
        if kind == "pipe":
            os.mkfifo(path)
        writer.start()
        if kind == "file":
            writer.join()
        if size > most:
            with pytest.raises(
                SpikeError, match=rf"{number}: is larger than {most:,} bytes; name a"
            ):
                read_given(path, most)
        else:
            assert read_given(path, most) == content
        writer.join()


def write_until_closed(path, content):
    with suppress(BrokenPipeError):
        path.write_bytes(content)
