// What raft-rs may ask its storage, answered from a short tail of the log: terms of the whole log as
// runs, indexes of membership entries not yet applied, and the newest entries. Older entries and
// snapshots are asked of the host through `Asks`; nothing here touches a disk.
// Entries are held from the moment they are handed to the host, and only dropped once they are
// persisted, applied and beyond the tail's bounds.

use crate::codec::is_members;
use crate::failure::{corrupt, invalid, Outcome};
use crate::members;
use bytes::Bytes;
use protobuf::Message as _;
use raft::eraftpb::{ConfState, Entry, EntryType, HardState, Snapshot};
use raft::{Error, GetEntriesContext, RaftState, Result, Storage, StorageError};
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};

/// More outstanding fetches are not asked for; raft-rs comes back with the next heartbeat.
const FETCHES_MAX: usize = 64;

pub struct Fetch {
    pub first: u64,
    pub last: u64,
    pub bytes_max: u64,
    /// `None`: committed entries to hand out; else what raft-rs wants to resume.
    pub resume: Option<GetEntriesContext>,
    key: String,
}

/// Wishes of raft-rs, collected while it holds the storage by shared reference.
#[derive(Default)]
pub struct Asks {
    next_token: u64,
    pub fetches: BTreeMap<u64, Fetch>,
    /// Tokens and nodes that the host has not seen yet.
    pub fresh_fetches: Vec<u64>,
    pub fresh_snapshots: Vec<u64>,
    /// Node to the lowest index that helps it.
    pub snapshots: BTreeMap<u64, u64>,
}

impl Asks {
    fn fetch(&mut self, fetch: Fetch) {
        let known = self.fetches.values().any(|other| other.key == fetch.key);
        if known || self.fetches.len() >= FETCHES_MAX {
            return;
        }
        self.next_token += 1;
        self.fetches.insert(self.next_token, fetch);
        self.fresh_fetches.push(self.next_token);
    }
}

pub struct Offer {
    pub index: u64,
    pub conf_state: ConfState,
    pub context: Bytes,
}

#[derive(Default)]
pub struct Tail {
    /// Only read when the group is opened.
    pub initial: (HardState, ConfState),
    /// The log holds entries after this.
    pub snapshot: (u64, u64),
    pub last_index: u64,
    /// (first index, term), ascending in both, from snapshot index + 1 on.
    runs: VecDeque<(u64, u64)>,
    /// Membership entries after the applied index, ascending.
    members: VecDeque<u64>,
    /// The newest entries, ending at `last_index`.
    entries: VecDeque<Entry>,
    bytes: usize,
    /// Fetched entries: while raft-rs resumes an append; until committed ones are handed out.
    pub append_cache: Vec<Entry>,
    pub apply_cache: VecDeque<Entry>,
    pub offer: Option<Offer>,
    pub asks: RefCell<Asks>,
}

/// The durable log as the host describes it.
pub struct Log {
    pub snapshot: (u64, u64),
    pub last_index: u64,
    pub runs: Vec<(u64, u64)>,
    pub members: Vec<u64>,
    pub entries: Vec<Entry>,
}

impl Tail {
    /// Checks that the parts describe one log, and takes them over.
    pub fn open(log: Log, applied: u64) -> Outcome<Tail> {
        let (snapshot_index, snapshot_term) = log.snapshot;
        if (snapshot_index == 0) != (snapshot_term == 0) {
            return invalid("snapshotIndex and snapshotTerm are zero together".to_owned());
        }
        let held = log.entries.len() as u64;
        if log.last_index < snapshot_index || held > log.last_index - snapshot_index {
            return invalid("lastIndex does not fit snapshotIndex and entries".to_owned());
        }
        let first_held = log.last_index + 1 - held;
        let mut tail = Tail {
            snapshot: log.snapshot,
            last_index: first_held - 1,
            ..Tail::default()
        };
        for (first, term) in log.runs.into_iter().filter(|run| run.0 < first_held) {
            let expected = tail.runs.back().map_or(snapshot_index + 1, |run| run.0 + 1);
            let starts = if tail.runs.is_empty() { first == expected } else { first >= expected };
            if !starts || term < tail.runs.back().map_or(snapshot_term, |run| run.1) {
                return invalid(format!("termRuns break at index {}", first));
            }
            tail.runs.push_back((first, term));
        }
        if tail.runs.is_empty() && tail.last_index > snapshot_index {
            return invalid("termRuns do not cover the log".to_owned());
        }
        for index in log.members.into_iter() {
            if index <= applied || index >= first_held {
                continue;
            }
            if tail.members.back().map_or(false, |last| index <= *last) {
                return invalid(format!("membersIndexes break at index {}", index));
            }
            tail.members.push_back(index);
        }
        let mut last_term = tail.last_term();
        for (offset, entry) in log.entries.iter().enumerate() {
            if entry.index != first_held + offset as u64 || entry.term < last_term {
                return corrupt(format!("log entries break at index {}", entry.index));
            }
            last_term = entry.term;
        }
        tail.append(&log.entries);
        tail.drop_members_to(applied);
        Ok(tail)
    }

    pub fn last_term(&self) -> u64 {
        self.runs.back().map_or(self.snapshot.1, |run| run.1)
    }

    /// The first index held in full; `last_index + 1` when none is.
    pub fn first_held(&self) -> u64 {
        self.last_index + 1 - self.entries.len() as u64
    }

    pub fn held(&self) -> (usize, usize) {
        (self.entries.len(), self.bytes)
    }

    /// Takes entries that replace the log from the first of them on.
    pub fn append(&mut self, entries: &[Entry]) {
        let first = match entries.first() {
            Some(entry) => entry.index,
            None => return,
        };
        assert!(first > self.snapshot.0 && first <= self.last_index + 1, "append leaves a hole");
        while self.last_index >= first {
            match self.entries.pop_back() {
                Some(entry) => self.bytes -= weight(&entry),
                None => break,
            }
            self.last_index -= 1;
        }
        self.last_index = first - 1;
        while self.runs.back().map_or(false, |run| run.0 >= first) {
            self.runs.pop_back();
        }
        while self.members.back().map_or(false, |index| *index >= first) {
            self.members.pop_back();
        }
        for entry in entries {
            assert!(entry.index == self.last_index + 1, "appended entries leave a hole");
            if self.runs.is_empty() || self.last_term() != entry.term {
                self.runs.push_back((entry.index, entry.term));
            }
            if is_members(entry) {
                self.members.push_back(entry.index);
            }
            self.bytes += weight(entry);
            self.last_index = entry.index;
            self.entries.push_back(entry.clone());
        }
    }

    /// Starts over after a snapshot.
    pub fn restore(&mut self, index: u64, term: u64) {
        let mut asks = self.asks.take();
        asks.fetches.clear();
        asks.fresh_fetches.clear();
        *self = Tail { snapshot: (index, term), last_index: index, ..Tail::default() };
        self.asks = RefCell::new(asks);
    }

    /// The log starts after `index` from now on.
    pub fn compact(&mut self, index: u64) {
        let term = self.term_of(index).expect("compacts to a known index");
        while self.first_held() <= index {
            if !self.drop_front() {
                break;
            }
        }
        while self.runs.len() > 1 && self.runs[1].0 <= index + 1 {
            self.runs.pop_front();
        }
        if index == self.last_index {
            self.runs.clear();
        } else if let Some(run) = self.runs.front_mut() {
            run.0 = index + 1;
        }
        self.snapshot = (index, term);
    }

    /// Drops entries up to `durable` while more than the bounds allow are held.
    pub fn shrink(&mut self, durable: u64, entries_max: usize, bytes_max: usize) {
        while self.first_held() <= durable
            && (self.entries.len() > entries_max || self.bytes > bytes_max)
        {
            if !self.drop_front() {
                break;
            }
        }
    }

    fn drop_front(&mut self) -> bool {
        match self.entries.pop_front() {
            Some(entry) => {
                self.bytes -= weight(&entry);
                true
            }
            None => false,
        }
    }

    pub fn drop_members_to(&mut self, applied: u64) {
        while self.members.front().map_or(false, |index| *index <= applied) {
            self.members.pop_front();
        }
    }

    pub fn term_of(&self, index: u64) -> Option<u64> {
        if index == self.snapshot.0 {
            return Some(self.snapshot.1);
        }
        if index < self.snapshot.0 || index > self.last_index {
            return None;
        }
        let after = self.runs.partition_point(|run| run.0 <= index);
        Some(self.runs[after - 1].1)
    }

    fn ask(&self, first: u64, high: u64, bytes_max: u64, resume: Option<GetEntriesContext>) {
        let last = std::cmp::min(high, self.first_held()) - 1;
        let key = format!("{} {:?}", first, resume);
        let fetch = Fetch { first, last, bytes_max, resume, key };
        self.asks.borrow_mut().fetch(fetch);
    }

    /// Stand-ins with index, term and kind, for questions about the kind alone.
    fn outlines(&self, low: u64, high: u64) -> Vec<Entry> {
        let outline = |index: u64| {
            let mut entry = Entry::default();
            entry.index = index;
            entry.term = self.term_of(index).expect("outline of a known index");
            if self.members.contains(&index) {
                entry.set_entry_type(EntryType::EntryConfChangeV2);
            }
            entry
        };
        (low..high).map(outline).collect()
    }
}

/// What an entry counts for in the tail's bound; the constant stands for its bookkeeping.
fn weight(entry: &Entry) -> usize {
    entry.data.len() + 128
}

/// Entries of `source` from `low` to before `high`, at least one, up to `bytes_max` in all.
fn cut<'a>(
    source: impl Iterator<Item = &'a Entry>,
    low: u64,
    high: u64,
    bytes_max: u64,
) -> Vec<Entry> {
    let mut total = 0;
    let mut result: Vec<Entry> = Vec::new();
    for entry in source.skip_while(|entry| entry.index < low) {
        total += u64::from(entry.compute_size());
        if entry.index >= high || (!result.is_empty() && total > bytes_max) {
            break;
        }
        result.push(entry.clone());
    }
    result
}

impl Storage for Tail {
    fn initial_state(&self) -> Result<RaftState> {
        Ok(RaftState::new(self.initial.0.clone(), self.initial.1.clone()))
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        context: GetEntriesContext,
    ) -> Result<Vec<Entry>> {
        let bytes_max = max_size.into().unwrap_or(u64::MAX);
        assert!(high <= self.last_index + 1, "entries past the end: {}", high);
        if low <= self.snapshot.0 {
            return Err(Error::Store(StorageError::Compacted));
        }
        if low >= self.first_held() {
            let skip = (low - self.first_held()) as usize;
            return Ok(cut(self.entries.iter().skip(skip), low, high, bytes_max));
        }
        if context.can_async() {
            let found = match self.append_cache.first() {
                Some(first) if first.index <= low => {
                    cut(self.append_cache.iter(), low, high, bytes_max)
                }
                _ => Vec::new(),
            };
            if !found.is_empty() {
                return Ok(found);
            }
            self.ask(low, high, bytes_max, Some(context));
            return Err(Error::Store(StorageError::LogTemporarilyUnavailable));
        }
        // raft-rs cannot wait in the other contexts. Its context type shows its kind only in print.
        if format!("{:?}", context).contains("GenReady") {
            // An empty answer makes a Ready without committed entries; they follow when fetched.
            if self.apply_cache.front().map_or(false, |first| first.index <= low) {
                return Ok(cut(self.apply_cache.iter(), low, high, bytes_max));
            }
            self.ask(low, high, bytes_max, None);
            return Ok(Vec::new());
        }
        // Whether membership changes are pending before an election: only the kind is looked at.
        let first_held = std::cmp::min(self.first_held(), high);
        let mut result = self.outlines(low, first_held);
        result.extend(cut(self.entries.iter(), first_held, high, u64::MAX));
        Ok(result)
    }

    fn term(&self, index: u64) -> Result<u64> {
        match self.term_of(index) {
            Some(term) => Ok(term),
            None if index < self.snapshot.0 => Err(Error::Store(StorageError::Compacted)),
            None => Err(Error::Store(StorageError::Unavailable)),
        }
    }

    fn first_index(&self) -> Result<u64> {
        Ok(self.snapshot.0 + 1)
    }

    fn last_index(&self) -> Result<u64> {
        Ok(self.last_index)
    }

    fn snapshot(&self, request_index: u64, to: u64) -> Result<Snapshot> {
        let mut lowest = std::cmp::max(request_index, self.snapshot.0);
        if let Some(offer) = &self.offer {
            // A follower refuses a snapshot whose membership does not name it.
            if offer.index >= lowest && members::contains(&offer.conf_state, to) {
                let mut snapshot = Snapshot::default();
                snapshot.data = offer.context.clone();
                let metadata = snapshot.mut_metadata();
                metadata.index = offer.index;
                metadata.term = self.term_of(offer.index).expect("offered index is known");
                metadata.set_conf_state(offer.conf_state.clone());
                return Ok(snapshot);
            }
            if offer.index >= lowest {
                lowest = offer.index + 1;
            }
        }
        let mut asks = self.asks.borrow_mut();
        if asks.snapshots.insert(to, lowest) != Some(lowest) {
            asks.fresh_snapshots.push(to);
        }
        Err(Error::Store(StorageError::SnapshotTemporarilyUnavailable))
    }
}
