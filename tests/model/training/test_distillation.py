import json
import os
import signal
import subprocess
import sys
from contextlib import nullcontext
from itertools import repeat
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional

from spike_lm.model import chunked_backward
from spike_lm.model.families.build import build_model
from spike_lm.model.runs.checkpoint_folders import newest_checkpoint
from spike_lm.model.training.distillation import DISTILL_LOSSES, init_distillation, teacher_forward
from spike_lm.model.training.loss import backward_loss
from spike_lm.model.training.state import start_run
from spike_lm.model.training.step import compute_gradients
from spiketok.errors import SpikeError
from tests.model.tiny import (
    FACTS,
    VOCAB,
    bytes_of_run,
    golf_config,
    open_batches,
    shaken,
    tiny_config,
    train_tiny,
    whale_config,
)
from tests.model.training.test_trainer import masked_batches

ROOT = Path(__file__).parents[3]
FAMILIES = {"plain": tiny_config, "golf": golf_config, "whale": whale_config}
ONE, TWO = 'distill.teachers=["a"]', 'distill.teachers=["a", "b"]'
LINEAGE = {"tokenizer": "t", "data": "d", "teacher-1": "first"}


def teacher(family="plain", *overrides, seed=5):
    """Return a model with some opinions, wider than the student."""
    config = FAMILIES[family]("model.dim=32", *overrides)
    return shaken(build_model(config, VOCAB, eos_id=3, seed=seed))


def taught(folder, *overrides, family="plain", teachers=None, **changes):
    """Train a tiny student of one teacher."""
    config = FAMILIES[family](ONE, *overrides)
    settings = {"teachers": teachers or [teacher()], "lineage": LINEAGE} | changes
    return train_tiny(folder, config, **settings)


def metrics_of(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def student_and_lesson(family, overrides, teachers, ids):
    """Return a student in double precision, its teaching, and the lesson of some ids."""
    config = FAMILIES[family](TWO if len(teachers) > 1 else ONE, *overrides)
    student = shaken(build_model(config, VOCAB, eos_id=3, seed=1).double())
    for name, parameter in student.named_parameters():
        parameter.requires_grad_("compressor" not in name)
    teaching = init_distillation(config, student, [t.double() for t in teachers])
    if teaching.head is not None:
        teaching.head.double()
    sums = torch.zeros(2, 2, dtype=torch.float64)
    return student, teaching, teacher_forward(teaching, ids, sums), sums


@pytest.mark.parametrize("masked", [False, True], ids=["all", "some"])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("their_family", FAMILIES)
def test_equals_its_definition(family, their_family, masked, monkeypatch):
    monkeypatch.setattr(chunked_backward, "ROWS_ON_CPU", 5)
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, VOCAB, (3, 9), generator=generator)
    inputs, targets = ids[:, :-1], ids[:, 1:]
    mask = torch.rand((3, 8), generator=generator) < 0.6 if masked else None
    chosen = torch.ones(3, 8, dtype=torch.bool) if mask is None else mask
    overrides = ["distill.kl_weight=0.7", "distill.temperature=2", "distill.hidden_loss_weight=0.3"]
    teachers = [teacher(their_family), teacher("plain", seed=6)]
    student, teaching, lesson, sums = student_and_lesson(family, overrides, teachers, inputs)
    both = {n: p for m in (student, teaching.head) for n, p in m.named_parameters()}

    backward_loss(student, student.backbone(inputs), targets, 10, mask=mask, distillation=lesson)
    found = {name: p.grad for name, p in both.items() if p.requires_grad}
    for parameter in both.values():
        parameter.grad = None
    backward_loss(student, student.backbone(inputs), targets, 10, mask=mask)
    hidden_states = student.backbone(inputs)
    probabilities = torch.stack([(t(inputs) / 2).softmax(-1) for t in teachers]).mean(0)
    logs = (student.logits(hidden_states) / 2).log_softmax(-1)
    nats = functional.kl_div(logs, probabilities, reduction="none").sum(-1)[chosen]
    guessed = hidden_states @ teaching.head.weight.T
    rows_of = teachers[0].backbone(inputs)
    distances = 1 - functional.cosine_similarity(guessed, rows_of, dim=-1)[chosen]
    ((0.7 * 4 * nats.sum() + 0.3 * distances.sum()) / 10).backward()

    assert sums.flatten().tolist() == pytest.approx(
        [nats.sum().item(), len(nats), distances.sum().item(), len(nats)], rel=1e-9
    )
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, both[name].grad, rtol=1e-7, atol=1e-10)


def test_teachers_have_no_gradient_and_read_as_when_they_are_scored():
    ids = torch.from_numpy(next(open_batches(0))[0][:, :-1])
    golf = teacher("golf")
    before = golf.backbone(ids)
    lesson = student_and_lesson("plain", [], [golf], ids)[2]
    torch.testing.assert_close(lesson.row_data[0].float(), before, rtol=1e-4, atol=1e-4)
    assert not lesson.row_data[0].requires_grad
    assert not golf.training


@pytest.mark.parametrize("family", FAMILIES)
def test_weight_zero_is_as_without_a_teacher(family, tmp_path):
    (tmp_path / "runs").mkdir()
    taught(tmp_path / "with", "distill.kl_weight=0", family=family)
    train_tiny(tmp_path / "without", FAMILIES[family]())
    ours, theirs = bytes_of_run(tmp_path / "with"), bytes_of_run(tmp_path / "without")
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert ours[name] == theirs[name] or name.endswith("state.json"), name


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Return the folder of an uninterrupted run with both lessons."""
    folder = tmp_path_factory.mktemp("taught") / "run"
    taught(folder, "distill.hidden_loss_weight=0.5")
    return folder


def test_lessons_are_reported_apart(both, tmp_path):
    taught(tmp_path / "double", "distill.hidden_loss_weight=0.5", "distill.kl_weight=2")
    first, other = (metrics_of(folder)[0] for folder in (both, tmp_path / "double"))
    for name in ("loss", *DISTILL_LOSSES):
        assert first[name] == other[name] > 0
    assert first["gradient_norm"] != other["gradient_norm"]
    train_tiny(tmp_path / "alone")
    assert metrics_of(tmp_path / "alone")[0]["loss"] == first["loss"]


def test_under_a_loss_mask_they_are_named_so(tmp_path):
    taught(tmp_path, open_batches=masked_batches(0.5), validation=None)
    assert all(line["reply_distill_loss"] > 0 for line in metrics_of(tmp_path))


@pytest.mark.parametrize("stop_at", [1, 4, 7])
def test_stopped_and_resumed_equals_uninterrupted(stop_at, both, tmp_path):
    asked = iter(range(100))
    settings = ("distill.hidden_loss_weight=0.5",)
    taught(tmp_path, *settings, should_stop=lambda: next(asked) == stop_at)
    torch.rand(3)
    taught(tmp_path, *settings, resume=True)
    ours, theirs = bytes_of_run(tmp_path), bytes_of_run(both)
    last = {name for name in theirs if "step-00000008" in name}
    assert len(last) == 3
    assert {name: ours[name] for name in last} == {name: theirs[name] for name in last}
    assert ours["metrics.jsonl"] == theirs["metrics.jsonl"]


def die_after_logging(progress):
    if progress.step == 6:
        os.kill(os.getpid(), signal.SIGKILL)


def test_killed_and_resumed_equals_uninterrupted(both, tmp_path):
    run = tmp_path / "run"
    code = (
        "import sys; from pathlib import Path; "
        "from tests.model.training import test_distillation as t; "
        "t.taught(Path(sys.argv[1]), 'distill.hidden_loss_weight=0.5', report=t.die_after_logging)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(run)], cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    assert newest_checkpoint(run).name == "step-00000004"
    taught(run, "distill.hidden_loss_weight=0.5", resume=True)
    assert bytes_of_run(run) == bytes_of_run(both)


def test_the_head_is_kept_for_training_alone(both):
    checkpoint = newest_checkpoint(both)
    weights = load_file(checkpoint / "model.safetensors")
    assert weights.keys() == build_model(tiny_config(), VOCAB, eos_id=3).state_dict().keys()
    training = load_file(checkpoint / "training.safetensors")
    assert training["beside/teacher_head.weight"].shape == (32, 16)
    assert training["teacher_head.weight/exp_avg"].any()


def test_another_teacher_is_refused(both):
    with pytest.raises(SpikeError, match="its fingerprint of teacher-1"):
        taught(
            both,
            "distill.hidden_loss_weight=0.5",
            resume=True,
            lineage=LINEAGE | {"teacher-1": "other"},
        )


def test_parts_of_a_batch_add_up(both, tmp_path):
    taught(tmp_path, "distill.hidden_loss_weight=0.5", "train.micro_batch_size=4")
    for a, b in zip(metrics_of(both), metrics_of(tmp_path), strict=True):
        for name in ("loss", *DISTILL_LOSSES):
            assert a[name] == pytest.approx(b[name], rel=1e-4)
        assert a["gradient_norm"] == pytest.approx(b["gradient_norm"], rel=1e-3)


@pytest.mark.parametrize(
    "settings", [["distill.kl_weight=20"], ["distill.kl_weight=0", "distill.hidden_loss_weight=1"]]
)
def test_a_student_comes_closer_to_its_teacher(settings, tmp_path):
    batch = next(open_batches(0))
    taught(
        tmp_path,
        "train.steps=60",
        "optimizer.adamw_learning_rate=0.03",
        "optimizer.muon_learning_rate=0.1",
        *settings,
        open_batches=lambda _: repeat(batch),
    )
    hidden = len(settings) > 1
    lines = metrics_of(tmp_path)
    assert DISTILL_LOSSES[not hidden] not in lines[0]
    assert lines[-1][DISTILL_LOSSES[hidden]] < 0.5 * lines[0][DISTILL_LOSSES[hidden]]


def test_the_head_alone_learns(tmp_path):
    """Freeze the student: what remains of the distance is the head's own doing."""
    run = start_run(
        tiny_config(ONE, "distill.kl_weight=0", "distill.hidden_loss_weight=1"),
        tmp_path,
        FACTS,
        lineage={},
        teachers=[teacher()],
        resume=False,
    )
    batch = next(open_batches(0))
    optimizer = torch.optim.AdamW(run.distillation.head.parameters(), lr=0.03)
    found = []
    for _ in range(30):
        sums, _ = compute_gradients(
            run, batch, 1.0, backbone=run.model.backbone, precision=nullcontext()
        )
        found.append(sums[-1, 0].item())
        optimizer.step()
        run.model.zero_grad()
        optimizer.zero_grad()
    assert found[-1] < 0.8 * found[0]


@pytest.mark.parametrize(
    ("teachers", "message"),
    [
        ([], "1 are named, and 0 were passed"),
        ([teacher("plain", "model.context=11")], "a: the teacher's context of 11 is shorter than"),
        ([shaken(build_model(tiny_config(), 31, eos_id=3))], "has 31 ids, the student 32"),
    ],
)
def test_teachers_that_do_not_fit_are_refused(teachers, message, tmp_path):
    with pytest.raises(SpikeError, match=message):
        train_tiny(tmp_path, tiny_config(ONE), teachers=teachers, lineage=LINEAGE)


def test_teachers_without_a_section_are_refused(tmp_path):
    with pytest.raises(SpikeError, match="0 are named, and 1 were passed"):
        train_tiny(tmp_path, teachers=[teacher()])


def test_a_longer_context_of_the_teacher_is_no_matter(tmp_path):
    result = taught(tmp_path, teachers=[teacher("plain", "model.context=40")])
    assert np.isfinite(result.metrics["distill_loss"])
