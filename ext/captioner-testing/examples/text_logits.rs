//! What the text half of a SmolVLM says of given sentences, for comparison with a reference
//! (`research/reference/smollm2`): `text_logits MODEL REFERENCE.safetensors OUT.safetensors [COMPUTE]`. MODEL is a folder or a
//! packed file, COMPUTE is exact unless given. The files' format is in `research/reference/smollm2/logits.py`.

use std::path::Path;

use captioner::blocks::CausalDecoder;
use captioner::kernels::{log_sum_exp, ActivationScales, Compute};
use captioner::models::smolvlm::{decoder, Config};
use captioner::nn::{with_values, Embedding, Linear};
use captioner::runtime;
use captioner::weights::packed::Packed;
use captioner::weights::{Checkpoint, Scope, Source};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, reference, out, rest @ ..] = arguments.as_slice() else {
        return Err("text_logits MODEL REFERENCE.safetensors OUT.safetensors [COMPUTE]".into());
    };
    let compute = rest.first().map_or(Ok(Compute::Exact), |name| name.parse())?;
    runtime::pool()?.install(|| run(Path::new(model), Path::new(reference), Path::new(out), compute))
}

struct Text {
    tokens: Embedding,
    decoder: CausalDecoder,
    head: Linear,
    vocabulary: usize,
}

fn load(path: &Path, compute: Compute) -> Result<Text> {
    let (source, config): (Box<dyn Source>, Config) = if path.is_file() {
        let packed = Packed::open(path, true)?;
        let config = serde_json::from_str(packed.metadata("config")?)?;
        (Box::new(packed), config)
    } else {
        (Box::new(Checkpoint::open(path, true)?), Config::read(path)?)
    };
    let text = &config.text_config;
    let root = Scope::root(source.as_ref(), compute).scaling(ActivationScales::PerBlock);
    let scope = root.pp("model.text_model");
    let table = scope.pp("embed_tokens").matrix("weight", text.vocab_size, text.hidden_size)?;
    let head = match config.tie_word_embeddings {
        true => table.clone(),
        false => root.pp("lm_head").matrix("weight", text.vocab_size, text.hidden_size)?,
    };
    let decoder = decoder(&config, scope)?;
    Ok(Text { tokens: Embedding::new(table, 1.0), decoder, head: Linear::new(head, None), vocabulary: text.vocab_size })
}

impl Text {
    /// The logits after each token of a sentence, one row at a time.
    fn each_logits(&self, ids: &[i32], mut row: impl FnMut(&[f32])) -> captioner::Result<()> {
        let embed = |id: i32| self.tokens.forward([id as usize]);
        let mut prefill = self.decoder.start(embed(ids[0])?, 0)?;
        while prefill.layers() < self.decoder.layers() {
            self.decoder.layer(&mut prefill)?;
        }
        let (mut hidden, mut state) = self.decoder.finish(&prefill)?;
        for next in ids[1..].iter().map(Some).chain([None]) {
            with_values(&self.head.forward(&hidden)?, |logits| row(&logits[..self.vocabulary]))?;
            if let Some(next) = next {
                hidden = self.decoder.step(&embed(*next)?, &mut state)?;
            }
        }
        Ok(())
    }
}

fn integers(file: &SafeTensors, name: &str) -> Result<Vec<i32>> {
    let tensor = file.tensor(name)?;
    let size = tensor.dtype().bitsize() / 8;
    Ok(tensor.data().chunks_exact(size).map(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
}

fn run(model: &Path, reference: &Path, out: &Path, compute: Compute) -> Result<()> {
    let text = load(model, compute)?;
    let bytes = std::fs::read(reference)?;
    let file = SafeTensors::deserialize(&bytes)?;
    let (ids, starts) = (integers(&file, "input_ids")?, integers(&file, "starts")?);
    let (top, width) = (integers(&file, "top_ids")?, file.tensor("top_ids")?.shape()[1]);
    let (mut argmax, mut top_logits, mut sums, mut next_logit) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for sentence in starts.windows(2) {
        let range = sentence[0] as usize..sentence[1] as usize;
        let mut position = range.start;
        text.each_logits(&ids[range.clone()], |logits| {
            let best = (0..logits.len()).rev().max_by(|a, b| logits[*a].total_cmp(&logits[*b]));
            argmax.push(best.unwrap_or_default() as i32);
            top_logits.extend(top[position * width..][..width].iter().map(|id| logits[*id as usize]));
            sums.push(log_sum_exp(logits));
            position += 1;
            next_logit.push(if position < range.end { logits[ids[position] as usize] } else { 0.0 });
        })?;
    }
    let floats = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let numbers = |values: &[i32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let count = ids.len();
    let tensors = [
        ("input_ids", Dtype::I32, vec![count], numbers(&ids)),
        ("starts", Dtype::I64, vec![starts.len()], starts.iter().flat_map(|v| i64::from(*v).to_le_bytes()).collect()),
        ("argmax", Dtype::I32, vec![count], numbers(&argmax)),
        ("top_logits", Dtype::F32, vec![count, width], floats(&top_logits)),
        ("logsumexp", Dtype::F32, vec![count], floats(&sums)),
        ("next_logit", Dtype::F32, vec![count], floats(&next_logit)),
    ];
    let views =
        tensors.iter().map(|(name, dtype, shape, bytes)| Ok((*name, TensorView::new(*dtype, shape.clone(), bytes)?)));
    let views = views.collect::<std::result::Result<Vec<_>, safetensors::SafeTensorError>>()?;
    safetensors::serialize_to_file(views, None, out)?;
    Ok(())
}
