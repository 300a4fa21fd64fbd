//! What the rest of the library knows of this family.

use std::path::Path;
use std::sync::Arc;

use super::config::Config;
use super::names::Prefix;
use super::processor::{Processor, TASKS};
use super::Moondream2;
use crate::models::files::read_json;
use crate::models::{Family, Model, Parts};
use crate::text::{open_tokenizer, special_ids, Vocabulary};
use crate::weights::packed::Part;
use crate::weights::{Names, Scope};
use crate::{Error, Result};

/// Recipes, the smallest files first. Patches are few and everything passes them: they stay in 16 bits.
const RECIPES: &[(&str, &str)] = &[
    ("nf4", "all=nf4-64-double,embedding=int8,head=int8,vision.patch_emb=keep"),
    ("int8", "all=int8,vision.patch_emb=keep"),
    // What LLM.int8() would convert, a head left as it is: the layers of both towers and the projector.
    ("linears", "all=int8,embedding=keep,head=keep,vision.patch_emb=keep"),
];

/// moondream2.
pub static FAMILY: Family = Family {
    name: "moondream2",
    model_types: &["moondream1"],
    tasks: TASKS,
    takes_prompt: true,
    takes_image_splitting: false,
    recipes: RECIPES,
    part,
    // Points and boxes, which are no captions.
    spare: |name| name.strip_prefix("model.").unwrap_or(name).starts_with("region."),
    names: |tensors| Some(Box::new(Prefix::detect(tensors)?) as Box<dyn Names>),
    read,
    build,
    export: None,
};

fn part(name: &str) -> Option<Part> {
    match name {
        "text.wte" => Some(Part::Embedding),
        "text.lm_head.weight" => Some(Part::Head),
        name if name.starts_with("vision.") => Some(Part::Vision),
        name if name.starts_with("text.") => Some(Part::Decoder),
        _ => None,
    }
}

/// The name under which a packed file keeps `config.json`.
const CONFIG: &str = "config";

fn read(dir: &Path, _: &[&str]) -> Result<Parts> {
    let config: serde_json::Value = read_json(&dir.join("config.json"))?;
    let rows = Config::from_json(&config.to_string())?.config.text.vocab_size;
    let path = dir.join("tokenizer.json");
    let tokenizer = open_tokenizer(&path)?;
    let special = special_ids(&tokenizer);
    let mut parts = Parts::default();
    parts.put(CONFIG, &config)?;
    parts.put_vocabulary(&Vocabulary::of(&tokenizer, rows, |id| special.contains(&id))?);
    parts.put_tokenizer(std::fs::read(&path).map_err(|error| Error::reading(&path, &error))?);
    Ok(parts)
}

fn build(parts: &Parts, scope: Scope) -> Result<Arc<dyn Model>> {
    Ok(Arc::new(model(parts, scope)?))
}

/// The model itself, for those who know the family.
pub(super) fn model(parts: &Parts, scope: Scope) -> Result<Moondream2> {
    let config = Config::from_json(parts.text(CONFIG)?)?;
    let encoder = parts.encoder()?;
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
            ("text.lm_head.weight", Some(Part::Head)),
            ("text.blocks.0.mlp.fc1.weight", Some(Part::Decoder)),
            ("vision.blocks.0.mlp.fc1.weight", Some(Part::Vision)),
            ("vision.proj_mlp.fc2.weight", Some(Part::Vision)),
            ("region.coord_features", None),
        ] {
            assert_eq!(part(name), expected, "{name}");
        }
    }
}
