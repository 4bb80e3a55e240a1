//! Passwords of the servers and of the sentinels.

use super::RealSentinels;

impl RealSentinels {
    /// Sets the password of the default user on all servers, and tells it to the sentinels. A restart
    /// of a server removes it.
    pub async fn set_password(&self, password: &str) {
        for sentinel in &self.sentinels {
            let words = ["SENTINEL", "SET", Self::NAME, "auth-pass", password];
            sentinel.command(&words).await;
        }
        for server in &self.servers {
            let words = ["CONFIG", "SET", "masterauth", password];
            server.command(&words).await;
            server.set_password(Some(password)).await;
        }
    }

    /// Sets the password of the default user on all sentinels, also for what they ask each other. A
    /// restart of a sentinel removes it.
    pub async fn set_sentinel_password(&self, password: &str) {
        for sentinel in &self.sentinels {
            let words = ["SENTINEL", "CONFIG", "SET", "sentinel-pass", password];
            sentinel.command(&words).await;
        }
        for sentinel in &self.sentinels {
            // A sentinel has no `CONFIG SET`.
            let user = ["ACL", "SETUSER", "default", "resetpass"];
            let password_rule = format!(">{password}");
            sentinel
                .command(&[&user[..], &[&password_rule]].concat())
                .await;
            sentinel.use_password(password);
        }
    }
}
