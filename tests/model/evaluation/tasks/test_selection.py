"""Task definitions: names, suites, pinned files, and the choice by name or file."""

import re

import pytest

from spike_lm.model.evaluation.tasks.selection import BY_NAME, SUITES, chosen_tasks
from spike_lm.model.evaluation.tasks.texts import joined_rows
from spiketok.errors import SettingError


def names(*wanted):
    return [task.name for task in chosen_tasks(wanted)]


def test_suites_name_tasks_and_each_task_comes_once():
    assert names("all") == list(BY_NAME) == list(SUITES["all"])
    assert names("piqa", "tiny-ml", "piqa")[0] == "piqa"
    assert len(names("piqa", "tiny-ml", "piqa")) == 4
    assert set(names("seeds")) < set(BY_NAME)
    assert not set(SUITES) & set(BY_NAME)


@pytest.mark.parametrize(
    ("name", "meant"),
    [("arc-easy", "arc_easy"), ("hellaswagg", "hellaswag"), ("al", "all"), ("qqq", None)],
)
def test_unknown_names(name, meant):
    with pytest.raises(SettingError, match="no such task") as error:
        chosen_tasks(["piqa", name])
    assert (f"did you mean `{meant}`?" in str(error.value)) == (meant is not None)
    assert str(error.value).startswith(f"{name}: ")


def test_own_files_are_tasks():
    (task,) = chosen_tasks(["folder/mine.jsonl"])
    assert (task.name, task.metrics[0]) == ("folder/mine.jsonl", "acc")
    assert task.files[0].sha256 == ""


def test_definitions_are_whole():
    for task in BY_NAME.values():
        assert task.licence
        assert task.source
        assert (task.build is None) == (task.kind == "text")
        assert bool(task.files) != bool(task.generate)
        for file in task.files:
            assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
            assert file.records
    assert len(BY_NAME["blimp"].files) == 67
    assert sum(file.records for file in BY_NAME["blimp"].files) == 67_000
    assert len(BY_NAME["blimp-150"].files) * BY_NAME["blimp-150"].per_file == 1800


def test_joined_rows_are_those_of_the_hub_dataset():
    content = " \n = Ä = \n \n Text . \n \n"
    rows = ["", " = Ä = \n", "", " Text . \n", ""]
    assert joined_rows(content.encode()) == " ".join(rows).strip().encode()
