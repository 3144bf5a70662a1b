import os
from errno import ENOSPC

import pytest

from spike_commands import demo_steps


@pytest.mark.parametrize("existed", [False, True])
def test_a_failed_demo_leaves_nothing_that_refuses_the_next(line, tmp_path, monkeypatch, existed):
    folder = tmp_path / "demo"
    if existed:
        folder.mkdir()

    def full_disk():
        yield "x = 1\n"
        raise OSError(ENOSPC, os.strerror(ENOSPC))

    failures = (
        (full_disk, "No space left on device; make room and run again"),
        (lambda: iter(["x = 1\n"]), "spike: "),  # too little text for the tokenizer
    )
    for documents, told in failures:
        monkeypatch.setattr(demo_steps, "python_documents", documents)
        status, _, errors = line("demo", "--folder", str(folder), "--quiet")
        assert status == 1
        assert told in errors
        assert "is not empty" not in errors
        assert folder.exists() == existed
        assert not existed or not any(folder.iterdir())


def test_a_demo_that_fails_after_its_run_began_keeps_it(tmp_path):
    run = tmp_path / "demo/run"
    with pytest.raises(OSError, match="some"):  # noqa: SIM117
        with demo_steps.removed_on_failure(tmp_path / "demo", tmp_path / "demo/corpus", run):
            run.mkdir()
            (run / "metrics.jsonl").touch()
            raise OSError("some")
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == ["corpus", "run"]
