//! What every class of the binding needs.

pub mod classes;
pub mod errors;
pub mod gvl;
pub mod options;
pub mod paths;
