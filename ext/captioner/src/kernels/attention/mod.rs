//! Attention in the shapes that the models have.
//!
//! - `streamed.rs`: many tokens to many, masked or not (windows, vision towers, an encoder, a prompt)
//! - `shared.rs`: a few rows to tokens that stay (decoder to encoder)
//! - `channels.rs`: among channels (DaViT)
//! - `written.rs`: a new token to those written before it
//! - `prefixed.rs`: a new token to a shared prefix and to those written before it

mod channels;
mod prefixed;
mod shared;
mod streamed;
mod written;

pub use channels::{add_channel_scores, mix_channels};
pub use prefixed::{attend_prefixed, Written};
pub use shared::{attend_shared, turn_keys};
pub use streamed::{attend_streamed, Keys, Mask, Streamed};
pub use written::attend_written;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::panels::tests::values;
    use crate::kernels::Arithmetic;
    use half::f16;

    #[test]
    fn streamed_shared_and_written_attention_agree() {
        for tokens in [1, 11, 64, 150] {
            let width = 24;
            let qkv = values(tokens * 72, 7);
            let shape =
                Streamed { queries: tokens, keys: tokens, dim: 8, q_stride: 72, kv_stride: 72, out_stride: width };
            let mut out = vec![0.0; tokens * width];
            for at in [0, 8, 16] {
                let (q, k, v) = (&qkv[at..], &qkv[24 + at..], &qkv[48 + at..]);
                attend_streamed(q, k, v, shape, Mask::None, 0.3, Arithmetic::F32, &mut out[at..]);
            }
            let keys: Vec<&[f32]> = qkv.chunks_exact(72).map(|r| &r[24..48]).collect();
            let values: Vec<&[f32]> = qkv.chunks_exact(72).map(|r| &r[48..]).collect();
            for t in 0..tokens {
                let (mut row, mut scores) = (vec![0.0; width], vec![0.0; tokens]);
                for (head, row) in row.chunks_exact_mut(8).enumerate() {
                    let q = &qkv[t * 72 + head * 8..][..8];
                    attend_written(q, &keys, &values, head * 8, 0.3, &mut scores, row);
                }
                assert!(row.iter().zip(&out[t * width..]).all(|(a, b)| (a - b).abs() < 1e-5), "written, row {t}");
            }
            let half = |values: &[f32]| values.iter().map(|v| f16::from_f32(*v)).collect::<Vec<_>>();
            for at in [0, 8, 16] {
                let mut keys = vec![0.0; tokens * 8];
                turn_keys(&qkv[24 + at..], 72, 8, &mut keys);
                let values: Vec<f32> = qkv.chunks_exact(72).flat_map(|row| &row[48 + at..][..8]).copied().collect();
                let (mut head, mut rounded) = (vec![0.0; tokens * 8], vec![0.0; tokens * 8]);
                attend_shared(&qkv[at..], 72, &keys, &values, 8, 0.3, &mut head);
                attend_shared(&qkv[at..], 72, &half(&keys), &half(&values), 8, 0.3, &mut rounded);
                for ((row, rounded), all) in head.chunks(8).zip(rounded.chunks(8)).zip(out.chunks_exact(width)) {
                    assert!(row.iter().zip(&all[at..]).all(|(a, b)| (a - b).abs() < 1e-5), "shared, head at {at}");
                    assert!(rounded.iter().zip(&all[at..]).all(|(a, b)| (a - b).abs() < 2e-3), "f16, head at {at}");
                }
            }
        }
    }
}
