use std::ops::Range;

use candle_core::{Device, Tensor};

use crate::nn::{with_values, Embedding};
use crate::{Error, Result};

/// Token ids, some of which only keep room for rows that come from images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    ids: Vec<u32>,
    /// Where the rows of images belong, in order.
    slots: Vec<Range<usize>>,
}

/// A [`Prompt`] in the making.
#[derive(Debug, Default)]
pub struct PromptBuilder {
    ids: Vec<u32>,
    slots: Vec<Range<usize>>,
}

impl PromptBuilder {
    /// Tokens as they are.
    pub fn ids(&mut self, ids: &[u32]) -> &mut Self {
        self.ids.extend_from_slice(ids);
        self
    }

    /// Room for `rows` rows of an image; `id` stands in their place.
    pub fn image(&mut self, id: u32, rows: usize) -> &mut Self {
        let start = self.ids.len();
        self.ids.resize(start + rows, id);
        self.slots.push(start..start + rows);
        self
    }

    /// The prompt.
    pub fn build(&mut self) -> Prompt {
        let Self { ids, slots } = std::mem::take(self);
        Prompt { ids, slots }
    }
}

impl Prompt {
    /// All ids, those in the place of images included.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Where the rows of images belong, in order.
    pub fn slots(&self) -> &[Range<usize>] {
        &self.slots
    }

    /// Rows of images that there is room for.
    pub fn image_rows(&self) -> usize {
        self.slots.iter().map(Range::len).sum()
    }

    /// The embeddings of the first `count` ids, `[count, hidden]`: rows of `images` `[image_rows, hidden]`, in order, where there is
    /// room for them, rows of the table elsewhere.
    ///
    /// # Errors
    /// `Internal` if there are not as many rows as there is room for, or not as many ids as asked for.
    pub fn embed(&self, count: usize, tokens: &Embedding, images: &Tensor) -> Result<Tensor> {
        let (rows, hidden) = images.dims2()?;
        if rows != self.image_rows() || count > self.ids.len() {
            let room = self.image_rows();
            return Err(Error::Internal(format!("{rows} rows of images where a prompt has room for {room}")));
        }
        let mut values = Vec::with_capacity(count * hidden);
        let push = |values: &mut Vec<f32>, ids: Range<usize>| -> Result<()> {
            let rows = tokens.forward(self.ids[ids].iter().map(|id| *id as usize))?;
            with_values(&rows, |rows| values.extend_from_slice(rows))
        };
        let (mut done, mut used) = (0, 0);
        for slot in &self.slots {
            let (start, end) = (slot.start.min(count), slot.end.min(count));
            push(&mut values, done..start)?;
            with_values(images, |images| {
                values.extend_from_slice(&images[used * hidden..(used + end - start) * hidden])
            })?;
            (done, used) = (end, used + slot.len());
        }
        push(&mut values, done..count)?;
        if values.len() != count * hidden {
            return Err(Error::Internal(format!("images and tokens of a prompt differ in width, {hidden} for images")));
        }
        Ok(Tensor::from_vec(values, (count, hidden), &Device::Cpu)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{Buffer, Matrix, Storage};
    use crate::quant::FloatType;

    #[test]
    fn images_take_the_place_of_their_ids() {
        let table = (0..10).flat_map(|i| [i as f32, -(i as f32)]).flat_map(f32::to_le_bytes).collect();
        let table = Matrix::new(10, 2, Storage::Float(FloatType::F32, Buffer::owned(table))).unwrap();
        let tokens = Embedding::new(table, 1.0);
        let prompt = PromptBuilder::default().ids(&[1, 2]).image(9, 2).ids(&[3]).image(9, 1).ids(&[4]).build();
        assert_eq!(prompt.ids(), [1, 2, 9, 9, 3, 9, 4]);
        assert_eq!((prompt.slots(), prompt.image_rows()), (&[2..4, 5..6][..], 3));
        let images = Tensor::new(&[[70f32, 71.0], [80.0, 81.0], [90.0, 91.0]], &Device::Cpu).unwrap();
        let all = [[1.0, -1.0], [2.0, -2.0], [70.0, 71.0], [80.0, 81.0], [3.0, -3.0], [90.0, 91.0], [4.0, -4.0]];
        for count in 0..=7 {
            let x = prompt.embed(count, &tokens, &images).unwrap();
            assert_eq!(x.to_vec2::<f32>().unwrap(), all[..count]);
        }
        assert!(prompt.embed(8, &tokens, &images).is_err());
        let two = Tensor::new(&[[70f32, 71.0], [80.0, 81.0]], &Device::Cpu).unwrap();
        assert!(prompt.embed(7, &tokens, &two).is_err());
    }
}
