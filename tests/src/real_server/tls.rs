//! The TLS port of a real server.

use std::fs;
use std::net::TcpListener;

use super::RealServer;
use super::process::program;
use crate::certificates::{Authority, Certificate};

impl RealServer {
    /// Opens a TLS port in addition to the plain one, for clients with a certificate of an
    /// authority, and returns its URL. Returns `None` if the server was built without TLS. The port
    /// is gone after a restart.
    ///
    /// # Panics
    ///
    /// If the server rejects the certificates or the port.
    pub async fn speak_tls(
        &self,
        certificate: &Certificate,
        clients_of: &Authority,
    ) -> Option<String> {
        // Every server has the settings, but a server without TLS crashes when they are used.
        let program = program(&self.child)?;
        if !program.windows(8).any(|name| name == b"SSL_CTX_") {
            return None;
        }
        for (setting, pem) in [
            ("tls-cert-file", &certificate.certificate),
            ("tls-key-file", &certificate.key),
            ("tls-ca-cert-file", &clients_of.pem()),
        ] {
            let file = self.directory.join(setting);
            fs::write(&file, pem).unwrap();
            let file = file.to_str().expect("a path of text");
            self.command(&["CONFIG", "SET", setting, file]).await;
        }
        // The server does not accept port 0 here, so this picks a port that was free just now.
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr();
        let port = port.unwrap().port();
        self.command(&["CONFIG", "SET", "tls-port", &port.to_string()])
            .await;
        Some(format!("rediss://127.0.0.1:{port}/"))
    }
}
