//! The macros of `redis-push`.
