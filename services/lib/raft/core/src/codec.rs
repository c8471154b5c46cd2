// The form of arguments and results at the boundary: little endian, lists with a 32-bit count, byte
// strings with a 32-bit length, and every id, index and term as a 64-bit float holding an integer below
// 2^53, because that is what the other side can read at once. Both sides are ours and of one version.

use bytes::Bytes;
use raft::eraftpb::{ConfState, Entry, EntryType};

/// Integers from here on would lose bits on the other side.
pub const INTEGER_LIMIT: u64 = 1 << 53;

pub struct Reader {
    bytes: Bytes,
    at: usize,
}

impl Reader {
    pub fn new(bytes: Bytes) -> Reader {
        Reader { bytes, at: 0 }
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut value = [0; N];
        value.copy_from_slice(&self.bytes[self.at..self.at + N]);
        self.at += N;
        value
    }

    pub fn byte(&mut self) -> u8 {
        self.array::<1>()[0]
    }

    pub fn flag(&mut self) -> bool {
        self.byte() != 0
    }

    pub fn count(&mut self) -> usize {
        u32::from_le_bytes(self.array()) as usize
    }

    pub fn float(&mut self) -> f64 {
        f64::from_le_bytes(self.array())
    }

    pub fn integer(&mut self) -> u64 {
        integer(self.float())
    }

    pub fn integers(&mut self) -> Vec<u64> {
        let count = self.count();
        (0..count).map(|_| self.integer()).collect()
    }

    /// A view that keeps the whole argument buffer alive.
    pub fn view(&mut self) -> Bytes {
        let length = self.count();
        let view = self.bytes.slice(self.at..self.at + length);
        self.at += length;
        view
    }

    /// Bytes of their own, for what is kept long.
    pub fn copy(&mut self) -> Bytes {
        Bytes::copy_from_slice(&self.view())
    }

    pub fn entry(&mut self) -> Entry {
        let mut entry = Entry::default();
        entry.index = self.integer();
        entry.term = self.integer();
        if self.flag() {
            entry.set_entry_type(EntryType::EntryConfChangeV2);
        }
        entry.data = self.copy();
        entry
    }

    pub fn entries(&mut self) -> Vec<Entry> {
        let count = self.count();
        (0..count).map(|_| self.entry()).collect()
    }

    pub fn conf_state(&mut self) -> ConfState {
        let mut state = ConfState::default();
        state.set_voters(self.integers());
        state.set_learners(self.integers());
        state.set_voters_outgoing(self.integers());
        state.set_learners_next(self.integers());
        state.auto_leave = self.flag();
        state
    }
}

pub fn integer(value: f64) -> u64 {
    let whole = value as u64;
    assert!(whole as f64 == value && whole < INTEGER_LIMIT, "not an integer: {}", value);
    whole
}

#[derive(Default)]
pub struct Writer {
    pub bytes: Vec<u8>,
}

impl Writer {
    pub fn byte(&mut self, value: u8) {
        self.bytes.push(value);
    }

    pub fn flag(&mut self, value: bool) {
        self.byte(value as u8);
    }

    pub fn count(&mut self, value: usize) {
        assert!(value <= u32::MAX as usize, "count out of range");
        self.bytes.extend_from_slice(&(value as u32).to_le_bytes());
    }

    pub fn integer(&mut self, value: u64) {
        assert!(value < INTEGER_LIMIT, "integer out of range: {}", value);
        self.bytes.extend_from_slice(&(value as f64).to_le_bytes());
    }

    pub fn integers(&mut self, values: &[u64]) {
        self.count(values.len());
        for value in values {
            self.integer(*value);
        }
    }

    pub fn blob(&mut self, value: &[u8]) {
        self.count(value.len());
        self.bytes.extend_from_slice(value);
    }

    pub fn entries(&mut self, entries: &[Entry]) {
        self.count(entries.len());
        for entry in entries {
            self.integer(entry.index);
            self.integer(entry.term);
            self.flag(is_members(entry));
            self.blob(&entry.data);
        }
    }

    pub fn conf_state(&mut self, state: &ConfState) {
        let lists =
            [&state.voters, &state.learners, &state.voters_outgoing, &state.learners_next];
        for list in lists {
            let mut sorted = list.to_vec();
            sorted.sort_unstable();
            self.integers(&sorted);
        }
        self.flag(state.auto_leave);
    }
}

pub fn is_members(entry: &Entry) -> bool {
    entry.get_entry_type() != EntryType::EntryNormal
}
