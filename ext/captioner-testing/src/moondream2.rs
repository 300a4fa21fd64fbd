//! Seeded moondream2 checkpoints (`research/reference/moondream/checkpoints.py` is the other half; change them together).

use std::collections::HashMap;
use std::io;
use std::path::Path;

use serde_json::{json, Value};

use super::{Drawn, Tensor};

/// `model_type` of the published checkpoint, and of those made here.
pub const MODEL_TYPE: &str = "moondream1";

/// Attention must look at something, and a decoder whose residual stream still is the last token repeats it for ever.
const GAINS: [(&str, f64); 2] = [("attn.qkv", 1.5), ("mlp.fc2", 2.0)];
const BIAS: f64 = 0.1;
const NORM: f64 = 0.1;

/// The published sizes, by section, for what a configuration leaves out.
const DEFAULTS: [(&str, &[(&str, usize)]); 3] = [
    ("text", &[("dim", 2048), ("n_layers", 24), ("vocab_size", 51200)]),
    (
        "vision",
        &[
            ("enc_dim", 1152),
            ("enc_patch_size", 14),
            ("enc_n_layers", 27),
            ("enc_ff_dim", 4304),
            ("in_channels", 3),
            ("crop_size", 378),
            ("proj_inner_dim", 8192),
            ("proj_out_dim", 2048),
        ],
    ),
    (
        "region",
        &[
            ("dim", 2048),
            ("coord_feat_dim", 256),
            ("coord_out_dim", 1024),
            ("size_feat_dim", 512),
            ("size_out_dim", 2048),
            ("inner_dim", 8192),
        ],
    ),
];

/// The configuration that is all defaults: 1.9 billion weights.
pub fn published_config() -> Value {
    json!({"architectures": ["HfMoondream"], "model_type": MODEL_TYPE, "config": {}})
}

/// Writes `config.json` and `model.safetensors` (f16) into `dir`.
pub fn write_checkpoint(config: &Value, seed: u64, dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    std::fs::write(dir.join("config.json"), serde_json::to_string_pretty(config)? + "\n")?;
    let views = tensors(config).into_iter().map(|tensor| (tensor.name.clone(), Drawn::new(&tensor, seed, 0, false)));
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    safetensors::serialize_to_file(views, Some(metadata), &dir.join("model.safetensors")).map_err(io::Error::other)
}

/// Every tensor of a checkpoint.
pub fn tensors(config: &Value) -> Vec<Tensor> {
    let mut list = List(Vec::new());
    list.text(&sizes(config, "text"));
    list.vision(&sizes(config, "vision"));
    list.region(&sizes(config, "region"));
    list.0
}

/// A section's sizes.
fn sizes<'a>(config: &'a Value, section: &'a str) -> impl Fn(&str) -> usize + 'a {
    move |key| {
        let own = config["config"][section][key].as_u64().map(|size| size as usize);
        let known = DEFAULTS.iter().find(|(name, _)| *name == section).map_or(&[][..], |(_, sizes)| sizes);
        own.or_else(|| known.iter().find(|(name, _)| *name == key).map(|(_, size)| *size)).unwrap_or(0)
    }
}

struct List(Vec<Tensor>);

impl List {
    fn push(&mut self, name: String, shape: &[usize], offset: f64, bound: f64) {
        self.0.push(Tensor { name, shape: shape.to_vec(), offset, bound });
    }

    fn linear(&mut self, name: &str, out: usize, into: usize) {
        let gain = GAINS.iter().find(|(end, _)| name.ends_with(end)).map_or(1.0, |(_, gain)| *gain);
        self.push(format!("{name}.bias"), &[out], 0.0, BIAS);
        self.push(format!("{name}.weight"), &[out, into], 0.0, (3.0 / into as f64).sqrt() * gain);
    }

    fn norm(&mut self, name: &str, dim: usize) {
        self.push(format!("{name}.bias"), &[dim], 0.0, NORM);
        self.push(format!("{name}.weight"), &[dim], 1.0, NORM);
    }

    fn mlp(&mut self, name: &str, into: usize, hidden: usize, out: usize) {
        self.linear(&format!("{name}.fc1"), hidden, into);
        self.linear(&format!("{name}.fc2"), out, hidden);
    }

    fn text(&mut self, size: &dyn Fn(&str) -> usize) {
        let (dim, vocabulary) = (size("dim"), size("vocab_size"));
        for layer in 0..size("n_layers") {
            let block = format!("model.text.blocks.{layer}");
            self.norm(&format!("{block}.ln"), dim);
            self.linear(&format!("{block}.attn.qkv"), 3 * dim, dim);
            self.linear(&format!("{block}.attn.proj"), dim, dim);
            self.mlp(&format!("{block}.mlp"), dim, 4 * dim, dim);
        }
        self.norm("model.text.post_ln", dim);
        self.linear("model.text.lm_head", vocabulary, dim);
        self.push("model.text.wte".into(), &[vocabulary, dim], 0.0, 1.0);
    }

    fn vision(&mut self, size: &dyn Fn(&str) -> usize) {
        let (dim, patch) = (size("enc_dim"), size("enc_patch_size"));
        let grid = size("crop_size") / patch;
        for layer in 0..size("enc_n_layers") {
            let block = format!("model.vision.blocks.{layer}");
            self.norm(&format!("{block}.ln1"), dim);
            self.norm(&format!("{block}.ln2"), dim);
            self.linear(&format!("{block}.attn.qkv"), 3 * dim, dim);
            self.linear(&format!("{block}.attn.proj"), dim, dim);
            self.mlp(&format!("{block}.mlp"), dim, size("enc_ff_dim"), dim);
        }
        self.linear("model.vision.patch_emb", dim, size("in_channels") * patch * patch);
        self.push("model.vision.pos_emb".into(), &[1, grid * grid, dim], 0.0, 1.0);
        self.norm("model.vision.post_ln", dim);
        self.mlp("model.vision.proj_mlp", 2 * dim, size("proj_inner_dim"), size("proj_out_dim"));
    }

    /// What a caption does not need and a file has all the same.
    fn region(&mut self, size: &dyn Fn(&str) -> usize) {
        let (dim, inner) = (size("dim"), size("inner_dim"));
        self.mlp("model.region.coord_decoder", dim, inner, size("coord_out_dim"));
        self.linear("model.region.coord_encoder", dim, size("coord_feat_dim"));
        self.push("model.region.coord_features".into(), &[1, size("coord_feat_dim") / 2], 0.0, 1.0);
        self.mlp("model.region.size_decoder", dim, inner, size("size_out_dim"));
        self.linear("model.region.size_encoder", dim, size("size_feat_dim"));
        self.push("model.region.size_features".into(), &[2, size("size_feat_dim") / 2], 0.0, 1.0);
    }
}
