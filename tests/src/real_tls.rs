//! TLS of a real server's own.

use std::fs;
use std::net::TcpListener;

use crate::RealServer;
use crate::certificates::{Authority, Certificate};

impl RealServer {
    /// Opens a TLS port beside the plain one, for clients with a certificate of an authority, and
    /// gives its URL; `None` where the server was built without TLS. A restart forgets it.
    ///
    /// # Panics
    ///
    /// When the server does not take the certificates or the port.
    pub async fn speak_tls(
        &self,
        certificate: &Certificate,
        clients_of: &Authority,
    ) -> Option<String> {
        // Every server has the settings. One without TLS crashes when they are used.
        let program = self.program()?;
        if !program.windows(8).any(|name| name == b"SSL_CTX_") {
            return None;
        }
        for (setting, pem) in [
            ("tls-cert-file", &certificate.certificate),
            ("tls-key-file", &certificate.key),
            ("tls-ca-cert-file", &clients_of.pem()),
        ] {
            let file = self.directory().join(setting);
            fs::write(&file, pem).unwrap();
            let file = file.to_str().expect("a path of text");
            self.command(&["CONFIG", "SET", setting, file]).await;
        }
        // The server takes no port 0 here: one that was free a moment ago.
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr();
        let port = port.unwrap().port();
        self.command(&["CONFIG", "SET", "tls-port", &port.to_string()])
            .await;
        Some(format!("rediss://127.0.0.1:{port}/"))
    }
}
