//! Options that Ruby passes as a Hash with symbols as keys.

use magnus::{Error, RHash, Ruby, TryConvert};

/// The option `name`; nothing where it is absent or nil.
pub fn option<T: TryConvert>(ruby: &Ruby, options: RHash, name: &str) -> Result<Option<T>, Error> {
    options.lookup2(ruby.to_symbol(name), None::<bool>)
}
