"""`spike train` with teachers: found from anywhere, counted, and refused where they changed."""

import json
import shutil
import tomllib

TEACHER = ("--set", 'distill.teachers=["runs/base"]')
HIDDEN = ("--set", "distill.hidden_loss_weight=0.5")


def student(line, tiny, out, *options):
    narrow = ("--set", "model.dim=16", "--set", "train.log_every=1")
    return line("train", "--config", "base", *tiny, *narrow, *options, "--out", out, "--json")


def test_a_student_learns_and_says_from_whom(line, tiny, folder):
    status, _, errors = student(line, tiny, "runs/student", *TEACHER, *HIDDEN)
    assert status == 0, errors
    run = folder / "runs/student"
    config = tomllib.loads((run / "config.toml").read_text())
    assert config["distill"]["teachers"] == [str(folder / "runs/base")]
    lineage = json.loads((run / "run.json").read_text())["fingerprints"]
    assert lineage.keys() == {"tokenizer", "data", "teacher-1"}
    metrics = [json.loads(text) for text in (run / "metrics.jsonl").read_text().splitlines()]
    assert all(m["distill_loss"] > 0 and m["distill_hidden_loss"] > 0 for m in metrics)
    status, _, errors = line("eval", "runs/student", "--text", "held.txt", "--json")
    assert status == 0, errors


def test_a_teacher_that_changed_or_went_is_refused(line, tiny, folder):
    shutil.copytree(folder / "runs/base", folder / "runs/teacher")
    teacher = ("--set", 'distill.teachers=["runs/teacher"]')
    status, _, errors = student(line, tiny, "runs/pupil", *teacher)
    assert status == 0, errors
    newest = folder / "runs/teacher/checkpoints/step-00000004"
    shutil.rmtree(newest)
    status, _, errors = line("train", "--resume", "runs/pupil")
    assert (status, errors.count("\n")) == (1, 1)
    assert "runs/pupil: trained with teacher-1 " in errors
    shutil.rmtree(folder / "runs/teacher")
    status, _, errors = line("train", "--resume", "runs/pupil")
    assert (status, errors.count("\n")) == (1, 1)
    assert "distill.teachers: " in errors
    assert "runs/teacher: does not exist; name a run folder" in errors


def test_a_missing_teacher_leaves_no_folder(line, tiny, folder):
    missing = ("--set", 'distill.teachers=["runs/none"]')
    status, _, errors = student(line, tiny, "runs/orphan", *missing)
    assert (status, errors.count("\n")) == (1, 1)
    assert "runs/none" in errors
    assert not (folder / "runs/orphan").exists()


def test_a_dry_run_counts_the_teacher_apart(line, tiny):
    def numbers(*options):
        command = ("train", "--config", "base", *tiny, *options, "--dry-run", "--json")
        status, output, errors = line(*command)
        assert status == 0, errors
        return json.loads(output)

    alone, both = numbers(), numbers(*TEACHER, *HIDDEN)
    counted = [name for name in alone if not name.startswith("estimated")]
    assert [both[name] for name in counted] == [alone[name] for name in counted]
    assert both["teacher_parameters"] == alone["parameters"]
    assert both["teacher_head_parameters"] == 32 * 32
    assert both["teaching_flops_per_token"] == alone["flops_per_token"] // 3 + 6 * 32 * 32
    silent = numbers(*TEACHER, "--set", "distill.kl_weight=0")
    assert silent["teaching_flops_per_token"] == 0


def test_a_dry_run_refuses_a_teacher_of_other_ids(line, tiny):
    other = ("--set", "model.vocab_size=99", "--dry-run")
    status, _, errors = line("train", "--config", "base", *tiny, *TEACHER, *other)
    assert (status, errors.count("\n")) == (1, 1)
    assert "has 400 ids, the student 99" in errors
