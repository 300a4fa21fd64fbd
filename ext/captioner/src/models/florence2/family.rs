//! What the rest of the library knows of this family.

use super::names::{Naming, TOKEN_EMBEDDINGS};
use super::parts;
use super::task::Task;
use crate::models::Family;
use crate::weights::packed::Part;
use crate::weights::Names;
use crate::Result;

/// Every matrix in NF4, blocksize 64, double quantization.
macro_rules! compact {
    () => {
        "all=nf4-64-double"
    };
}

/// The same, but int8 for the matrices that most of its errors come from and that are few: those that pixels and positions
/// pass on their way in, and those of the decoder that the image passes. docs/quality.md has the figures.
macro_rules! mixed {
    () => {
        concat!(
            compact!(),
            ",convolution=int8,vision_tower.blocks.0=int8,vision_tower.blocks.1=int8,image_projection=int8",
            ",language_model.model.*.embed_positions=int8",
            ",language_model.model.decoder.layers.*.encoder_attn.k_proj=int8",
            ",language_model.model.decoder.layers.*.encoder_attn.v_proj=int8",
            ",language_model.model.decoder.layers.*.encoder_attn.out_proj=int8"
        )
    };
}

/// Recipes, the smallest files first.
const RECIPES: &[(&str, &str)] = &[
    ("compact", compact!()),
    ("mixed", mixed!()),
    // The token table in int8 and patch convolutions as they are.
    ("balanced", concat!(compact!(), ",embedding=int8,convolution=keep")),
    // 4 bits for what reads the image and the prompt, 8 for what writes the caption.
    ("precise", concat!(mixed!(), ",decoder=int8,embedding=int8")),
    ("int8", "all=int8"),
];

/// Florence-2.
pub static FAMILY: Family = Family {
    name: "florence2",
    model_types: &["florence2"],
    tasks: &["<DETAILED_CAPTION>", "<CAPTION>", "<MORE_DETAILED_CAPTION>", "<OCR>"],
    takes_prompt: false,
    takes_image_splitting: false,
    recipes: RECIPES,
    part,
    names: |tensors| Some(Box::new(Naming::detect(tensors.iter().copied())?) as Box<dyn Names>),
    spare: Naming::is_spare,
    read: parts::read,
    build: parts::build,
    export: Some(super::export::export),
};

fn part(name: &str) -> Option<Part> {
    if TOKEN_EMBEDDINGS.contains(&name) {
        return Some(Part::Embedding);
    }
    let Some(text) = name.strip_prefix("language_model.") else { return Some(Part::Vision) };
    let inside = |part: &str| text.strip_prefix("model.").is_some_and(|text| text.starts_with(part));
    match (inside("encoder."), inside("decoder.")) {
        (true, _) => Some(Part::Encoder),
        (_, true) => Some(Part::Decoder),
        _ => None,
    }
}

/// Every task by name, the default first.
pub(super) fn task(name: Option<&str>) -> Result<Task> {
    name.unwrap_or(FAMILY.tasks[0]).parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKENS: &str = "language_model.model.shared.weight";
    const CONVOLUTION: &str = "vision_tower.convs.0.proj.weight";
    const LINEAR: &str = "vision_tower.blocks.1.0.channel_block.ffn.fn.net.fc1.weight";
    const INNER: &str = "vision_tower.blocks.2.0.spatial_block.window_attn.fn.qkv.weight";
    const PROJECTION: &str = "image_projection";
    const ENCODER: &str = "language_model.model.encoder.layers.0.fc1.weight";
    const DECODER: &str = "language_model.model.decoder.layers.0.fc1.weight";
    const QUERY: &str = "language_model.model.decoder.layers.5.encoder_attn.q_proj.weight";

    fn form(recipe: &str, name: &str) -> String {
        let shape: &[usize] = if name == CONVOLUTION { &[128, 3, 7, 7] } else { &[768, 768] };
        FAMILY.recipe(recipe).unwrap().form(name, shape, part(name)).to_string()
    }

    #[test]
    fn every_recipe_has_rules() {
        for (name, rules) in RECIPES {
            let recipe = FAMILY.recipe(name).unwrap();
            assert_eq!((recipe.name(), recipe.rules().as_str()), (*name, *rules));
        }
        let error = FAMILY.recipe("small").unwrap_err().to_string();
        assert!(error.contains("compact, mixed, balanced, precise, int8"), "{error}");
    }

    #[test]
    fn mixed_has_eight_bits_where_it_says() {
        let cross = ["k_proj", "v_proj", "out_proj"]
            .map(|layer| format!("language_model.model.decoder.layers.5.encoder_attn.{layer}.weight"));
        for name in cross.iter().map(String::as_str).chain([PROJECTION, CONVOLUTION, LINEAR]) {
            assert_eq!(form("mixed", name), "int8", "{name}");
        }
        for name in [QUERY, INNER, TOKENS, ENCODER, DECODER] {
            assert_eq!(form("mixed", name), "nf4-64-double", "{name}");
        }
    }

    #[test]
    fn precise_has_eight_bits_for_what_writes_the_caption() {
        for name in [TOKENS, DECODER, QUERY, CONVOLUTION] {
            assert_eq!(form("precise", name), "int8", "{name}");
        }
        for name in [ENCODER, INNER] {
            assert_eq!(form("precise", name), "nf4-64-double", "{name}");
        }
        for name in [TOKENS, DECODER, ENCODER, CONVOLUTION, PROJECTION] {
            assert_eq!(form("int8", name), "int8", "{name}");
        }
    }

    #[test]
    fn every_matrix_has_one_part() {
        for (name, expected) in [
            (TOKENS, Part::Embedding),
            ("language_model.model.encoder.embed_tokens.weight", Part::Embedding),
            (CONVOLUTION, Part::Vision),
            (PROJECTION, Part::Vision),
            (ENCODER, Part::Encoder),
            ("language_model.model.encoder.embed_positions.weight", Part::Encoder),
            (DECODER, Part::Decoder),
        ] {
            assert_eq!(part(name), Some(expected), "{name}");
        }
        assert_eq!(part("language_model.final_logits_bias"), None);
    }
}
