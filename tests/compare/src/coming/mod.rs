//! W8, coming and going: with many names live, each with a reader, one more reader after the other
//! comes, receives one message, and goes.

mod cell;
mod client;
mod control;
mod second;
mod table;

pub(crate) use cell::measure;
pub(crate) use client::{Outcome, run};
pub(crate) use table::table;
