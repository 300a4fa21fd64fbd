//! What the golden values of every family have in common: what is stored of a tensor, and how far off ours is.
// Each test file uses a part of this.
#![allow(dead_code)]

use captioner::captioner::Run;
use captioner::nn::with_values;
use safetensors::SafeTensors;
use serde::Deserialize;

/// Tensors of more than `whole` values are stored as `samples` of them, `step` apart.
#[derive(Deserialize)]
pub struct Sampling {
    whole: usize,
    samples: usize,
    step: usize,
}

impl Sampling {
    /// What is stored of a tensor.
    fn of(&self, values: &[f32]) -> Vec<f32> {
        match values.len() > self.whole {
            true => (0..self.samples).map(|i| values[i * self.step % values.len()]).collect(),
            false => values.to_vec(),
        }
    }

    /// [`relative_error`] over the stored values of the tensor `name`.
    pub fn relative_error(&self, golden: &SafeTensors, name: &str, ours: &[f32]) -> f64 {
        let theirs = stored(golden, name);
        assert_eq!(self.of(ours).len(), theirs.len(), "values of {name}");
        relative_error(&self.of(ours), &theirs)
    }
}

/// The values of an f32 tensor.
pub fn stored(golden: &SafeTensors, name: &str) -> Vec<f32> {
    let tensor = golden.tensor(name).unwrap_or_else(|_| panic!("no golden {name}"));
    tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

/// ‖ours - reference‖₂ / ‖reference‖₂.
pub fn relative_error(ours: &[f32], theirs: &[f32]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let difference = norm(&mut ours.iter().zip(theirs).map(|(a, b)| f64::from(a - b)));
    difference / norm(&mut theirs.iter().map(|v| f64::from(*v)))
}

/// Runs up to the first logits and gives every stage by the reference's name.
pub fn until_first_logits(run: &mut Run) -> Vec<(String, Vec<f32>)> {
    let mut stages = Vec::new();
    loop {
        run.step().unwrap();
        let Some((name, values)) = run.tap() else { continue };
        let last = name == "logits";
        stages.push((name, with_values(values, <[f32]>::to_vec).unwrap()));
        if last {
            return stages;
        }
    }
}
