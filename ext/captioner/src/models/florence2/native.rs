//! What the native layout of transformers has that Microsoft's has not, or has elsewhere.

use half::f16;
use serde_json::{json, Map, Value};

/// The temporal table: sine on the even columns, cosine on the odd ones.
pub fn cosine_table(out: &mut [f16], dim: usize) {
    let step = 10000f64.ln() / (dim / 2) as f64;
    for (i, value) in out.iter_mut().enumerate() {
        let (frame, column) = (i / dim, i % dim);
        let angle = frame as f64 * (-((column / 2) as f64) * step).exp();
        let wave = if column % 2 == 0 { angle.sin() } else { angle.cos() };
        *value = f16::from_f32(wave as f32);
    }
}

/// Settings of a generation, which the Microsoft layout keeps in its text configuration and the native one in a file.
const GENERATION: [&str; 5] =
    ["num_beams", "no_repeat_ngram_size", "early_stopping", "forced_bos_token_id", "forced_eos_token_id"];

/// A Microsoft configuration as the native layout writes it, and the `generation_config.json` beside it.
pub fn native_config(config: &Value) -> (Value, Value) {
    let take = |from: &Value, keys: &[(&str, &str)]| -> Map<String, Value> {
        keys.iter().map(|(new, old)| (new.to_string(), from[*old].clone())).collect()
    };
    let same = |key| (key, key);
    let (v, text) = (&config["vision_config"], &config["text_config"]);
    let mut vision = take(v, &["patch_size", "patch_stride", "patch_padding", "patch_prenorm", "num_heads"].map(same));
    vision.extend(take(v, &["num_groups", "depths", "window_size", "projection_dim"].map(same)));
    vision.insert("model_type".into(), json!("florence_vision"));
    vision.insert("embed_dim".into(), v["dim_embed"].clone());
    vision.insert("max_position_embeddings".into(), v["image_pos_embed"]["max_pos_embeddings"].clone());
    let frames = &v["visual_temporal_embedding"]["max_temporal_embeddings"];
    vision.insert("max_temporal_embeddings".into(), frames.clone());
    let mut bart = text.as_object().cloned().unwrap_or_default();
    bart.retain(|key, _| !GENERATION.contains(&key.as_str()));
    bart.insert("model_type".into(), json!("bart"));
    let mut generation = take(text, &GENERATION.map(same));
    generation
        .extend(take(text, &["bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id"].map(same)));
    generation.retain(|_, value| !value.is_null());
    let native = json!({
        "architectures": ["Florence2ForConditionalGeneration"], "model_type": "florence2", "dtype": "float16",
        "image_token_id": 51289, "is_encoder_decoder": true, "tie_word_embeddings": true,
        "vision_config": vision, "text_config": bart,
    });
    (native, Value::Object(generation))
}
