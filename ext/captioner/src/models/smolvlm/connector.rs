//! From patches to the text model's width (transformers, `Idefics3Connector`): squares of patches side by side, then a linear.

use candle_core::{Device, Tensor};

use super::config::Config;
use crate::nn::{with_values, Linear};
use crate::weights::Scope;
use crate::Result;

/// Pixel shuffle and projection.
pub struct Connector {
    proj: Linear,
    grid: usize,
    scale: usize,
}

impl Connector {
    /// Reads `modality_projection.proj` at `scope`.
    pub fn load(config: &Config, scope: Scope) -> Result<Self> {
        let inputs = config.vision_config.hidden_size * config.scale_factor.pow(2);
        let proj = Linear::load(inputs, config.text_config.hidden_size, false, scope.pp("modality_projection.proj"))?;
        Ok(Self { proj, grid: config.grid(), scale: config.scale_factor })
    }

    /// One image's patches `[grid * grid, channels]` to tokens `[image_seq_len, hidden]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let shuffled = with_values(x, |x| self.shuffle(x))?;
        let tokens = (self.grid / self.scale).pow(2);
        let channels = shuffled.len() / tokens;
        self.proj.forward(&Tensor::from_vec(shuffled, (tokens, channels), &Device::Cpu)?)
    }

    /// Each square of `scale * scale` patches, row by row within it, becomes one token.
    fn shuffle(&self, x: &[f32]) -> Vec<f32> {
        let (grid, scale) = (self.grid, self.scale);
        let channels = x.len() / (grid * grid);
        let mut out = Vec::with_capacity(x.len());
        for row in 0..grid / scale {
            for col in 0..grid / scale {
                for i in 0..scale {
                    let first = (row * scale + i) * grid + col * scale;
                    out.extend_from_slice(&x[first * channels..(first + scale) * channels]);
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{Buffer, Matrix, Storage};
    use crate::quant::FloatType;

    #[test]
    fn squares_of_patches_lie_side_by_side() {
        let weight = Matrix::new(1, 4, Storage::Float(FloatType::F32, Buffer::owned(vec![0; 16]))).unwrap();
        let connector = Connector { proj: Linear::new(weight, None), grid: 4, scale: 2 };
        let patches: Vec<f32> = (0..16).map(|patch| patch as f32).collect();
        let expected = [0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15].map(|patch| patch as f32);
        assert_eq!(connector.shuffle(&patches), expected);
    }
}
