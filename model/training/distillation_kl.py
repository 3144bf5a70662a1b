"""KL divergence of a student's next-token probabilities from its teachers'.

Hinton et al. 2015 (arXiv:1503.02531): a temperature divides the logits of both. Computation is with
logarithms in float32 or better, so no probability is ever zero.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def kl_divergence(
    student: Tensor, teachers: Sequence[Tensor], *, temperature: float, top_k: int
) -> Tensor:
    """Return the Kullback-Leibler divergence of each row in nats, [N].

    Σ p (log p - log q), where p is the mean of the teachers' probabilities and q the student's.
    With `top_k` all ids except the k likeliest of p count as one. That is at most the divergence
    over all ids (data processing inequality), and 0 only if both agree on the k ids.

    Args:
        student: logits [N, V], which get the gradient.
        teachers: logits [N, V] of each.
        temperature: divisor of the logits.
        top_k: 0 for all ids.
    """
    of_teachers = [_log_probabilities(logits, temperature).detach() for logits in teachers]
    log_p = of_teachers[0]
    if len(of_teachers) > 1:
        log_p = torch.stack(of_teachers).logsumexp(dim=0) - math.log(len(of_teachers))
    log_q = _log_probabilities(student, temperature)
    if 0 < top_k < log_p.shape[1]:
        ids = log_p.topk(top_k, dim=1).indices
        log_p, log_q = _lumped(log_p, ids), _lumped(log_q, ids)
    return (log_p.exp() * (log_p - log_q)).sum(dim=1)


def _log_probabilities(logits: Tensor, temperature: float) -> Tensor:
    precise = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return (precise / temperature).log_softmax(dim=1)


def _lumped(logs: Tensor, ids: Tensor) -> Tensor:
    """Return the log-probabilities [N, k + 1] of some ids and of all others together."""
    others = logs.scatter(1, ids, -math.inf).logsumexp(dim=1, keepdim=True)
    return torch.cat([logs.gather(1, ids), others], dim=1)
