//! The two layouts of checkpoints and their names (transformers, `convert_florence2_original_pytorch_to_hf.py`).

use std::borrow::Cow;

use crate::weights::Names;

/// The parameter that Microsoft's layout stores as `[in, out]`.
const PROJECTION: &str = "image_projection";

/// Who wrote the checkpoint's names. Microsoft's are the canonical ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// `microsoft/Florence-2-*`, made for the code that ships beside those weights.
    Microsoft,
    /// What transformers (4.56 and later) writes for its own Florence-2.
    Native,
}

/// The names, in Microsoft's layout, under which the one token embedding may be stored; any subset may be present.
pub const TOKEN_EMBEDDINGS: [&str; 4] = [
    "language_model.model.shared.weight",
    "language_model.model.encoder.embed_tokens.weight",
    "language_model.model.decoder.embed_tokens.weight",
    OUTPUT,
];

/// The output layer's matrix, which most checkpoints do not have: it is the token table then.
pub const OUTPUT: &str = "language_model.lm_head.weight";

/// Parts of names that differ, Microsoft's first; the first match of each group applies.
const PREFIXES: [(&str, &str); 7] = [
    ("vision_tower.", "model.vision_tower."),
    ("image_projection", "model.multi_modal_projector.image_projection.weight"),
    ("image_proj_norm.", "model.multi_modal_projector.image_proj_norm."),
    ("image_pos_embed.", "model.multi_modal_projector.image_position_embed."),
    ("visual_temporal_embed.", "model.multi_modal_projector.visual_temporal_embed."),
    ("language_model.model.", "model.language_model."),
    ("language_model.lm_head.", "lm_head."),
];
const PARTS: [(&str, &str); 7] = [
    (".fn.dw.", "."),
    (".window_attn.norm.", ".norm1."),
    (".channel_attn.norm.", ".norm1."),
    (".ffn.norm.", ".norm2."),
    (".window_attn.fn.", ".window_attn."),
    (".channel_attn.fn.", ".channel_attn."),
    (".ffn.fn.net.", ".ffn."),
];

impl Naming {
    /// The layout that a set of names belongs to, or nothing if they are those of another model.
    pub fn detect<'a>(mut names: impl Iterator<Item = &'a str>) -> Option<Self> {
        names.find_map(|name| match name {
            n if n.starts_with("model.vision_tower.") => Some(Naming::Native),
            n if n.starts_with("vision_tower.") => Some(Naming::Microsoft),
            _ => None,
        })
    }

    /// Is this, in either layout, a copy of the token table, or a table that is computed?
    pub fn is_spare(name: &str) -> bool {
        let computed = "visual_temporal_embed.pos_idx_to_embed";
        [Naming::Microsoft, Naming::Native]
            .into_iter()
            .any(|naming| TOKEN_EMBEDDINGS.into_iter().chain([computed]).any(|spare| naming.stored(spare) == name))
    }

    /// This layout's name of the tensor that Microsoft's layout calls `name`.
    pub fn name(self, name: &str) -> String {
        if self == Naming::Microsoft {
            return name.to_string();
        }
        if let Some(rest) = name.strip_prefix("vision_tower.convs.") {
            return format!("model.vision_tower.convs.{}", rest.replace(".proj.", ".conv."));
        }
        let mut native = name.to_string();
        if let Some((theirs, ours)) = PREFIXES.iter().find(|(theirs, _)| name.starts_with(theirs)) {
            native = format!("{ours}{}", &name[theirs.len()..]);
        }
        if let Some((theirs, ours)) = PARTS.iter().find(|(theirs, _)| native.contains(theirs)) {
            native = native.replace(theirs, ours);
        }
        native
    }
}

impl Names for Naming {
    fn stored<'a>(&self, canonical: &'a str) -> Cow<'a, str> {
        match self {
            Naming::Microsoft => Cow::Borrowed(canonical),
            Naming::Native => Cow::Owned(self.name(canonical)),
        }
    }

    fn is_transposed(&self, canonical: &str) -> bool {
        *self == Naming::Microsoft && canonical == PROJECTION
    }
}

impl std::str::FromStr for Naming {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "microsoft" => Ok(Naming::Microsoft),
            "native" => Ok(Naming::Native),
            _ => Err(format!("unknown layout {text:?}: microsoft or native")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn native_names_follow_the_conversion_script() {
        for (microsoft, native) in [
            ("vision_tower.convs.0.proj.weight", "model.vision_tower.convs.0.conv.weight"),
            ("vision_tower.convs.1.norm.bias", "model.vision_tower.convs.1.norm.bias"),
            (
                "vision_tower.blocks.2.8.spatial_block.conv1.fn.dw.weight",
                "model.vision_tower.blocks.2.8.spatial_block.conv1.weight",
            ),
            (
                "vision_tower.blocks.0.0.spatial_block.window_attn.norm.weight",
                "model.vision_tower.blocks.0.0.spatial_block.norm1.weight",
            ),
            (
                "vision_tower.blocks.0.0.channel_block.channel_attn.fn.qkv.bias",
                "model.vision_tower.blocks.0.0.channel_block.channel_attn.qkv.bias",
            ),
            (
                "vision_tower.blocks.0.0.channel_block.ffn.fn.net.fc1.weight",
                "model.vision_tower.blocks.0.0.channel_block.ffn.fc1.weight",
            ),
            ("image_projection", "model.multi_modal_projector.image_projection.weight"),
            (
                "image_pos_embed.row_embeddings.weight",
                "model.multi_modal_projector.image_position_embed.row_embeddings.weight",
            ),
            ("language_model.model.shared.weight", "model.language_model.shared.weight"),
            ("language_model.lm_head.weight", "lm_head.weight"),
        ] {
            assert_eq!(Naming::Native.name(microsoft), native);
            assert_eq!(Naming::Microsoft.name(microsoft), microsoft);
        }
    }
}
