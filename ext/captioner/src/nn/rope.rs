use crate::kernels::rotate;

/// Rotary position embedding (arXiv 2104.09864) over the first `rotary_dim` channels of each head, in rotated halves.
pub struct Rope {
    /// Radians a position, one for each pair of channels.
    frequencies: Vec<f32>,
}

/// The turns of some rows.
pub struct Turns {
    cos: Vec<f32>,
    sin: Vec<f32>,
    pairs: usize,
}

impl Rope {
    /// Pair `i` turns by `theta^(-2 i / rotary_dim)` a position.
    pub fn new(theta: f32, rotary_dim: usize) -> Self {
        let pairs = rotary_dim / 2;
        let frequencies = (0..pairs).map(|i| 1.0 / theta.powf(2.0 * i as f32 / rotary_dim as f32)).collect();
        Self { frequencies }
    }

    /// The turns of rows at these positions. Angles are rounded to `f32`, as references do: at a thousand positions that is
    /// the larger part of their error.
    pub fn turns(&self, positions: impl IntoIterator<Item = usize>) -> Turns {
        let (mut cos, mut sin) = (Vec::new(), Vec::new());
        for position in positions {
            for frequency in &self.frequencies {
                let angle = f64::from(position as f32 * frequency);
                cos.push(angle.cos() as f32);
                sin.push(angle.sin() as f32);
            }
        }
        Turns { cos, sin, pairs: self.frequencies.len() }
    }
}

impl Turns {
    /// Turns, in place, the first `heads` heads of `dim` channels of rows of `stride` floats, of which the first is row `first`.
    ///
    /// # Panics
    /// If there are more rows than turns.
    pub fn rotate(&self, rows: &mut [f32], stride: usize, (heads, dim): (usize, usize), first: usize) {
        let own = first * self.pairs..(first + rows.len() / stride) * self.pairs;
        rotate(rows, stride, heads, dim, &self.cos[own.clone()], &self.sin[own]);
    }
}
