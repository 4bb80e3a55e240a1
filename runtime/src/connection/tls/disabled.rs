//! The backend of a build without TLS.

use std::error::Error as StdError;

use tokio::net::TcpStream;

use super::NOT_BUILT_IN;
use super::config::Tls;
use super::error::{Connected, TlsError};
use crate::error::Error;

/// A connector that cannot be created.
#[derive(Clone)]
pub(super) enum Connector {}

impl Connector {
    pub(super) fn new(_tls: &Tls, _name: &str) -> Result<Self, Error> {
        Err(Error::config(NOT_BUILT_IN))
    }

    pub(super) fn named(&self, _name: &str) -> Result<Self, Error> {
        match *self {}
    }

    pub(super) async fn connect(&self, _stream: TcpStream) -> Connected {
        match *self {}
    }
}

pub(super) fn classify(_error: &(dyn StdError + 'static)) -> Option<TlsError> {
    None
}

pub(super) fn prepare_redis_rs() {}
