//! Seeded Florence-2 checkpoints: random weights of any configuration, from a seed, bit for bit the same in Rust and
//! Python (`research/reference/seeded.py` is the other half; change them together).
//!
//! Every element is a pure function of the seed, the tensor's name in the Microsoft layout and the element's index, so
//! tests and benches make their checkpoints and nobody stores them. Tensors are drawn one at a time while the file is
//! written: memory holds the largest one.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io;
use std::path::Path;

use half::f16;
use rayon::prelude::*;
use safetensors::{Dtype, View};
use serde_json::{json, Value};

mod list;
pub mod moondream2;
mod picture;

pub use list::{tensors, Tensor};
use list::{EMBEDDING, LOGITS_BIAS};
pub use picture::picture;

pub use captioner::models::florence2::{cosine_table, native_config, Naming};

/// What to draw, beside the configuration.
#[derive(Debug, Clone)]
pub struct Options {
    pub naming: Naming,
    pub seed: u64,
    /// Under which names the token embedding is stored: `shared`, `encoder`, `decoder`, `lm_head`.
    pub tied: Vec<String>,
    /// Amplitude of `final_logits_bias`, which only the Microsoft layout has. Zero in real checkpoints.
    pub logits_bias: f64,
}

impl Options {
    /// The embedding stored once, as `shared`, and no logits bias: what real checkpoints have.
    pub fn new(naming: Naming, seed: u64) -> Self {
        Options { naming, seed, tied: vec!["shared".into()], logits_bias: 0.0 }
    }
}

/// Writes `config.json` and `model.safetensors` (f16) into `dir`. `config` may have either flavour.
pub fn write_checkpoint(config: &Value, options: &Options, dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    std::fs::write(dir.join("config.json"), serde_json::to_string_pretty(config)? + "\n")?;
    let eos = config["text_config"]["eos_token_id"].as_u64().unwrap_or(2);
    let mut views = Vec::new();
    for tensor in tensors(config, options.logits_bias)? {
        for name in stored_names(&tensor.name, options)? {
            let transposed = name.ends_with("image_projection.weight");
            views.push((name, Drawn::new(&tensor, options.seed, eos, transposed)));
        }
    }
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    safetensors::serialize_to_file(views, Some(metadata), &dir.join("model.safetensors")).map_err(io::Error::other)
}

/// Under which names a tensor of the Microsoft layout is stored.
fn stored_names(name: &str, options: &Options) -> io::Result<Vec<String>> {
    let native = options.naming == Naming::Native;
    if name != EMBEDDING {
        return Ok(if native && name == LOGITS_BIAS { Vec::new() } else { vec![options.naming.name(name)] });
    }
    let name = |tied: &String| match (tied.as_str(), native) {
        ("shared", false) => Ok(EMBEDDING.to_string()),
        ("encoder" | "decoder", false) => Ok(format!("language_model.model.{tied}.embed_tokens.weight")),
        ("lm_head", false) => Ok("language_model.lm_head.weight".to_string()),
        ("shared", true) => Ok("model.language_model.shared.weight".to_string()),
        ("encoder" | "decoder", true) => Ok(format!("model.language_model.{tied}.embed_tokens.weight")),
        ("lm_head", true) => Ok("lm_head.weight".to_string()),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, format!("unknown tied name {tied:?}"))),
    };
    options.tied.iter().map(name).collect()
}

/// A tensor that is drawn when the file's writer asks for its bytes.
struct Drawn {
    tensor: Tensor,
    shape: Vec<usize>,
    seed: u64,
    eos: u64,
    transposed: bool,
}

impl Drawn {
    fn new(tensor: &Tensor, seed: u64, eos: u64, transposed: bool) -> Self {
        let mut shape = tensor.shape.clone();
        if transposed {
            shape.reverse();
        }
        Drawn { tensor: tensor.clone(), shape, seed, eos, transposed }
    }

    fn values(&self) -> Vec<f16> {
        let (shape, count) = (&self.tensor.shape, self.tensor.shape.iter().product::<usize>());
        let mut out = vec![f16::ZERO; count];
        if self.tensor.name.ends_with("pos_idx_to_embed") {
            cosine_table(&mut out, shape[1]);
            return out;
        }
        let start = finalize(self.seed ^ fnv1a(&self.tensor.name));
        let (offset, bound) = (self.tensor.offset as f32, self.tensor.bound as f32);
        // The end of a caption is a token like any other unless its row is longer.
        let longer = (self.tensor.bound * list::EOS_GAIN) as f32;
        let eos_row = match self.tensor.name == EMBEDDING {
            true => self.eos as usize * shape[1]..(self.eos as usize + 1) * shape[1],
            false => 0..0,
        };
        out.par_chunks_mut(1 << 16).enumerate().for_each(|(chunk, part)| {
            for (i, value) in part.iter_mut().enumerate() {
                let index = (chunk << 16) + i;
                let random = finalize(start.wrapping_add((index as u64 + 1).wrapping_mul(GAMMA)));
                let uniform = (random >> 40) as f32 / (1u32 << 23) as f32 - 1.0;
                let factor = if eos_row.contains(&index) { longer } else { bound };
                *value = f16::from_f32(offset + factor * uniform);
            }
        });
        match self.transposed {
            true => (0..count).map(|i| out[(i % shape[0]) * shape[1] + i / shape[0]]).collect(),
            false => out,
        }
    }
}

impl View for Drawn {
    fn dtype(&self) -> Dtype {
        Dtype::F16
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned(self.values().into_iter().flat_map(f16::to_le_bytes).collect())
    }

    fn data_len(&self) -> usize {
        2 * self.shape.iter().product::<usize>()
    }
}

const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

/// The finalizer of splitmix64.
fn finalize(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn fnv1a(name: &str) -> u64 {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
    name.bytes().fold(0xCBF2_9CE4_8422_2325, mix)
}

/// The configuration of base or large, with nothing that a caption does not need; or of `small`, the same shape with
/// 13 million weights.
pub fn preset(name: &str) -> Option<Value> {
    let (width, projected, layers, positions) = match name {
        "base" => (128, 768, 6, 1024),
        "large" => (256, 1024, 12, 4096),
        "small" => (32, 128, 2, 1024),
        _ => return None,
    };
    let (dims, heads) = ([width, 2 * width, 4 * width, 8 * width], [1, 2, 4, 8].map(|n| n * width / 32));
    Some(json!({
        "model_type": "florence2", "is_encoder_decoder": true, "torch_dtype": "float16",
        "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1, "projection_dim": projected, "vocab_size": 51289,
        "vision_config": {
            "model_type": "davit", "patch_size": [7, 3, 3, 3], "patch_stride": [4, 2, 2, 2],
            "patch_padding": [3, 1, 1, 1], "patch_prenorm": [false, true, true, true], "dim_embed": dims,
            "num_heads": heads, "num_groups": heads, "depths": [1, 1, 9, 1], "window_size": 12,
            "projection_dim": projected, "image_feature_source": ["spatial_avg_pool", "temporal_avg_pool"],
            "visual_temporal_embedding": {"type": "COSINE", "max_temporal_embeddings": 100},
            "image_pos_embed": {"type": "learned_abs_2d", "max_pos_embeddings": 50},
        },
        "text_config": {
            "vocab_size": 51289, "d_model": projected, "activation_function": "gelu", "scale_embedding": false,
            "encoder_layers": layers, "encoder_attention_heads": projected / 64, "encoder_ffn_dim": 4 * projected,
            "decoder_layers": layers, "decoder_attention_heads": projected / 64, "decoder_ffn_dim": 4 * projected,
            "max_position_embeddings": positions, "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1,
            "decoder_start_token_id": 2, "forced_bos_token_id": 0, "forced_eos_token_id": 2, "num_beams": 3,
            "no_repeat_ngram_size": 3, "early_stopping": true, "is_encoder_decoder": true,
        },
    }))
}

/// The processor's settings that go with [`preset`].
pub fn preset_preprocessor() -> Value {
    json!({
        "image_processor_type": "CLIPImageProcessor", "image_seq_length": 577, "do_resize": true, "do_rescale": true,
        "do_normalize": true, "do_center_crop": false, "resample": 3, "size": {"height": 768, "width": 768},
        "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225],
    })
}
