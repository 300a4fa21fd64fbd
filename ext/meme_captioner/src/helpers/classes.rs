//! Classes of Ruby that wrap values of Rust.

use magnus::{prelude::*, Error, RClass, RModule, Ruby, TypedData};

/// Defines the class of `T` below `module`, without an allocator.
///
/// magnus looks a class up when its first object is made, and whoever comes second waits with the GVL held. A lookup that gives
/// the GVL away then never gets it back, so the lookup is done here, where no other thread has the library yet.
pub fn wrapped<T: TypedData>(ruby: &Ruby, module: RModule, name: &str) -> Result<RClass, Error> {
    module.define_class(name, ruby.class_object())?;
    Ok(T::class(ruby))
}
