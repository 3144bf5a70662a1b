"""SpikeWhaleLM settings: the section `[spikewhale]`."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from .ranges import Count, CountOrZero

Weight = Annotated[float, Meta(ge=0, le=100)]


class SpikeWhaleConfig(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Features of SpikeWhaleLM on top of `[model]`; every default of an optional one is off."""

    layout: Literal["repaired", "published"] = "repaired"
    """`published` computes as the released code: the engram reads row 0, documents are joined."""
    documents_apart: bool = True
    """Whether attention is masked at document boundaries; the released code does not."""
    q_lora_rank: Annotated[Count, "numbers"] = 128
    """Rank of the queries' low-rank projection (MLA)."""
    o_lora_rank: Annotated[Count, "numbers"] = 128
    """Rank of the attention's low-rank output projection."""
    qk_rope_head_dim: Annotated[int, Meta(ge=0, le=1024, multiple_of=2), "numbers"] = 0
    """Partial RoPE: how many dimensions of a head, the last ones, are rotated; 0 for all."""
    use_xsa: bool = False
    """Whether attention is exclusive (XSA): without the token's own value."""
    use_derf: bool = False
    """Whether attention weights come from the error function (Derf) instead of softmax."""
    use_value_embed: bool = False
    """Whether the token's embedding is added to each layer's attention input, by a gate."""
    hc_mult: Annotated[int, Meta(ge=1, le=16), "streams"] = 1
    """Number of residual streams, joined by hyper-connections; 1 for a plain one."""
    hc_sinkhorn_iters: Annotated[int, Meta(ge=1, le=1000), "rounds"] = 20
    """Sinkhorn iterations that make the streams' mixing matrices doubly stochastic."""
    engram_table_size: Annotated[CountOrZero, "rows"] = 0
    """Rows of each of the engram's tables (hashed n-gram memory); 0 for no engram."""
    engram_num_heads: Annotated[int, Meta(ge=1, le=64), "tables"] = 2
    """Number of the engram's tables, each with its own hash."""
    engram_max_ngram: Annotated[int, Meta(ge=1, le=16), "tokens"] = 3
    """Longest n-gram that the engram looks up."""
    engram_compress_dim: Annotated[int, Meta(ge=1, le=1024), "numbers"] = 32
    """Length of a token's frozen code, which is hashed."""
    engram_gate_init_bias: Annotated[float, Meta(ge=-100, le=100)] = -1.0
    """Initial bias of the engram's gate; -1 opens it by 0.0786."""
    hrm_refine_steps: Annotated[int, Meta(ge=0, le=100), "steps"] = 0
    """Steps of HRM refinement before the output layer; 0 for none."""
    hrm_refine_dim: Annotated[Count, "numbers"] = 128
    """Hidden width of a refinement step."""
    num_nextn_predict_layers: Annotated[int, Meta(ge=0, le=16), "heads"] = 0
    """Number of multi-token prediction heads (MTP), for training only."""
    mtp_loss_weight: Weight = 0.3
    """Weight of their mean loss."""
    jepa_horizon: Annotated[int, Meta(ge=0, le=16), "tokens"] = 0
    """JEPA: hidden states up to this far ahead are predicted, for training only; 0 for none."""
    jepa_pred_dim: Annotated[Count, "numbers"] = 256
    """Hidden width of the JEPA predictor."""
    jepa_loss_weight: Weight = 0.1
    """Weight of the JEPA loss, the mean of 1 - cosine."""
    zloss_coef: Weight = 0.0
    """Weight of the z-loss: the mean square of the logits' log-sum-exp."""
    moe_layers: tuple[CountOrZero, ...] = ()
    """Layers with a mixture of experts (MoE) as feed-forward network; counted from 0."""
    num_hash_layers: Annotated[CountOrZero, "blocks"] = 0
    """MoE layers below this number choose experts by a hash of the token's id (hash routing)."""
    n_routed_experts: Annotated[int, Meta(ge=1, le=1024), "experts"] = 6
    """Routed experts of an MoE layer, each as wide as `model.ffn_dim`."""
    num_experts_per_tok: Annotated[int, Meta(ge=1, le=1024), "experts"] = 2
    """Routed experts per token (top-k)."""
    n_shared_experts: Annotated[int, Meta(ge=0, le=64), "experts"] = 1
    """Shared experts, which every token passes through."""
    routed_scaling_factor: Annotated[float, Meta(gt=0, le=100)] = 1.0
    """Sum of the chosen experts' weights."""
    moe_aux_loss_coef: Weight = 0.01
    """Weight of the load-balancing loss of the routers."""
