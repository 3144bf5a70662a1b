from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from spike_lm.model.training.distillation_kl import kl_divergence

ROWS, IDS = 7, 11


def logits(seed, size=3.0):
    generator = torch.Generator().manual_seed(seed)
    return size * torch.randn(ROWS, IDS, generator=generator, dtype=torch.float64)


def plain(student, teachers, temperature, top_k=0):
    """Return the divergences by definition, of probabilities, with torch's own kl_div."""
    wanted = torch.stack([(t / temperature).softmax(1) for t in teachers]).mean(0)
    found = (student / temperature).softmax(1)
    if top_k:
        ids = wanted.argsort(1, descending=True)
        wanted, found = (
            torch.stack(
                [
                    torch.stack([*p[row, ids[row, :top_k]], p[row, ids[row, top_k:]].sum()])
                    for row in range(ROWS)
                ]
            )
            for p in (wanted, found)
        )
    return functional.kl_div(found.log(), wanted, reduction="none").sum(1)


@pytest.mark.parametrize("teachers", [1, 3])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("top_k", [0, 1, 4, IDS - 1])
def test_equals_its_definition_and_so_does_the_gradient(teachers, temperature, top_k):
    theirs = [logits(number + 1) for number in range(teachers)]
    ours, again = logits(0).requires_grad_(), logits(0).requires_grad_()
    found = kl_divergence(ours, theirs, temperature=temperature, top_k=top_k)
    expected = plain(again, theirs, temperature, top_k)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    weights = torch.arange(1.0, ROWS + 1, dtype=torch.float64)
    (found * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(ours.grad, again.grad, rtol=1e-9, atol=1e-12)


def test_no_gradient_reaches_a_teacher():
    teacher = logits(1).requires_grad_()
    kl_divergence(logits(0).requires_grad_(), [teacher], temperature=1.0, top_k=0).sum().backward()
    assert teacher.grad is None


@pytest.mark.parametrize("top_k", [IDS, IDS + 1, 10**9])
def test_as_many_ids_as_there_are_is_all(top_k):
    both = logits(0), [logits(1)]
    assert torch.equal(
        kl_divergence(*both, temperature=2.0, top_k=top_k),
        kl_divergence(*both, temperature=2.0, top_k=0),
    )


@given(seed=st.integers(0, 10**6), size=st.floats(0, 20), temperature=st.floats(0.3, 10))
def test_lumping_more_never_says_more(seed, size, temperature):
    student, teacher = logits(seed, size), logits(seed + 1, size)
    found = [
        kl_divergence(student, [teacher], temperature=temperature, top_k=k)
        for k in range(1, IDS + 1)
    ]
    for fewer, more in pairwise(found):
        assert (fewer <= more + 1e-9).all()
    assert (found[0] >= -1e-9).all()


@pytest.mark.parametrize("top_k", [0, 2])
def test_certain_teachers_and_students_give_finite_numbers(top_k):
    teacher = torch.zeros(1, IDS)
    teacher[0, 3] = 1e4
    student = torch.zeros(1, IDS)
    student[0, 5] = 1e4
    student.requires_grad_()
    found = kl_divergence(student, [teacher], temperature=1.0, top_k=top_k)
    found.sum().backward()
    assert found.item() == pytest.approx(1e4)
    assert student.grad.isfinite().all()
    same = kl_divergence(teacher, [teacher], temperature=1.0, top_k=top_k)
    assert same.item() == 0


def test_half_precision_is_widened():
    student, teacher = logits(0).bfloat16(), logits(1).bfloat16()
    found = kl_divergence(student, [teacher], temperature=1.0, top_k=0)
    assert found.dtype == torch.float32
    expected = plain(student.double(), [teacher.double()], 1.0)
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)
