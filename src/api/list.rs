//! Responses with lists, which are encoded in slices, so that the server can do other work in between.

use std::collections::VecDeque;
use std::fmt;

use serde::Serialize;

use super::no_store;
use crate::http::Response;

/// The approximate number of bytes that one slice adds to a response: about half a millisecond.
const SLICE_BYTES: usize = 64 * 1024;

/// The room that a response has at first. Growing to the size of ten processes step by step costs more than encoding them.
const BODY_BYTES_AT_FIRST: usize = 8 * 1024;

/// Appends the next item of a list; false if there is none.
type NextItem = Box<dyn FnMut(&mut Vec<u8>) -> bool>;

/// A response that is being encoded: an object whose last members are lists of objects. What an item is made from is
/// freed when it was encoded.
pub struct ListReply {
    status: u16,
    /// The response so far.
    body: Vec<u8>,
    /// The lists that are not complete, by their names. The first one has begun.
    lists: VecDeque<(&'static str, NextItem)>,
    /// The approximate memory of what the items are made from; 0 once all are encoded.
    source_bytes: usize,
}

impl ListReply {
    /// A response with the members of an object, which may be none, before the lists.
    pub(super) fn new(head: &impl Serialize) -> Self {
        let mut body = Vec::with_capacity(BODY_BYTES_AT_FIRST);
        encode(head, &mut body);
        body.pop();
        Self { status: 200, body, lists: VecDeque::new(), source_bytes: 0 }
    }

    pub(super) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// Adds a list. `append` encodes an item as an object.
    pub(super) fn list<T: 'static>(
        mut self,
        name: &'static str,
        items: Vec<T>,
        append: impl Fn(&T, &mut Vec<u8>) + 'static,
    ) -> Self {
        // Their texts are about as large as they are.
        self.source_bytes += 2 * items.capacity() * size_of::<T>();
        let mut items = items.into_iter();
        let next = move |body: &mut Vec<u8>| {
            let Some(item) = items.next() else { return false };
            append(&item, body);
            true
        };
        self.lists.push_back((name, Box::new(next)));
        if self.lists.len() == 1 {
            self.begin_list();
        }
        self
    }

    /// Begins the first of the lists that are left. After the last one the response is complete.
    fn begin_list(&mut self) {
        let Some((name, _)) = self.lists.front() else { return self.body.push(b'}') };
        let separator = if self.body.ends_with(b"{") { "" } else { "," };
        self.body.extend_from_slice(format!("{separator}\"{name}\":[").as_bytes());
    }

    /// Encodes a slice. True once everything is encoded.
    pub fn encode_slice(&mut self) -> bool {
        let enough = self.body.len() + SLICE_BYTES;
        while self.body.len() < enough {
            let Some((_, next)) = self.lists.front_mut() else {
                self.source_bytes = 0;
                return true;
            };
            if next(&mut self.body) {
                self.body.push(b',');
            } else {
                self.body.pop_if(|last| *last == b',');
                self.body.push(b']');
                self.lists.pop_front();
                self.begin_list();
            }
        }
        false
    }

    /// The approximate memory that it uses.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.body.capacity() + self.source_bytes
    }

    /// The response. What is not encoded yet is encoded now.
    #[must_use]
    pub fn finish(mut self) -> Response {
        while !self.encode_slice() {}
        no_store(self.status, self.body)
    }
}

impl fmt::Debug for ListReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListReply").field("status", &self.status).finish_non_exhaustive()
    }
}

/// No members before the lists.
#[derive(Serialize)]
pub(super) struct NoHead {}

/// An object as JSON.
pub(super) fn encoded(view: &impl Serialize) -> Vec<u8> {
    let mut object = Vec::new();
    encode(view, &mut object);
    object
}

/// The same, appended to a text.
pub(super) fn encode(view: &impl Serialize, out: &mut Vec<u8>) {
    // Only a map with keys other than texts can't be encoded, and there is none.
    let _ = serde_json::to_writer(out, view);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Item {
        text: String,
    }

    fn item(text: &usize, out: &mut Vec<u8>) {
        encode(&Item { text: "x".repeat(*text) }, out);
    }

    #[test]
    fn lists_are_encoded_in_slices_and_are_valid_json() {
        let body = |reply: ListReply| String::from_utf8(reply.finish().content().to_vec()).unwrap();
        let head = Item { text: "head".to_owned() };
        for (reply, expected) in [
            (ListReply::new(&NoHead {}).list("a", vec![], item), r#"{"a":[]}"#),
            (
                ListReply::new(&head).list("a", vec![1, 0], item),
                r#"{"text":"head","a":[{"text":"x"},{"text":""}]}"#,
            ),
            (
                ListReply::new(&NoHead {}).list("a", vec![1], item).list("b", vec![2], item),
                r#"{"a":[{"text":"x"}],"b":[{"text":"xx"}]}"#,
            ),
        ] {
            assert_eq!(body(reply), expected);
        }
        let mut long = ListReply::new(&NoHead {}).list("a", vec![1000; 1000], item);
        let before = long.held_bytes();
        let mut slices = 1;
        while !long.encode_slice() {
            assert!(long.held_bytes() > before && slices < 20);
            slices += 1;
        }
        assert!(slices > 10, "{slices}");
        let parsed: serde_json::Value = serde_json::from_str(&body(long)).unwrap();
        assert_eq!(parsed["a"].as_array().map(Vec::len), Some(1000));
    }
}
