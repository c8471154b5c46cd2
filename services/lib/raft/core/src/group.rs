// One Raft group: raft-rs's RawNode over a Tail, driven so that no order of calls the host may make
// runs into one of raft-rs's panics. Adds what raft-rs leaves to its user: no leader's message before
// its own vote is durable, no election while a snapshot or a lone voter's tail is not durable, stepping
// down when removed, read contexts that never repeat.

use crate::checks::{self, Verdict};
use crate::codec::INTEGER_LIMIT;
use crate::failure::{corrupt, invalid, Outcome};
use crate::members;
use crate::random;
use crate::tail::{Log, Offer, Tail};
use bytes::Bytes;
use protobuf::Message as _;
use raft::eraftpb::{
    ConfChangeV2, ConfState, Entry, EntryType, HardState, Message, MessageType,
};
use raft::{Changer, Config, RawNode, ReadState, Ready, SnapshotStatus, StateRole};
use slog::{o, Discard, Logger};
use std::collections::VecDeque;

/// Reads that wait for their heartbeat answers in one group.
const READS_MAX: usize = 4096;
/// Node id, random number of this opening, counter.
const READ_PREFIX_BYTES: usize = 24;

pub struct Bounds {
    pub message_bytes: u64,
    pub inflight_messages: usize,
    pub uncommitted_bytes: u64,
    pub committed_bytes: u64,
    pub tail_entries: usize,
    pub tail_bytes: usize,
}

pub struct Opening {
    pub node_id: u64,
    pub election_ticks: usize,
    pub heartbeat_ticks: usize,
    pub pre_vote: bool,
    pub check_quorum: bool,
    pub priority: i64,
    pub hard_state: HardState,
    pub conf_state: ConfState,
    pub applied: u64,
    pub log: Log,
    pub bounds: Bounds,
}

pub enum Proposed {
    Appended { first: u64, term: u64 },
    NotLeader(u64),
    Transferring(u64),
    Exhausted,
    Pending,
    Invalid(String),
}

pub enum Asked {
    Asked,
    NoLeader,
    NotReady,
    Exhausted,
}

pub struct Stepped {
    pub stepped: usize,
    pub ignored: usize,
    pub damage: Option<String>,
}

/// A Ready with its messages sorted by when they may go.
pub struct Work {
    pub ready: Ready,
    pub messages: Vec<Message>,
    pub persisted_messages: Vec<Message>,
    pub read_states: Vec<ReadState>,
    pub must_sync: bool,
}

pub struct Group {
    pub node: RawNode<Tail>,
    bounds: Bounds,
    numbered: u64,
    persisted_number: u64,
    /// Until the Ready of this number is durable, a leader's messages wait too.
    hold_number: u64,
    /// (Ready number, snapshot index) not durable yet.
    restoring: VecDeque<(u64, u64)>,
    handed_out: u64,
    known_hard_state: HardState,
    known_soft_state: (u64, StateRole),
    read_epoch: u64,
    read_count: u64,
    /// The host asked for a snapshot; raft-rs has not been able to ask the leader yet.
    wants_snapshot: bool,
}

impl Group {
    pub fn open(opening: Opening) -> Outcome<Group> {
        members::check(&opening.conf_state)?;
        let applied = opening.applied;
        let mut tail = Tail::open(opening.log, applied)?;
        if applied < tail.snapshot.0 || applied > tail.last_index {
            return corrupt(format!("applied index {} is outside the log", applied));
        }
        if opening.hard_state.commit > tail.last_index {
            return corrupt(format!(
                "the log ends at {} before the commit index {}",
                tail.last_index, opening.hard_state.commit
            ));
        }
        if opening.hard_state.term < tail.last_term() {
            return corrupt(format!("the log holds term {} beyond the hard state's", tail.last_term()));
        }
        if tail.snapshot.0 == 0 && !opening.conf_state.voters.is_empty() && applied == 0 {
            return invalid("a group with members starts from a snapshot (index 1, term 1)".to_owned());
        }
        let mut hard_state = opening.hard_state;
        hard_state.commit = std::cmp::max(hard_state.commit, applied);
        tail.initial = (hard_state, opening.conf_state);
        let config = Config {
            id: opening.node_id,
            election_tick: opening.election_ticks,
            heartbeat_tick: opening.heartbeat_ticks,
            applied,
            max_size_per_msg: opening.bounds.message_bytes,
            max_inflight_msgs: opening.bounds.inflight_messages,
            check_quorum: opening.check_quorum,
            pre_vote: opening.pre_vote,
            priority: opening.priority,
            max_uncommitted_size: opening.bounds.uncommitted_bytes,
            max_committed_size_per_ready: opening.bounds.committed_bytes,
            ..Config::default()
        };
        if let Err(error) = config.validate() {
            return invalid(error.to_string());
        }
        let node = match RawNode::new(&config, tail, &Logger::root(Discard, o!())) {
            Ok(node) => node,
            Err(error) => return invalid(error.to_string()),
        };
        Ok(Group {
            known_hard_state: node.raft.hard_state(),
            known_soft_state: (node.raft.leader_id, node.raft.state),
            node,
            bounds: opening.bounds,
            numbered: 0,
            persisted_number: 0,
            hold_number: 0,
            restoring: VecDeque::new(),
            handed_out: applied,
            read_epoch: random::next(),
            read_count: 0,
            wants_snapshot: false,
        })
    }

    fn leads(&self) -> bool {
        self.node.raft.state == StateRole::Leader
    }

    /// True while starting an election would be wrong: raft-rs expects a durable log of a lone voter,
    /// a durable snapshot, and to know the kind of every committed entry not applied yet. A replica that
    /// waits for a snapshot has lost its state and must not lead.
    fn election_waits(&self) -> bool {
        let raft = &self.node.raft;
        let log = &raft.raft_log;
        let lone = raft.prs().is_singleton() && log.persisted < log.last_index();
        let lags = log.applied < log.committed && log.applied + 1 < log.store.first_held();
        let waits = raft.pending_request_snapshot != 0 || !self.restoring.is_empty();
        !self.leads() && (lone || lags || waits)
    }

    pub fn tick(&mut self) -> bool {
        if !self.election_waits() {
            return self.node.tick();
        }
        // Time passes, so that a silent leader's lease runs out here too, but no election begins.
        let raft = &mut self.node.raft;
        let due = raft.randomized_election_timeout();
        raft.election_elapsed = std::cmp::min(raft.election_elapsed + 1, due);
        if raft.election_elapsed == due && raft.pending_request_snapshot != 0 {
            // The leader that was asked is gone. If no other comes forward, better this one than none.
            raft.pending_request_snapshot = 0;
            self.wants_snapshot = true;
        }
        false
    }

    pub fn campaign(&mut self) -> Outcome<()> {
        if self.leads() || self.election_waits() || !self.node.raft.promotable() {
            return Ok(());
        }
        self.node.campaign().or_else(|error| invalid(error.to_string()))
    }

    fn append(&mut self, entries: Vec<Entry>) -> Proposed {
        let raft = &mut self.node.raft;
        if raft.state != StateRole::Leader {
            return Proposed::NotLeader(raft.leader_id);
        }
        if let Some(to) = raft.lead_transferee {
            return Proposed::Transferring(to);
        }
        let first = raft.raft_log.last_index() + 1;
        assert!(first + (entries.len() as u64) < INTEGER_LIMIT, "log index out of range");
        let mut message = Message::default();
        message.set_msg_type(MessageType::MsgPropose);
        message.from = raft.id;
        message.set_entries(entries.into());
        match raft.step(message) {
            Ok(()) => Proposed::Appended { first, term: raft.term },
            Err(raft::Error::ProposalDropped) => Proposed::Exhausted,
            Err(error) => panic!("proposal failed: {}", error),
        }
    }

    pub fn propose(&mut self, datas: Vec<Bytes>) -> Proposed {
        let entry = |data| {
            let mut entry = Entry::default();
            entry.data = data;
            entry
        };
        self.append(datas.into_iter().map(entry).collect())
    }

    pub fn propose_members(&mut self, change: &ConfChangeV2) -> Proposed {
        let raft = &self.node.raft;
        if !self.leads() {
            return Proposed::NotLeader(raft.leader_id);
        }
        // raft-rs would silently append an empty entry instead of a change it does not take.
        if raft.has_pending_conf() {
            return Proposed::Pending;
        }
        let mut changer = Changer::new(raft.prs());
        let tried = if change.leave_joint() {
            changer.leave_joint()
        } else if let Some(auto_leave) = change.enter_joint() {
            changer.enter_joint(auto_leave, &change.changes)
        } else {
            changer.simple(&change.changes)
        };
        if let Err(error) = tried {
            return Proposed::Invalid(error.to_string());
        }
        let mut entry = Entry::default();
        entry.set_entry_type(EntryType::EntryConfChangeV2);
        entry.data = change.write_to_bytes().expect("encodes a membership change").into();
        self.append(vec![entry])
    }

    pub fn apply_members(&mut self, data: &[u8]) -> Outcome<(ConfState, ConfChangeV2)> {
        let mut change = ConfChangeV2::default();
        if let Err(error) = change.merge_from_bytes(data) {
            return corrupt(format!("membership change cannot be decoded: {}", error));
        }
        let state = match self.node.apply_conf_change(&change) {
            Ok(state) => state,
            Err(error) => return invalid(error.to_string()),
        };
        let raft = &mut self.node.raft;
        if raft.state == StateRole::Leader && !raft.prs().conf().voters().contains(raft.id) {
            // raft-rs would lead on, and panic when it looks for its own progress.
            let term = raft.term;
            raft.become_follower(term, 0);
        }
        Ok((state, change))
    }

    fn read_prefix(&self) -> [u8; READ_PREFIX_BYTES] {
        let mut prefix = [0; READ_PREFIX_BYTES];
        prefix[..8].copy_from_slice(&self.node.raft.id.to_le_bytes());
        prefix[8..16].copy_from_slice(&self.read_epoch.to_le_bytes());
        prefix[16..].copy_from_slice(&self.read_count.to_le_bytes());
        prefix
    }

    pub fn read_index(&mut self, context: &[u8]) -> Asked {
        let raft = &self.node.raft;
        if self.leads() && !raft.commit_to_current_term() {
            return Asked::NotReady;
        }
        if !self.leads() && (raft.state != StateRole::Follower || raft.leader_id == 0) {
            return Asked::NoLeader;
        }
        if raft.pending_read_count() >= READS_MAX {
            return Asked::Exhausted;
        }
        // A leader answers a context it knows from the older request: none may ever repeat.
        self.read_count += 1;
        let mut unique = self.read_prefix().to_vec();
        unique.extend_from_slice(context);
        self.node.read_index(unique);
        Asked::Asked
    }

    pub fn step(&mut self, messages: Vec<Message>) -> Stepped {
        let mut result = Stepped { stepped: 0, ignored: 0, damage: None };
        for mut message in messages {
            self.ask_anew(&message);
            self.stop_growing(&mut message);
            let waits = self.election_waits();
            match checks::judge(&self.node, &message, waits, READS_MAX) {
                Verdict::Take => match self.node.step(message) {
                    Ok(()) => result.stepped += 1,
                    Err(_) => result.ignored += 1,
                },
                Verdict::Ignore => result.ignored += 1,
                Verdict::Damage(reason) => {
                    result.damage = Some(reason);
                    break;
                }
            }
        }
        self.pursue_snapshot();
        result
    }

    /// raft-rs asks for a snapshot that covers the whole log, and takes no appends until it comes: if part
    /// of the log is not committed, and cannot be without this replica's answers, that is for ever. So
    /// the log first stops growing, until what there is, acknowledged, is committed.
    fn stop_growing(&self, message: &mut Message) {
        let raft = &self.node.raft;
        let append = message.get_msg_type() == MessageType::MsgAppend && message.term == raft.term;
        if self.wants_snapshot && append && raft.raft_log.last_term() == raft.term {
            let kept = raft.raft_log.last_index().saturating_sub(message.index) as usize;
            message.mut_entries().truncate(kept);
        }
    }

    /// A new leader may know less to be committed than the request covers, and learns more only from
    /// answers to its appends: those come first again.
    fn ask_anew(&mut self, message: &Message) {
        let raft = &mut self.node.raft;
        if raft.pending_request_snapshot != 0 && message.term > raft.term {
            raft.pending_request_snapshot = 0;
            self.wants_snapshot = true;
        }
    }

    fn pursue_snapshot(&mut self) {
        let log = &self.node.raft.raft_log;
        if self.wants_snapshot && log.committed == log.last_index() {
            self.wants_snapshot = self.node.request_snapshot().is_err();
        }
    }

    pub fn has_work(&self) -> bool {
        let log = &self.node.raft.raft_log;
        let asks = log.store.asks.borrow();
        if !asks.fresh_fetches.is_empty() || !asks.fresh_snapshots.is_empty() {
            return true;
        }
        if !self.node.has_ready() {
            return false;
        }
        if !asks.fetches.values().any(|fetch| fetch.resume.is_none()) {
            return true;
        }
        // Committed entries wait to be fetched: only what else there is counts.
        let raft = &self.node.raft;
        !raft.msgs.is_empty()
            || !raft.read_states.is_empty()
            || !log.unstable_entries().is_empty()
            || self.node.snap().is_some()
            || raft.hard_state() != self.known_hard_state
            || (raft.leader_id, raft.state) != self.known_soft_state
    }

    /// The next Ready; its entries, state and snapshot count as stored from here on, as durable from
    /// `on_persisted` on.
    pub fn work(&mut self) -> Option<Work> {
        if !self.has_work() {
            return None;
        }
        let mut ready = self.node.ready();
        self.numbered = ready.number();
        let leads = self.leads();
        self.wants_snapshot &= !leads;
        if let Some(hard_state) = ready.hs() {
            let known = &self.known_hard_state;
            if hard_state.term != known.term || hard_state.vote != known.vote {
                self.hold_number = self.numbered;
            }
            self.known_hard_state = hard_state.clone();
        }
        self.known_soft_state = (self.node.raft.leader_id, self.node.raft.state);
        let mut messages = ready.take_messages();
        let mut persisted_messages = ready.take_persisted_messages();
        if leads && self.hold_number > self.persisted_number {
            // A lone voter leads before its vote is durable; learners must not hear of it yet.
            persisted_messages = std::mem::take(&mut messages);
        }
        let own = self.read_prefix();
        let read_states = ready
            .take_read_states()
            .into_iter()
            .filter(|state| state.request_ctx.starts_with(&own[..16]))
            .map(|mut state| {
                state.request_ctx.drain(..READ_PREFIX_BYTES);
                state
            })
            .collect();
        if let Some(last) = ready.committed_entries().last() {
            self.handed_out = last.index;
        }
        let snapshot = ready.snapshot().get_metadata();
        let (index, term) = (snapshot.index, snapshot.term);
        if index != 0 {
            self.handed_out = index;
            self.wants_snapshot = false;
            self.restoring.push_back((self.numbered, index));
            self.node.mut_store().restore(index, term);
        }
        let entries = ready.entries().clone();
        let handed_out = self.handed_out;
        let store = self.node.mut_store();
        store.append(&entries);
        while store.apply_cache.front().map_or(false, |entry| entry.index <= handed_out) {
            store.apply_cache.pop_front();
        }
        let must_sync = ready.must_sync();
        Some(Work { ready, messages, persisted_messages, read_states, must_sync })
    }

    /// Ends `work` after the results were written out.
    pub fn finish(&mut self, ready: Ready) {
        self.node.advance_append_async(ready);
    }

    fn shrink(&mut self) {
        let log = &self.node.raft.raft_log;
        let durable = std::cmp::min(log.persisted, log.applied);
        let (entries_max, bytes_max) = (self.bounds.tail_entries, self.bounds.tail_bytes);
        self.node.mut_store().shrink(durable, entries_max, bytes_max);
    }

    pub fn on_persisted(&mut self, number: u64) -> Outcome<()> {
        if number <= self.persisted_number || number > self.numbered {
            return invalid(format!(
                "Ready {} is not outstanding ({} handed out, {} persisted)",
                number, self.numbered, self.persisted_number
            ));
        }
        self.node.on_persist_ready(number);
        self.persisted_number = number;
        while self.restoring.front().map_or(false, |entry| entry.0 <= number) {
            if let Some((_, index)) = self.restoring.pop_front() {
                if index > self.node.raft.raft_log.applied {
                    self.advance_apply(index);
                }
            }
        }
        self.shrink();
        Ok(())
    }

    fn advance_apply(&mut self, index: u64) {
        let last = self.node.raft.raft_log.last_index();
        self.node.advance_apply_to(index);
        self.node.mut_store().drop_members_to(index);
        if self.leads() && self.node.raft.raft_log.last_index() > last {
            // raft-rs appended the entry that leaves a joint state, but would send it only later.
            self.node.raft.bcast_append();
        }
    }

    pub fn on_applied(&mut self, index: u64) -> Outcome<()> {
        let log = &self.node.raft.raft_log;
        let highest = std::cmp::min(self.handed_out, std::cmp::min(log.committed, log.persisted));
        if index < log.applied || index > highest {
            return invalid(format!(
                "applied index {} is outside {}..{}",
                index, log.applied, highest
            ));
        }
        if index > log.applied {
            self.advance_apply(index);
            self.shrink();
        }
        Ok(())
    }

    pub fn compact(&mut self, index: u64) -> Outcome<()> {
        let applied = self.node.raft.raft_log.applied;
        if index > applied {
            return invalid(format!("compaction to {} beyond applied {}", index, applied));
        }
        if index > self.node.store().snapshot.0 {
            self.node.mut_store().compact(index);
        }
        Ok(())
    }

    pub fn provide(&mut self, token: u64, entries: Vec<Entry>) -> Outcome<()> {
        let store = self.node.mut_store();
        let asks = store.asks.borrow();
        let fetch = match asks.fetches.get(&token) {
            Some(fetch) => fetch,
            None => return Ok(()),
        };
        if entries.len() as u64 > fetch.last + 1 - fetch.first {
            return invalid(format!("more entries than asked for from {}", fetch.first));
        }
        for (offset, entry) in entries.iter().enumerate() {
            let index = fetch.first + offset as u64;
            // The log may have been cut or replaced since; then nothing is wrong with the entries.
            let replaced = store.term_of(index).map_or(true, |term| term != entry.term);
            if entry.index != index || (replaced && fetch.resume.is_none()) {
                return corrupt(format!("fetched entry {} is not the log's", index));
            }
        }
        drop(asks);
        let fetch = store.asks.get_mut().fetches.remove(&token).expect("token is known");
        let agrees = |entry: &Entry| store.term_of(entry.index) == Some(entry.term);
        let same = entries.iter().all(agrees);
        match fetch.resume {
            None => store.apply_cache = entries.into(),
            Some(_) if entries.is_empty() || !same => return Ok(()),
            Some(context) => {
                store.append_cache = entries;
                self.node.on_entries_fetched(context);
                self.node.mut_store().append_cache = Vec::new();
            }
        }
        Ok(())
    }

    pub fn offer(&mut self, offer: Option<Offer>) -> Outcome<()> {
        let applied = self.node.raft.raft_log.applied;
        let store = self.node.mut_store();
        if let Some(offer) = &offer {
            members::check(&offer.conf_state)?;
            if offer.index < store.snapshot.0 {
                // The log was cut, or a snapshot taken, while the host made this one: of no use.
                return Ok(());
            }
            if offer.index > applied || offer.index == 0 {
                return invalid(format!(
                    "snapshot index {} is beyond the applied {}",
                    offer.index, applied
                ));
            }
        }
        let fulfils = offer.is_some();
        store.offer = offer;
        let asks = store.asks.get_mut();
        let waiting = std::mem::take(&mut asks.snapshots);
        asks.fresh_snapshots.clear();
        for (to, _) in waiting {
            if fulfils && self.leads() && self.node.raft.prs().get(to).is_some() {
                self.node.raft.send_append(to);
            }
        }
        Ok(())
    }

    pub fn transfer(&mut self, to: u64) -> bool {
        let raft = &self.node.raft;
        let able = self.leads() && to != raft.id && raft.prs().conf().voters().contains(to);
        if able {
            self.node.transfer_leader(to);
        }
        able
    }

    pub fn report_snapshot(&mut self, to: u64, delivered: bool) {
        let status = if delivered { SnapshotStatus::Finish } else { SnapshotStatus::Failure };
        self.node.report_snapshot(to, status);
    }

    /// False on a leader. Else the leader is asked now or as soon as that is possible.
    pub fn request_snapshot(&mut self) -> bool {
        if self.leads() {
            return false;
        }
        if self.node.raft.pending_request_snapshot == 0 && self.restoring.is_empty() {
            self.wants_snapshot = true;
            self.pursue_snapshot();
        }
        true
    }
}
