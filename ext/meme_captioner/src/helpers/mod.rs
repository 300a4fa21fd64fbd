//! What every class of the binding needs: errors and the GVL.

pub mod errors;
pub mod gvl;
pub mod options;
pub mod paths;
