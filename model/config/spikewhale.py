"""SpikeWhaleLM settings: the section `[spikewhale]`."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from .ranges import Count, CountOrZero

Weight = Annotated[float, Meta(ge=0, le=100)]


class SpikeWhaleConfig(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The parts of the model; every default of an optional one is off."""

    layout: Literal["repaired", "published"] = "repaired"
    """`published` does what the released code does: the engram finds row 0, documents run on."""
    documents_apart: bool = True
    """Whether attention stops at separators; costs a mask. As published it does not."""
    q_lora_rank: Annotated[Count, "numbers"] = 128
    """Width to which the queries' projection narrows."""
    o_lora_rank: Annotated[Count, "numbers"] = 128
    """Width to which the attention's output projection narrows."""
    qk_rope_head_dim: Annotated[int, Meta(ge=0, le=1024, multiple_of=2), "numbers"] = 0
    """Numbers of a head, the last ones, that turn with the position; 0 for all."""
    use_xsa: bool = False
    """Whether attention leaves out a token's own value (XSA)."""
    derf: bool = False
    """Whether attention weighs by the error function instead of softmax."""
    embedding_again: bool = False
    """Whether each layer's attention reads the token's embedding again."""
    hc_mult: Annotated[int, Meta(ge=1, le=16), "streams"] = 1
    """Residual streams, joined by hyper-connections; 1 for a plain one."""
    hc_sinkhorn_iters: Annotated[int, Meta(ge=1, le=1000), "rounds"] = 20
    """Rounds of making the matrices that mix the streams doubly stochastic."""
    engram_table_size: Annotated[CountOrZero, "rows"] = 0
    """Rows of each of the engram's tables; 0 for no engram."""
    engram_num_heads: Annotated[int, Meta(ge=1, le=64), "tables"] = 2
    """Tables, each with a hash of its own."""
    engram_max_ngram: Annotated[int, Meta(ge=1, le=16), "tokens"] = 3
    """Longest run of tokens that is looked up."""
    engram_compress_dim: Annotated[int, Meta(ge=1, le=1024), "numbers"] = 32
    """Numbers in the frozen code of a token."""
    engram_gate_init_bias: Annotated[float, Meta(ge=-100, le=100)] = -1.0
    """Where the gate of what is found starts; -1 opens it by 0.0786."""
    hrm_refine_steps: Annotated[int, Meta(ge=0, le=100), "steps"] = 0
    """Steps of refinement before the output layer; 0 for none."""
    hrm_refine_dim: Annotated[Count, "numbers"] = 128
    """Numbers inside a refinement step."""
    mtp_num_heads: Annotated[int, Meta(ge=0, le=16), "heads"] = 0
    """Heads that predict tokens further ahead (MTP), for training only."""
    mtp_loss_weight: Weight = 0.3
    """Weight of their mean loss."""
    jepa_horizon: Annotated[int, Meta(ge=0, le=16), "tokens"] = 0
    """Tokens ahead up to which hidden rows are predicted, for training only; 0 for none."""
    jepa_pred_dim: Annotated[Count, "numbers"] = 256
    """Numbers inside that predictor."""
    jepa_loss_weight: Weight = 0.1
    """Weight of its loss, the mean of 1 - cosine."""
    zloss_coef: Weight = 0.0
    """Weight of the mean square of the logits' log-sum-exp."""
    expert_layers: tuple[CountOrZero, ...] = ()
    """Layers with experts for a feed-forward network; counted from 0."""
    hashed_layers: Annotated[CountOrZero, "blocks"] = 0
    """Of these, layers below this number choose experts by the token's id."""
    n_routed_experts: Annotated[int, Meta(ge=1, le=1024), "experts"] = 6
    """Experts of a layer with experts, each as wide as `model.ffn_dim`."""
    num_experts_per_tok: Annotated[int, Meta(ge=1, le=1024), "experts"] = 2
    """Number of experts that read a token."""
    n_shared_experts: Annotated[int, Meta(ge=0, le=64), "experts"] = 1
    """Further experts that read every token."""
    routed_scaling_factor: Annotated[float, Meta(gt=0, le=100)] = 1.0
    """Sum of the chosen experts' weights."""
    moe_aux_loss_coef: Weight = 0.01
    """Weight of the loss that keeps the experts evenly busy."""
