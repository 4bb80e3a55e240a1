//! The dispatcher under a model checker (`util::model`), with `--cfg shuttle`.

mod model;
