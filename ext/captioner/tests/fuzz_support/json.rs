//! Damage to JSON that leaves it JSON: what a parser lets through is where a configuration begins to matter.

use serde_json::{json, Value};

use super::{damaged, Random};

/// A seed with some damage: to its bytes, or to its values. `skipped` bytes stand before the JSON.
pub fn damaged_json(seed: &[u8], other: &[u8], skipped: usize, random: &mut Random) -> Vec<u8> {
    let parsed = seed.get(skipped..).and_then(|text| serde_json::from_slice::<Value>(text).ok());
    match parsed {
        Some(mut value) if random.below(4) > 0 => {
            for _ in 0..1 + random.below(3) {
                change(&mut value, random);
            }
            [&seed[..skipped], value.to_string().as_bytes()].concat()
        }
        _ => damaged(seed, other, random),
    }
}

/// Walks down to some value and changes it; JSON in a string is walked into, too.
fn change(value: &mut Value, random: &mut Random) {
    match value {
        Value::Object(map) if !map.is_empty() && random.below(20) > 0 => {
            let key = map.keys().nth(random.below(map.len())).cloned().unwrap_or_default();
            if random.below(30) == 0 {
                map.remove(&key);
            } else if let Some(value) = map.get_mut(&key) {
                change(value, random);
            }
        }
        Value::Array(items) if !items.is_empty() && random.below(10) > 0 => {
            let at = random.below(items.len());
            match random.below(12) {
                0 => drop(items.remove(at)),
                1 => items.push(items[at].clone()),
                _ => change(&mut items[at], random),
            }
        }
        Value::String(text) if random.below(10) > 0 => match serde_json::from_str::<Value>(text) {
            Ok(mut inner @ (Value::Object(_) | Value::Array(_))) => {
                change(&mut inner, random);
                *text = inner.to_string();
            }
            _ => *value = other(value, random),
        },
        _ => *value = other(value, random),
    }
}

fn other(value: &Value, random: &mut Random) -> Value {
    let number = value.as_u64().unwrap_or(7);
    match random.below(18) {
        0 => json!(0),
        1 => json!(1),
        2 => json!(-1),
        3 => json!(number.wrapping_add(1)),
        4 => json!(number.wrapping_sub(1)),
        5 => json!(number.wrapping_mul(2)),
        6 => json!(number / 2),
        7 => json!(number.wrapping_add(1 << random.below(64))),
        8 => json!(u64::MAX),
        9 => json!(u32::MAX),
        10 => json!(1e300),
        11 => json!(-1e-40),
        12 => Value::Null,
        13 => json!(random.below(2) == 0),
        14 => json!("word"),
        15 => json!([number]),
        16 => json!({}),
        _ => json!(random.below(70_000)),
    }
}
