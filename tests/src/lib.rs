//! What the tests of `redis-push` share.
