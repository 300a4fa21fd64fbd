//! The index of weights that are in several files (`model.safetensors.index.json`): which files those are.

use std::collections::BTreeSet;

use crate::foreign;

/// Ends the name of an index.
pub const INDEX: &str = ".safetensors.index.json";
/// Published checkpoints of hundreds of gigabytes have some two hundred.
const MOST: usize = 1000;

/// The files that an index lists, all in its own folder; or what is wrong with it.
pub fn listed(index: &[u8]) -> Result<BTreeSet<String>, String> {
    if let Some(disguise) = foreign::disguise(index) {
        return Err(disguise.into());
    }
    let json: serde_json::Value = serde_json::from_slice(index).map_err(|error| format!("is damaged: {error}"))?;
    let map = json["weight_map"].as_object().ok_or("has no weight_map")?;
    let names: BTreeSet<String> = map.values().filter_map(serde_json::Value::as_str).map(String::from).collect();
    let is_file = |name: &String| !name.contains(['/', '\\', '\0']) && name.ends_with(".safetensors");
    match names.iter().find(|name| !is_file(name)) {
        Some(name) => Err(format!("lists {name:?}, which is no file of weights in its folder")),
        None if names.is_empty() || names.len() > MOST => Err(format!("lists {} files", names.len())),
        None => Ok(names),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_lists_files_of_its_folder() {
        let two = listed(br#"{"weight_map": {"a": "2.safetensors", "b": "1.safetensors", "c": "2.safetensors"}}"#);
        assert_eq!(two.unwrap().into_iter().collect::<Vec<_>>(), ["1.safetensors", "2.safetensors"]);
        for (index, what) in [
            (r#"{"weight_map": {"a": "../../secret.safetensors"}}"#, "lists"),
            (r#"{"weight_map": {"a": "weights.bin"}}"#, "lists"),
            (r#"{"weight_map": {}}"#, "lists 0 files"),
            (r#"{"metadata": {}}"#, "has no weight_map"),
            ("[", "is damaged"),
            ("<html>", "web page"),
        ] {
            assert!(listed(index.as_bytes()).unwrap_err().contains(what), "{index}");
        }
    }
}
