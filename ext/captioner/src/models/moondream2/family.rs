//! What the rest of the library knows of this family.

use std::path::Path;
use std::sync::Arc;

use super::config::Config;
use super::names::Prefix;
use super::processor::{Processor, TASKS};
use super::Moondream2;
use crate::kernels::Buffer;
use crate::models::{Family, Model, Parts};
use crate::text::{byte_level, TextEncoder, Vocabulary};
use crate::weights::packed::Part;
use crate::weights::{Names, Scope};
use crate::{Error, Result};

/// Recipes, the smallest files first. Patches are few and everything passes them: they stay in 16 bits.
const RECIPES: &[(&str, &str)] = &[
    ("nf4", "all=nf4-64-double,text.wte=int8,text.lm_head=int8,vision.patch_emb=keep"),
    ("int8", "all=int8,vision.patch_emb=keep"),
    // What LLM.int8() would convert, a head left as it is: the layers of both towers and the projector.
    ("linears", "all=int8,text.wte=keep,text.lm_head=keep,vision.patch_emb=keep"),
];

/// moondream2.
pub static FAMILY: Family = Family {
    name: "moondream2",
    model_types: &["moondream1"],
    tasks: TASKS,
    recipes: RECIPES,
    part,
    names: |tensors| Some(Box::new(Prefix::detect(tensors)?) as Box<dyn Names>),
    read,
    build,
};

fn part(name: &str) -> Option<Part> {
    match name {
        // The output layer is as large as the table, and packed like it.
        "text.wte" | "text.lm_head.weight" => Some(Part::Embedding),
        name if name.starts_with("vision.") => Some(Part::Vision),
        name if name.starts_with("text.") => Some(Part::Decoder),
        _ => None,
    }
}

/// The name under which a packed file keeps `config.json`.
const CONFIG: &str = "config";

fn read(dir: &Path, _: &[&str]) -> Result<Parts> {
    let path = dir.join("config.json");
    let text = std::fs::read_to_string(&path).map_err(|error| Error::reading(&path, &error))?;
    let config = Config::from_json(&text)?;
    let path = dir.join("tokenizer.json");
    let tokenizer = byte_level(&path)?;
    let added = tokenizer.get_added_tokens_decoder();
    let is_special = |id: u32| added.get(&id).is_some_and(|token| token.special);
    let rows = config.config.text.vocab_size;
    let mut parts = Parts::default();
    parts.put(CONFIG, &serde_json::from_str::<serde_json::Value>(&text).unwrap_or_default())?;
    parts.put_vocabulary(&Vocabulary::of(&tokenizer, rows, is_special)?);
    parts.put_tokenizer(std::fs::read(&path).map_err(|error| Error::reading(&path, &error))?);
    Ok(parts)
}

fn build(parts: &Parts, scope: Scope) -> Result<Arc<dyn Model>> {
    Ok(Arc::new(model(parts, scope)?))
}

/// The model itself, for those who know the family.
pub(super) fn model(parts: &Parts, scope: Scope) -> Result<Moondream2> {
    let config = Config::from_json(parts.text(CONFIG)?)?;
    let encoder = TextEncoder::new(Buffer::clone(parts.tokenizer()?));
    let processor = Processor::new(&config, parts.vocabulary()?, encoder);
    Moondream2::build(config, processor, scope)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(recipe: &str, name: &str) -> String {
        FAMILY.recipe(recipe).unwrap().form(name, &[64, 64], part(name)).to_string()
    }

    #[test]
    fn recipes_say_what_becomes_of_table_head_and_patches() {
        let linears = [
            "vision.blocks.26.attn.qkv.weight",
            "vision.proj_mlp.fc1.weight",
            "text.blocks.0.attn.proj.weight",
            "text.blocks.23.mlp.fc2.weight",
        ];
        for (recipe, linear, table) in
            [("nf4", "nf4-64-double", "int8"), ("int8", "int8", "int8"), ("linears", "int8", "keep")]
        {
            for name in linears {
                assert_eq!(form(recipe, name), linear, "{recipe}: {name}");
            }
            for name in ["text.wte", "text.lm_head.weight"] {
                assert_eq!(form(recipe, name), table, "{recipe}: {name}");
            }
            assert_eq!(form(recipe, "vision.patch_emb.weight"), "keep", "{recipe}");
        }
    }

    #[test]
    fn every_matrix_has_one_part() {
        for (name, expected) in [
            ("text.wte", Some(Part::Embedding)),
            ("text.lm_head.weight", Some(Part::Embedding)),
            ("text.blocks.0.mlp.fc1.weight", Some(Part::Decoder)),
            ("vision.blocks.0.mlp.fc1.weight", Some(Part::Vision)),
            ("vision.proj_mlp.fc2.weight", Some(Part::Vision)),
            ("region.coord_features", None),
        ] {
            assert_eq!(part(name), expected, "{name}");
        }
    }
}
