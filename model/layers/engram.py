"""Engram: hashed n-gram memory, added to the embeddings.

The engram memory of SpikeWhale, after DeepSeek's Engram (arXiv:2601.07372). Every token has a code
of a few numbers, from frozen random columns. For each n-gram of 1, 2, … tokens, fixed random
projections of its codes add up to one number per head. Its absolute value, modulo the table's size,
is a row of that head's table. The mean of these rows passes a gate that reads it and the token.

A code is computed from the bits of the token's id. All frozen numbers are integers, so sums are
exact in any order, type and device. The rows are those of a universal hash: two n-grams share one
by chance alone. As published, a code is computed from the token's embedding instead, at a scale at
which every sum is below 1, so every n-gram reads row 0. At a larger scale the rows would change
with each step of training and each rounding.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .derf import derf

ID_BITS = 24
# Integers up to here are exact in bfloat16, too.
MAX_HASH_FACTOR = 255


class Engram(nn.Module):
    """Engram: a frozen compressor, fixed projections, one table for all heads, and a gate."""

    projections: Tensor

    def __init__(
        self,
        *,
        table_size: int,
        num_heads: int,
        max_ngram: int,
        compress_dim: int,
        dim: int,
        gate_init_bias: float,
    ) -> None:
        super().__init__()
        self.table_size, self.num_heads, self.max_ngram = table_size, num_heads, max_ngram
        self.compressor = nn.Parameter(torch.zeros(compress_dim, dim), requires_grad=False)
        # One projection per length of an n-gram and place in it.
        count = max_ngram * (max_ngram + 1) // 2
        self.register_buffer("projections", torch.zeros(count, num_heads, compress_dim))
        self.table = nn.Embedding(num_heads * table_size, dim)
        self.gate = nn.Linear(2 * dim, dim)
        nn.init.zeros_(self.gate.bias)
        self.slope = nn.Parameter(torch.ones(dim))
        self.shift = nn.Parameter(torch.full((dim,), gate_init_bias))
        self.height = nn.Parameter(torch.ones(dim))

    def forward(self, codes: Tensor, stream: Tensor, begins: Tensor) -> Tensor:
        """Return the addition to the stream [B, T, D].

        Args:
            codes: of `id_codes` or `embedding_codes`, [B, T, compress_dim].
            stream: the tokens' embeddings, [B, T, D].
            begins: bool [B, T], where a document begins; no n-gram crosses such a place.
        """
        rows, fits = self.lookup(codes, begins)
        weights = fits.repeat_interleave(self.num_heads, dim=-1).to(self.table.weight.dtype)
        weights = weights / weights.sum(dim=-1, keepdim=True)
        # Bags are the rows of all n-grams and heads of one token: [B · T, n-grams · heads].
        memory = functional.embedding_bag(
            rows.flatten(2).flatten(0, 1),
            self.table.weight,
            mode="sum",
            per_sample_weights=weights.flatten(0, 1),
        ).view(stream.shape)
        opened = self.gate(torch.cat([memory, stream], dim=-1))
        return derf(opened, self.slope, self.shift, self.height) * memory

    def lookup(self, codes: Tensor, begins: Tensor) -> tuple[Tensor, Tensor]:
        """Return rows [B, T, n-grams, heads] and bool [B, T, n-grams]: which n-grams exist.

        `codes` [B, T, compress_dim] and bool `begins` [B, T] are as in `forward`.
        """
        shares = functional.linear(codes, self.projections.flatten(0, 1).to(codes.dtype))
        shares = shares.view(*begins.shape, -1, self.num_heads)  # [B, T, projections, heads]
        exists = torch.ones_like(begins)
        sums, fits, first = [], [], 0
        for length in range(1, self.max_ngram + 1):
            if length > 1:
                # Token t has an n-gram if no document begins at the tokens t - length + 2 … t.
                exists = exists & ~_later(begins, length - 2, value=True)
            terms = [_later(shares[:, :, first + k], length - 1 - k) for k in range(length)]
            sums.append(torch.stack(terms).sum(dim=0))
            fits.append(exists)
            first += length
        offsets = self.table_size * torch.arange(self.num_heads, device=codes.device)
        rows = torch.stack(sums, dim=2).abs().long() % self.table_size + offsets
        return rows, torch.stack(fits, dim=2)

    def id_codes(self, ids: Tensor) -> Tensor:
        """Return float64 codes [B, T, compress_dim] of ids [B, T].

        A code is the sum of the compressor's columns at the 1 bits of the id.
        """
        bits = ids.unsqueeze(-1) >> torch.arange(ID_BITS, device=ids.device) & 1
        return functional.linear(bits.double(), self.compressor[:, :ID_BITS].double())

    def embedding_codes(self, embedded: Tensor) -> Tensor:
        """Return float64 codes [B, T, compress_dim] as published: compressor · embeddings."""
        return functional.linear(embedded.detach().double(), self.compressor.double())


def _later(rows: Tensor, places: int, value: float = 0.0) -> Tensor:
    """Shift [B, T, …] by some places in time, padded with `value` from the left."""
    padding = (0, 0) * (rows.ndim - 2) + (places, 0)
    return functional.pad(rows, padding, value=value)[:, : rows.shape[1]]
