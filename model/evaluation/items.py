"""Evaluation items: the continuations that a task compares, and their log-likelihoods."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Request:
    """Log-likelihood request: the continuation of a context, with the blank between them."""

    context: str
    """May be empty: the model then reads the prefix token alone, which is the separator."""
    continuation: str
    """At least one character; begins with the blank or newline that follows the context."""


@dataclass(frozen=True, slots=True)
class Item:
    """Multiple-choice item: one request per choice, in the order of the choices."""

    requests: tuple[Request, ...]
    choices: tuple[str, ...]
    """Texts of the choices without the delimiter; their lengths divide in `acc_norm`."""
    label: int
    """Number of the right choice, from 0."""
    source: str
    """File and line, for error messages and per-item results."""


@dataclass(frozen=True, slots=True)
class LogLikelihood:
    """Log-likelihood of a continuation given its context."""

    nats: float
    """ln p, at most 0 up to rounding."""
    is_greedy: bool
    """Whether each token of the continuation is the most probable one."""
    tokens: int
    """Number of tokens whose log-probabilities were added."""
    crosses: bool
    """Whether a token of the joint encoding crosses the border of context and continuation."""
    truncated: bool
    """Whether the first tokens of the context were left out, as the text exceeds the context."""
