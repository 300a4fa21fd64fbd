//! What becomes of products.

use super::elementwise;

/// What happens to a product before it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Epilogue {
    /// `out = product`
    Store,
    /// `out = gelu(product)`
    Gelu,
    /// `out = gelu(product)`, approximated with tanh
    GeluTanh,
    /// `out = silu(product)`
    Silu,
    /// `out = max(product, 0)`
    Relu,
    /// `out += product`
    Add,
    /// `out *= product`: what a gate's product, activated before, lets through
    Multiply,
}

/// What the epilogue does to products before they are written, added or multiplied.
pub fn activate(row: &mut [f32], epilogue: Epilogue) {
    match epilogue {
        Epilogue::Store | Epilogue::Add | Epilogue::Multiply => {}
        Epilogue::Gelu => elementwise::gelu(row),
        Epilogue::GeluTanh => elementwise::gelu_tanh(row),
        Epilogue::Silu => elementwise::silu(row),
        Epilogue::Relu => row.iter_mut().for_each(|v| *v = v.max(0.0)),
    }
}
