//! What a key can hold.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;

use super::sorted_set::SortedSet;

pub(super) type List = VecDeque<Bytes>;

/// A map from fields to values. The servers do not promise an order of fields; here it is that of their
/// bytes.
pub(super) type Hash = BTreeMap<Bytes, Bytes>;

/// Like a hash, in the order of bytes.
pub(super) type Set = BTreeSet<Bytes>;

#[derive(Clone)]
pub(super) enum Value {
    String(Bytes),
    List(List),
    Hash(Hash),
    Set(Set),
    SortedSet(SortedSet),
}

impl Value {
    /// The name of the type, as TYPE and SCAN use it.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::String(_) => "string",
            Self::List(_) => "list",
            Self::Hash(_) => "hash",
            Self::Set(_) => "set",
            Self::SortedSet(_) => "zset",
        }
    }

    /// Whether this is a collection without elements. No key holds one: the key is deleted with the last
    /// element.
    pub(super) fn is_empty_collection(&self) -> bool {
        match self {
            Self::String(_) => false,
            Self::List(list) => list.is_empty(),
            Self::Hash(hash) => hash.is_empty(),
            Self::Set(set) => set.is_empty(),
            Self::SortedSet(set) => set.len() == 0,
        }
    }
}

/// A type of values, for the commands that accept only this one.
pub(super) trait ValueType: Sized {
    fn of(value: &Value) -> Option<&Self>;
    fn of_mut(value: &mut Value) -> Option<&mut Self>;
    fn into_value(self) -> Value;
}

macro_rules! value_type {
    ($type:ty, $variant:ident) => {
        impl ValueType for $type {
            fn of(value: &Value) -> Option<&Self> {
                match value {
                    Value::$variant(value) => Some(value),
                    _ => None,
                }
            }

            fn of_mut(value: &mut Value) -> Option<&mut Self> {
                match value {
                    Value::$variant(value) => Some(value),
                    _ => None,
                }
            }

            fn into_value(self) -> Value {
                Value::$variant(self)
            }
        }
    };
}

value_type!(Bytes, String);
value_type!(List, List);
value_type!(Hash, Hash);
value_type!(Set, Set);
value_type!(SortedSet, SortedSet);

/// Copies an argument that is to be stored. It is a slice of the read buffer, which it would keep alive.
pub(super) fn owned(argument: &Bytes) -> Bytes {
    Bytes::copy_from_slice(argument)
}
