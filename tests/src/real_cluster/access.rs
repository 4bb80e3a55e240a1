//! Passwords and users.

use super::{Node, RealCluster, lock};

/// What a node has to be told again after a restart.
#[derive(Clone, Default)]
pub(super) struct Access {
    password: Option<String>,
    users: Vec<Vec<String>>,
}

impl RealCluster {
    /// Sets the password of the default user on every member, also for what the nodes ask each other.
    pub async fn set_password(&self, password: &str) {
        lock(&self.access).password = Some(password.to_owned());
        for node in self.members() {
            self.grant_access(&node).await;
        }
    }

    /// Adds a user on every member, with rules as `ACL SETUSER` takes them.
    pub async fn set_user(&self, name: &str, rules: &[&str]) {
        let words = [&["ACL", "SETUSER", name], rules].concat();
        let words = words.into_iter().map(str::to_owned).collect();
        lock(&self.access).users.push(words);
        for node in self.members() {
            self.grant_access(&node).await;
        }
    }

    pub(super) fn password(&self) -> Option<String> {
        lock(&self.access).password.clone()
    }

    /// Sets the password and the users of a node that has just started.
    pub(super) async fn grant_access(&self, node: &Node) {
        let Access { password, users } = lock(&self.access).clone();
        for words in users {
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            node.command(&words).await;
        }
        if let Some(password) = password {
            node.command(&["CONFIG", "SET", "masterauth", &password])
                .await;
            node.server().set_password(Some(&password)).await;
        }
    }
}
