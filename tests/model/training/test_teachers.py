import pytest
import torch

from spike_lm.model import config_fingerprint
from spike_lm.model.runs.folder import create_run, load_run
from spike_lm.model.training.teachers import open_teachers, teacher_fingerprints
from spiketok import Tokenizer, build_vocabulary
from spiketok.errors import SpikeError
from tests.model.tiny import golf_config, tiny_config, train_tiny


def tokenizer(*pieces):
    return Tokenizer(build_vocabulary(pieces, vocab_size=264, layout="minimal"))


OURS = tokenizer(b"th", b"the ")


def trained(folder, config=None, words=OURS, **changes):
    """Make a run folder as `spike train` does."""
    config = config or tiny_config()
    folder.mkdir(parents=True, exist_ok=True)
    fingerprints = {"tokenizer": words.fingerprint, "data": "d"}
    fingerprints |= changes.pop("more_lineage", {})
    create_run(folder, config, words, fingerprints)
    settings = {"byte_lengths": words.byte_lengths, "lineage": fingerprints}
    train_tiny(folder, config, **(settings | changes))
    return folder


def student_of(*folders, more=()):
    return tiny_config(f"distill.teachers={[str(folder) for folder in folders]}", *more)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return [trained(folder / "a"), trained(folder / "b", golf_config("train.seed=1"))]


def test_no_section_no_teachers():
    assert open_teachers(tiny_config(), OURS) == []


def test_opens_them_in_order_for_reading_alone(runs):
    teachers = open_teachers(student_of(*runs), OURS)
    assert [teacher.config.golf is None for teacher in teachers] == [True, False]
    for teacher in teachers:
        assert not teacher.model.training
        assert not any(p.requires_grad for p in teacher.model.parameters())
    fingerprints = teacher_fingerprints(teachers)
    assert list(fingerprints) == ["teacher-1", "teacher-2"]
    assert len({*fingerprints.values()}) == 2
    assert teacher_fingerprints(open_teachers(student_of(*runs), OURS)) == fingerprints


def test_a_teacher_that_went_on_learning_is_another_one(tmp_path):
    config = tiny_config("train.steps=1000")
    asked = iter(range(100))
    run = trained(tmp_path / "run", config, should_stop=lambda: next(asked) == 2)
    before = teacher_fingerprints(open_teachers(student_of(run), OURS))
    lineage = {"tokenizer": OURS.fingerprint, "data": "d"}
    settings = {"byte_lengths": OURS.byte_lengths, "lineage": lineage}
    train_tiny(run, config, resume=True, should_stop=lambda: next(asked) == 6, **settings)
    assert teacher_fingerprints(open_teachers(student_of(run), OURS)) != before


def test_a_student_opens_without_its_teacher_and_may_teach(runs, tmp_path):
    config = student_of(runs[0], more=["distill.hidden_loss_weight=1"])
    teachers = open_teachers(config, OURS)
    lineage = teacher_fingerprints(teachers)
    student = trained(
        tmp_path / "student", config, teachers=[t.model for t in teachers], more_lineage=lineage
    )
    away = tiny_config('distill.teachers=["/nowhere"]', "distill.hidden_loss_weight=1")
    assert config_fingerprint(away) == config_fingerprint(config)
    opened = load_run(student)
    assert opened.fingerprints["teacher-1"] == lineage["teacher-1"]
    assert opened.model(torch.zeros(1, 3, dtype=torch.int64)).shape == (1, 3, 264)
    assert len(open_teachers(student_of(student), OURS)) == 1


def test_settings_of_a_lesson_are_in_the_fingerprint():
    found = {
        config_fingerprint(tiny_config(*settings))
        for settings in (
            [],
            ['distill.teachers=["a"]'],
            ['distill.teachers=["a", "b"]'],
            ['distill.teachers=["a"]', "distill.kl_weight=2"],
            ['distill.teachers=["a"]', "distill.temperature=2"],
            ['distill.teachers=["a"]', "distill.top_k=2"],
            ['distill.teachers=["a"]', "distill.hidden_loss_weight=2"],
        )
    }
    assert len(found) == 7


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda run: tiny_config('distill.teachers=["/nowhere"]'),
            "distill.teachers: /nowhere: does not exist",
        ),
        (lambda run: student_of(run, more=["model.context=13"]), "of 12 is shorter than .* 13"),
    ],
)
def test_what_cannot_teach_is_refused(spoil, message, runs):
    with pytest.raises(SpikeError, match=message):
        open_teachers(spoil(runs[0]), OURS)


def test_another_tokenizer_is_refused(runs):
    with pytest.raises(SpikeError, match=r"a: its tokenizer is .*…, but that of the data is"):
        open_teachers(student_of(runs[0]), tokenizer(b"of", b"and "))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("distill.teachers=[]", "distill.teachers: no teacher; name at least one run folder"),
        ('distill.teachers=[""]', "distill.teachers"),
        ("distill.teachers=runs/a", "distill.teachers is 'runs/a'; write a list"),
        ("distill.kl_weight=-1", "distill.kl_weight"),
        ("distill.temperature=0", "distill.temperature"),
        ("distill.kl_weight=1", "distill.teachers: no teacher; name at least one run folder"),
    ],
)
def test_settings_that_cannot_be(override, message):
    with pytest.raises(SpikeError, match=message):
        tiny_config(override)
