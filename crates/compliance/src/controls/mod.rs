//! The catalogue: a file for each control, a line for each here.

use crate::control::Control;

macro_rules! catalogue {
    ($($module:ident),* $(,)?) => {
        $(mod $module;)*
        /// Every control, in the order of the catalogue.
        pub const ALL: &[&Control] = &[$(&$module::CONTROL),*];
    };
}

catalogue! {}
