//! What the rest of the library knows of this family.

use super::parts;
use crate::models::Family;
use crate::weights::packed::Part;
use crate::weights::{Canonical, Names};

/// SmolVLM and what it grew from, Idefics3.
pub static FAMILY: Family = Family {
    name: "smolvlm",
    model_types: &["idefics3", "smolvlm"],
    tasks: &["<DESCRIPTION>"],
    takes_prompt: true,
    takes_image_splitting: true,
    recipes: &[
        ("int8", "all=int8"),
        // What bitsandbytes quantizes.
        ("linears", "vision=int8,decoder=int8,convolution=keep"),
        ("nf4", "all=nf4-64-double,convolution=int8,embedding=int8,head=int8"),
    ],
    part,
    names: |tensors| {
        let is_own = tensors.iter().any(|name| name.starts_with("model.connector.modality_projection."));
        is_own.then(|| Box::new(Canonical) as Box<dyn Names>)
    },
    // Of a head that is the token table some files have a copy, and of tables that are computed old ones.
    spare: |name| name == "lm_head.weight" || name.ends_with(".rotary_emb.inv_freq") || name.ends_with(".position_ids"),
    read: parts::read,
    build: parts::build,
    export: Some(super::export::export),
};

fn part(name: &str) -> Option<Part> {
    let begins = |start: &str| name.starts_with(start);
    Some(match name {
        _ if begins("model.vision_model.") || begins("model.connector.") => Part::Vision,
        _ if begins("model.text_model.embed_tokens.") => Part::Embedding,
        _ if begins("model.text_model.") => Part::Decoder,
        _ if begins("lm_head.") => Part::Head,
        _ => return None,
    })
}
