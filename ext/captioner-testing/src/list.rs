//! What tensors a configuration asks for, and from which range each is drawn.

use std::io;

use serde_json::Value;

/// One tensor of the Microsoft layout: value = offset + bound * uniform(-1, 1).
#[derive(Debug, Clone)]
pub struct Tensor {
    pub name: String,
    pub shape: Vec<usize>,
    pub(super) offset: f64,
    pub(super) bound: f64,
}

pub(super) const LOGITS_BIAS: &str = "language_model.final_logits_bias";
pub(super) const EMBEDDING: &str = "language_model.model.shared.weight";
const BIAS: f64 = 0.1;
const NORM: f64 = 0.1;
const POSITION: f64 = 1.0;
const EMBEDDING_BOUND: f64 = 1.0;
pub(super) const EOS_GAIN: f64 = 3.0;

/// By the end of a layer's name. Attention logits need spread to look at something, the image must reach the decoder,
/// and a decoder whose residual stream still is the last token repeats that token for ever. Channel attention sums over
/// every token of the picture: wider logits would be an arg-max there, and the tower would amplify rounding from block
/// to block.
const GAINS: [(&str, f64); 8] = [
    ("q_proj", 1.5),
    ("k_proj", 1.5),
    ("encoder_attn.v_proj", 1.5),
    ("fc2", 2.0),
    ("fn.dw", 0.3),
    ("window_attn.fn.qkv", 1.5),
    ("channel_attn.fn.qkv", 0.5),
    ("channel_attn.fn.proj", 2.0),
];

fn gain(name: &str) -> f64 {
    GAINS.iter().find(|(end, _)| name.ends_with(end)).map_or(1.0, |(_, gain)| *gain)
}

/// Every tensor of a checkpoint, under the names of the Microsoft layout, the embedding once.
pub fn tensors(config: &Value, logits_bias: f64) -> io::Result<Vec<Tensor>> {
    let mut list = List(Vec::new());
    let (vision, text) = (&config["vision_config"], &config["text_config"]);
    list.vision(vision)?;
    list.language(text, logits_bias)?;
    Ok(list.0)
}

struct List(Vec<Tensor>);

impl List {
    fn push(&mut self, name: String, shape: &[usize], offset: f64, bound: f64) {
        self.0.push(Tensor { name, shape: shape.to_vec(), offset, bound });
    }

    fn linear(&mut self, name: &str, out: usize, into: usize) {
        self.push(format!("{name}.weight"), &[out, into], 0.0, (3.0 / into as f64).sqrt() * gain(name));
        self.push(format!("{name}.bias"), &[out], 0.0, BIAS);
    }

    fn norm(&mut self, name: &str, dim: usize) {
        self.push(format!("{name}.weight"), &[dim], 1.0, NORM);
        self.push(format!("{name}.bias"), &[dim], 0.0, NORM);
    }

    fn convolution(&mut self, name: &str, out: usize, into: usize, kernel: usize) {
        let bound = (3.0 / (into * kernel * kernel) as f64).sqrt() * gain(name);
        self.push(format!("{name}.weight"), &[out, into, kernel, kernel], 0.0, bound);
        self.push(format!("{name}.bias"), &[out], 0.0, BIAS);
    }

    fn vision(&mut self, v: &Value) -> io::Result<()> {
        let dims = if v["dim_embed"].is_array() { numbers(v, "dim_embed")? } else { numbers(v, "embed_dim")? };
        let (kernels, depths) = (numbers(v, "patch_size")?, numbers(v, "depths")?);
        let ratio = v["mlp_ratio"].as_f64().unwrap_or(4.0);
        let mut previous = v["in_channels"].as_u64().unwrap_or(3) as usize;
        for (stage, &dim) in dims.iter().enumerate() {
            let conv = format!("vision_tower.convs.{stage}");
            let (kernel, depth) = (kernels.get(stage), depths.get(stage));
            self.convolution(&format!("{conv}.proj"), dim, previous, *kernel.ok_or_else(|| missing("patch_size"))?);
            let before = v["patch_prenorm"][stage].as_bool().unwrap_or(false);
            self.norm(&format!("{conv}.norm"), if before { previous } else { dim });
            for block in 0..*depth.ok_or_else(|| missing("depths"))? {
                for (kind, attention) in [("spatial_block", "window_attn"), ("channel_block", "channel_attn")] {
                    let base = format!("vision_tower.blocks.{stage}.{block}.{kind}");
                    let hidden = (dim as f64 * ratio) as usize;
                    self.convolution(&format!("{base}.conv1.fn.dw"), dim, 1, 3);
                    self.norm(&format!("{base}.{attention}.norm"), dim);
                    self.linear(&format!("{base}.{attention}.fn.qkv"), 3 * dim, dim);
                    self.linear(&format!("{base}.{attention}.fn.proj"), dim, dim);
                    self.convolution(&format!("{base}.conv2.fn.dw"), dim, 1, 3);
                    self.norm(&format!("{base}.ffn.norm"), dim);
                    self.linear(&format!("{base}.ffn.fn.net.fc1"), hidden, dim);
                    self.linear(&format!("{base}.ffn.fn.net.fc2"), dim, hidden);
                }
            }
            previous = dim;
        }
        let projected = number(v, "projection_dim")?;
        let (positions, frames) = if v["image_pos_embed"].is_object() {
            let frames = number(&v["visual_temporal_embedding"], "max_temporal_embeddings")?;
            (number(&v["image_pos_embed"], "max_pos_embeddings")?, frames)
        } else {
            (number(v, "max_position_embeddings")?, number(v, "max_temporal_embeddings")?)
        };
        let (rows, columns) = (previous / 2, previous - previous / 2);
        self.push("image_projection".into(), &[previous, projected], 0.0, (3.0 / previous as f64).sqrt());
        self.norm("image_proj_norm", projected);
        self.push("image_pos_embed.row_embeddings.weight".into(), &[positions, rows], 0.0, 1.0);
        self.push("image_pos_embed.column_embeddings.weight".into(), &[positions, columns], 0.0, 1.0);
        self.push("visual_temporal_embed.pos_idx_to_embed".into(), &[frames, previous], 0.0, 0.0);
        Ok(())
    }

    fn language(&mut self, t: &Value, logits_bias: f64) -> io::Result<()> {
        let (d, vocabulary) = (number(t, "d_model")?, number(t, "vocab_size")?);
        self.push(EMBEDDING.into(), &[vocabulary, d], 0.0, EMBEDDING_BOUND);
        self.push(LOGITS_BIAS.into(), &[1, vocabulary], 0.0, logits_bias);
        for side in ["encoder", "decoder"] {
            let base = format!("language_model.model.{side}");
            let positions = number(t, "max_position_embeddings")? + 2;
            let hidden = number(t, &format!("{side}_ffn_dim"))?;
            let attentions = if side == "encoder" { &["self_attn"][..] } else { &["self_attn", "encoder_attn"][..] };
            self.push(format!("{base}.embed_positions.weight"), &[positions, d], 0.0, POSITION);
            self.norm(&format!("{base}.layernorm_embedding"), d);
            for index in 0..number(t, &format!("{side}_layers"))? {
                let layer = format!("{base}.layers.{index}");
                for attention in attentions {
                    for projection in ["q_proj", "k_proj", "v_proj", "out_proj"] {
                        self.linear(&format!("{layer}.{attention}.{projection}"), d, d);
                    }
                    self.norm(&format!("{layer}.{attention}_layer_norm"), d);
                }
                self.linear(&format!("{layer}.fc1"), hidden, d);
                self.linear(&format!("{layer}.fc2"), d, hidden);
                self.norm(&format!("{layer}.final_layer_norm"), d);
            }
        }
        Ok(())
    }
}

fn number(value: &Value, key: &str) -> io::Result<usize> {
    value[key].as_u64().map(|n| n as usize).ok_or_else(|| missing(key))
}

fn numbers(value: &Value, key: &str) -> io::Result<Vec<usize>> {
    let list = value[key].as_array().ok_or_else(|| missing(key))?;
    list.iter().map(|n| n.as_u64().map(|n| n as usize).ok_or_else(|| missing(key))).collect()
}

fn missing(key: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the configuration has no usable {key:?}"))
}
