//! The dispatcher under a model checker.

mod model;
