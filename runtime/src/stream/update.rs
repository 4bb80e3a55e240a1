use serde::Serialize;

/// An item of an [`UpdateStream`](crate::UpdateStream): all that is current, or one change to it.
///
/// Serialized, it is `{"snapshot": …}` or `{"message": …}`, so that a browser can be sent each item as it
/// is.
///
/// ```
/// use redis_push::Update;
///
/// let updates: [Update<[u32; 2], u32>; 2] = [Update::Snapshot([1, 2]), Update::Message(3)];
/// let json = updates.map(|update| serde_json::to_string(&update).unwrap());
/// assert_eq!(json, [r#"{"snapshot":[1,2]}"#, r#"{"message":3}"#]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Update<S, T> {
    /// What was loaded at a gap. It replaces everything before it, and may contain some of the messages
    /// that follow.
    Snapshot(S),
    /// A message.
    Message(T),
}
