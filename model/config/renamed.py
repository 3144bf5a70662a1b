"""Known and renamed configuration keys: an old name is rejected with the new one."""

import difflib
from collections.abc import Collection

from spiketok.errors import SpikeError

RENAMED = (
    ("compress", "quantize"),
    ("width", "dim"),
    ("tied_embeddings", "tie_embeddings"),
    ("exported", "use"),
    ("depth_scale", "ln_scale"),
    ("residual_mix", "x0_mix"),
    ("skips", "unet_skips"),
    ("smear", "smear_gate"),
    ("loops", "num_loops"),
    ("exclusive", "use_xsa"),
    ("streams", "hc_mult"),
    ("experts", "n_routed_experts"),
    ("weight", "kl_weight"),
    ("quantize", "bits"),
    ("prune", "sparsity"),
    ("head_width", "head_dim"),
    ("mlp_width", "ffn_dim"),
    ("ahead_learning_rate", "mtp_learning_rate"),
    ("final_ratio", "min_lr_ratio"),
    ("swa_below", "swa_start_lr_ratio"),
    ("hidden_weight", "hidden_loss_weight"),
    ("query_gain", "qk_gain_init"),
    ("rope_length", "original_context"),
    ("exclusive_layers", "xsa_last_n"),
    ("mlp_slope", "leaky_relu_slope"),
    ("parallel_layers", "parallel_residual_last_n"),
    ("loop_layers", "recur_layers"),
    ("loop_from", "recur_start"),
    ("bigram_rows", "bigram_vocab_size"),
    ("bigram_width", "bigram_dim"),
    ("value_layers", "ve_last_n"),
    ("value_width", "ve_dim"),
    ("ahead_heads", "mtp_num_heads"),
    ("ahead_weight", "mtp_loss_weight"),
    ("query_rank", "q_lora_rank"),
    ("output_rank", "o_lora_rank"),
    ("sinkhorn_rounds", "hc_sinkhorn_iters"),
    ("engram_rows", "engram_table_size"),
    ("engram_heads", "engram_num_heads"),
    ("engram_orders", "engram_max_ngram"),
    ("engram_code_width", "engram_compress_dim"),
    ("engram_gate_bias", "engram_gate_init_bias"),
    ("hrm_steps", "hrm_refine_steps"),
    ("hrm_width", "hrm_refine_dim"),
    ("jepa_width", "jepa_pred_dim"),
    ("jepa_weight", "jepa_loss_weight"),
    ("z_weight", "zloss_coef"),
    ("balance_weight", "moe_aux_loss_coef"),
    ("experts_chosen", "num_experts_per_tok"),
    ("experts_shared", "n_shared_experts"),
    ("expert_scale", "routed_scaling_factor"),
    ("batch", "batch_size"),
    ("micro_batch", "micro_batch_size"),
    ("clip", "grad_clip"),
    ("recompute", "activation_checkpointing"),
    ("expert_layers", "moe_layers"),
    ("hashed_layers", "num_hash_layers"),
    ("embedding_again", "use_value_embed"),
    ("derf", "use_derf"),
    ("ahead_heads", "num_nextn_predict_layers"),
    ("mtp_num_heads", "num_nextn_predict_layers"),
    ("rotary_width", "rope_dims"),
    ("rotary_width", "qk_rope_head_dim"),
)


def check_known(key: str, known: Collection[str], origin: str, place: str) -> None:
    """Check that a section has a key.

    Args:
        key: a key, or the name of a section.
        known: the keys of the section, or the sections.
        origin: file or option, for the message.
        place: section and key, for the message.

    Raises:
        SpikeError: it has not; the message has the new name of a renamed key, or a similar one.
    """
    if key in known:
        return
    for new in (new for old, new in RENAMED if old == key and new in known):
        now = f"{place.removesuffix(key)}{new}"
        raise SpikeError(f"{origin}: {place} is now {now}; write the new name")
    close = difflib.get_close_matches(key, known, n=1)
    fix = f"did you mean `{close[0]}`?" if close else f"known here: {', '.join(known)}"
    raise SpikeError(f"{origin}: {place}: no such key; {fix}")
