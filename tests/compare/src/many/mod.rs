//! W9, many readers: a page that everybody watches. One channel has thousands of readers: what a
//! delivery costs at a low rate, and the highest rate at which none of them lags.

mod cell;
mod client;
mod search;
mod table;
mod tally;

pub(crate) use cell::measure;
pub(crate) use client::{Trial, run};
pub(crate) use table::table;
pub(crate) use tally::Tally;
