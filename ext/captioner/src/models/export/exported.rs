use serde_json::Value;

use super::held::Held;

/// What a family makes of a model for others.
pub struct Exported {
    /// JSON files by name.
    pub files: Vec<(&'static str, Value)>,
    /// Tensors by the names that others give them.
    pub tensors: Vec<(String, Held)>,
}
