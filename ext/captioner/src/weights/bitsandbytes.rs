//! The names and bytes under which bitsandbytes stores a weight in a safetensors file: reading and writing.
//! A 4-bit one is
//!
//! ```text
//! {name}                                       u8 [ceil(len / 2), 1]   codes
//! {name}.absmax                                f32 [blocks], or u8 [blocks] under double quantization
//! {name}.quant_map                             f32 [16]                the code table
//! {name}.nested_absmax                         f32 [blocks / 256]      double quantization only
//! {name}.nested_quant_map                      f32 [256]               double quantization only
//! {name}.quant_state.bitsandbytes__{nf4|fp4}   u8 [..]                 JSON: block sizes, shape, dtype, offset
//! ```
//!
//! An 8-bit weight (LLM.int8) is
//!
//! ```text
//! {layer}.weight                               i8 [out, in]            codes
//! {layer}.SCB                                  f32 [out]               the largest magnitude of each row
//! {layer}.weight_format                        u8 []                   0: row-major
//! ```
//!
//! Source: `QuantState` in bitsandbytes' `functional.py`, which transformers saves and loads through `Params4bit`.

use std::borrow::Cow;
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView, View};
use serde::{Deserialize, Serialize};

use crate::quant::{Codebook, FloatType, Floats, QuantizedRef, ScalesRef, Scheme, NESTED_BLOCKSIZE};
use crate::{Error, Result};

/// A 4-bit weight of a checkpoint, still in the file's bytes.
#[derive(Debug, Clone)]
pub struct Weight<'a> {
    /// Shape of the matrix, `[out, in]` for a linear layer.
    pub shape: Vec<usize>,
    /// What the weight was before, and what bitsandbytes decodes it to.
    pub dtype: FloatType,
    /// The row-major values.
    pub values: QuantizedRef<'a>,
}

/// The JSON tensor. Fields that the arithmetic does not need have defaults, as older releases left some out.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    quant_type: String,
    blocksize: usize,
    dtype: String,
    shape: Vec<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nested_blocksize: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nested_dtype: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nested_offset: Option<f64>,
}

const DTYPES: [(&str, FloatType); 3] =
    [("float16", FloatType::F16), ("bfloat16", FloatType::Bf16), ("float32", FloatType::F32)];

fn state_name(name: &str, code: Codebook) -> String {
    format!("{name}.quant_state.bitsandbytes__{}", code.name())
}

/// The code table of the weight `name`, or nothing if bitsandbytes did not quantize it to 4 bits.
pub fn codebook(name: &str, contains: impl Fn(&str) -> bool) -> Option<Codebook> {
    [Codebook::Nf4, Codebook::Fp4].into_iter().find(|code| contains(&state_name(name, *code)))
}

/// Ends the name of an 8-bit weight's scales.
pub const ROW_SCALES: &str = ".SCB";

/// The name of the scales of the 8-bit weight `name`.
pub fn row_scales(name: &str) -> String {
    format!("{}{ROW_SCALES}", name.strip_suffix(".weight").unwrap_or(name))
}

/// Is the tensor `name` a part of how bitsandbytes stores a weight that `is_weight` knows by its name?
pub fn owner(name: &str, is_weight: impl Fn(&str) -> bool) -> bool {
    let states = [Codebook::Nf4, Codebook::Fp4].map(|code| state_name("", code));
    let parts = [".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map", &states[0], &states[1]];
    let of_blocks = parts.iter().filter_map(|end| name.strip_suffix(end)).any(&is_weight);
    let layer = name.strip_suffix(ROW_SCALES).or_else(|| name.strip_suffix(".weight_format"));
    of_blocks || layer.is_some_and(|layer| is_weight(&format!("{layer}.weight")))
}

/// The name under which an 8-bit weight's order is stored.
pub fn row_format(name: &str) -> String {
    format!("{name}_format")
}

/// Is `name` the state of a 4-bit weight, so that its file is one that bitsandbytes quantized?
pub fn is_state(name: &str) -> bool {
    [Codebook::Nf4, Codebook::Fp4].into_iter().any(|code| name.ends_with(&state_name("", code)))
}

/// Reads the 4-bit weight `name` out of the tensors that `get` finds. `file` is for messages.
///
/// # Errors
/// `CorruptModel` naming tensor and file if a part is missing or does not fit the others, or if a scale is not finite.
pub fn read<'a>(file: &Path, name: &str, get: impl Fn(&str) -> Option<TensorView<'a>>) -> Result<Weight<'a>> {
    let parts = Parts { file, get };
    let code = codebook(name, |name| (parts.get)(name).is_some())
        .ok_or_else(|| parts.corrupt(name, "has no bitsandbytes quant_state"))?;
    let key = state_name(name, code);
    let state: State = serde_json::from_slice(parts.tensor(&key, Dtype::U8)?.data())
        .map_err(|error| parts.corrupt(&key, &format!("is not a quantization state ({error})")))?;
    if state.quant_type != code.name() {
        return Err(parts.corrupt(&key, &format!("speaks of {}", state.quant_type)));
    }
    let dtype = DTYPES.iter().find(|(name, _)| *name == state.dtype).map(|(_, dtype)| *dtype);
    let dtype = dtype.ok_or_else(|| parts.corrupt(&key, &format!("has the unknown dtype {}", state.dtype)))?;
    let len = state.shape.iter().try_fold(1usize, |len, side| len.checked_mul(*side)).filter(|len| *len > 0);
    let len = len.ok_or_else(|| parts.corrupt(&key, &format!("has the impossible shape {:?}", state.shape)))?;
    let table = parts.floats(&format!("{name}.quant_map"))?;
    if table.len() != 16 || (0..16).any(|i| (table.get(i) - code.values()[i]).abs() > 1e-6) {
        return Err(parts.corrupt(&format!("{name}.quant_map"), &format!("is not the table of {}", code.name())));
    }
    let scales = parts.scales(name, &key, &state)?;
    let double = matches!(scales, ScalesRef::Double { .. });
    let scheme =
        Scheme::new(code, state.blocksize, double).map_err(|error| parts.corrupt(&key, &format!("says {error}")))?;
    let codes = (parts.get)(name).ok_or_else(|| parts.corrupt(name, "is missing"))?.data();
    let values = QuantizedRef::new(scheme, len, codes, scales)
        .map_err(|error| parts.corrupt(name, &format!("of shape {:?} holds {error}", state.shape)))?;
    Ok(Weight { shape: state.shape, dtype, values })
}

/// The tensors of a file, with errors that name them.
struct Parts<'f, G> {
    file: &'f Path,
    get: G,
}

impl<'a, G: Fn(&str) -> Option<TensorView<'a>>> Parts<'_, G> {
    fn corrupt(&self, name: &str, what: &str) -> Error {
        Error::CorruptModel(format!("tensor {name} in {} {what}; fetch the file again", self.file.display()))
    }

    fn tensor(&self, name: &str, dtype: Dtype) -> Result<TensorView<'a>> {
        let tensor = (self.get)(name).ok_or_else(|| self.corrupt(name, "is missing"))?;
        if tensor.dtype() != dtype {
            return Err(self.corrupt(name, &format!("has dtype {:?} instead of {dtype:?}", tensor.dtype())));
        }
        Ok(tensor)
    }

    /// An f32 tensor, all of whose values are finite.
    fn floats(&self, name: &str) -> Result<Floats<'a>> {
        let floats = Floats::Bytes(FloatType::F32, self.tensor(name, Dtype::F32)?.data());
        match (0..floats.len()).find(|i| !floats.get(*i).is_finite()) {
            Some(i) => Err(self.corrupt(name, &format!("holds {} at {i}", floats.get(i)))),
            None => Ok(floats),
        }
    }

    fn scales(&self, name: &str, key: &str, state: &State) -> Result<ScalesRef<'a>> {
        let absmax = format!("{name}.absmax");
        if (self.get)(&format!("{name}.nested_absmax")).is_none() {
            if state.nested_offset.is_some() {
                return Err(self.corrupt(&format!("{name}.nested_absmax"), "is missing"));
            }
            return Ok(ScalesRef::Plain(self.floats(&absmax)?));
        }
        let offset = state.nested_offset.map(|offset| offset as f32).filter(|offset| offset.is_finite());
        let offset = offset.ok_or_else(|| self.corrupt(key, "has no usable nested_offset"))?;
        if state.nested_blocksize != Some(NESTED_BLOCKSIZE) {
            return Err(self.corrupt(key, &format!("has the nested_blocksize {:?}", state.nested_blocksize)));
        }
        Ok(ScalesRef::Double {
            q: self.tensor(&absmax, Dtype::U8)?.data(),
            absmax2: self.floats(&format!("{name}.nested_absmax"))?,
            offset,
            map: self.floats(&format!("{name}.nested_quant_map"))?,
        })
    }
}

/// One tensor to be written; `safetensors::serialize` takes pairs of name and part.
#[derive(Debug, Clone)]
pub struct Part<'a> {
    dtype: Dtype,
    shape: Vec<usize>,
    data: Cow<'a, [u8]>,
}

impl<'a> Part<'a> {
    /// A tensor that does not belong to a 4-bit weight.
    pub fn new(dtype: Dtype, shape: Vec<usize>, data: &'a [u8]) -> Self {
        Self { dtype, shape, data: data.into() }
    }
}

impl View for Part<'_> {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.data)
    }

    fn data_len(&self) -> usize {
        self.data.len()
    }
}

/// The tensors, under bitsandbytes' names, of a 4-bit weight called `name`. A file of them needs the metadata
/// `format: pt`, and the model's `config.json` a `quantization_config`, for transformers to load it.
///
/// # Errors
/// `InvalidArgument` for a code table that bitsandbytes does not have, or a shape of another size.
pub fn write<'a>(name: &str, weight: &Weight<'a>) -> Result<Vec<(String, Part<'a>)>> {
    let values = &weight.values;
    let scheme = values.scheme();
    if scheme.code() == Codebook::Int4 || weight.shape.iter().product::<usize>() != values.len() {
        return Err(Error::InvalidArgument(format!(
            "{name}: {} values of {} in shape {:?} have no bitsandbytes form",
            values.len(),
            scheme.code().name(),
            weight.shape
        )));
    }
    let dtype = DTYPES.iter().find(|(_, dtype)| *dtype == weight.dtype).map_or("float32", |(name, _)| name);
    let mut state = State {
        quant_type: scheme.code().name().into(),
        blocksize: scheme.blocksize(),
        dtype: dtype.into(),
        shape: weight.shape.clone(),
        nested_blocksize: None,
        nested_dtype: None,
        nested_offset: None,
    };
    let codes = Part { dtype: Dtype::U8, shape: vec![values.codes().len(), 1], data: values.codes().into() };
    let mut parts = vec![(name.to_string(), codes), (format!("{name}.quant_map"), floats(scheme.code().values()))];
    match values.scales() {
        ScalesRef::Plain(scales) => parts.push((format!("{name}.absmax"), floats(&scales.to_vec()))),
        ScalesRef::Double { q, absmax2, offset, map } => {
            state.nested_blocksize = Some(NESTED_BLOCKSIZE);
            state.nested_dtype = Some("float32".into());
            state.nested_offset = Some(offset.into());
            parts.push((format!("{name}.absmax"), bytes(q.into())));
            parts.push((format!("{name}.nested_absmax"), floats(&absmax2.to_vec())));
            parts.push((format!("{name}.nested_quant_map"), floats(&map.to_vec())));
        }
    }
    let json = serde_json::to_vec(&state).map_err(|error| Error::Internal(format!("{name}: {error}")))?;
    parts.push((state_name(name, scheme.code()), bytes(json.into())));
    Ok(parts)
}

fn bytes(data: Cow<'_, [u8]>) -> Part<'_> {
    Part { dtype: Dtype::U8, shape: vec![data.len()], data }
}

fn floats(values: &[f32]) -> Part<'static> {
    let data = values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    Part { dtype: Dtype::F32, shape: vec![values.len()], data: data.into() }
}
