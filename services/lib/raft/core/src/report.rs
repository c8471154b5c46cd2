// Writes what the other side reads: Readys, message heads, membership changes, status.

use crate::codec::Writer;
use crate::group::{Group, Work};
use protobuf::Message as _;
use raft::eraftpb::{ConfChangeType, ConfChangeV2, Message, MessageType, Snapshot};
use raft::{ProgressState, StateRole};

fn role(state: StateRole) -> u8 {
    match state {
        StateRole::Follower => 0,
        StateRole::PreCandidate => 1,
        StateRole::Candidate => 2,
        StateRole::Leader => 3,
    }
}

pub fn write_change(output: &mut Writer, change: &ConfChangeV2) {
    output.count(change.changes.len());
    for single in change.changes.iter() {
        output.byte(match single.get_change_type() {
            ConfChangeType::AddNode => 0,
            ConfChangeType::AddLearnerNode => 1,
            ConfChangeType::RemoveNode => 2,
        });
        output.integer(single.node_id);
    }
    output.blob(&change.context);
}

fn write_snapshot(output: &mut Writer, snapshot: &Snapshot) {
    let metadata = snapshot.get_metadata();
    output.integer(metadata.index);
    output.integer(metadata.term);
    output.conf_state(metadata.get_conf_state());
    output.blob(&snapshot.data);
}

pub fn write_head(output: &mut Writer, message: &Message) {
    let kind = message.get_msg_type();
    output.byte(kind as u8);
    output.integer(message.from);
    output.integer(message.to);
    output.integer(message.term);
    output.integer(message.log_term);
    output.integer(message.index);
    output.integer(message.commit);
    output.flag(message.reject);
    output.count(message.entries.len());
    if kind == MessageType::MsgSnapshot {
        write_snapshot(output, message.get_snapshot());
    }
}

fn write_messages(output: &mut Writer, messages: &[Message]) {
    output.count(messages.len());
    for message in messages {
        write_head(output, message);
        // The length goes before the bytes, which are written in place.
        let size = message.compute_size() as usize;
        output.count(size);
        let before = output.bytes.len();
        message.write_to_vec(&mut output.bytes).expect("encodes a message");
        assert!(output.bytes.len() - before == size, "message size");
    }
}

pub fn write_work(output: &mut Writer, group: &mut Group, work: &Work) {
    let ready = &work.ready;
    output.integer(ready.number());
    output.flag(work.must_sync);
    output.flag(ready.hs().is_some());
    if let Some(state) = ready.hs() {
        output.integer(state.term);
        output.integer(state.vote);
        output.integer(state.commit);
    }
    output.flag(ready.ss().is_some());
    if let Some(state) = ready.ss() {
        output.integer(state.leader_id);
        output.byte(role(state.raft_state));
    }
    output.flag(!ready.snapshot().is_empty());
    if !ready.snapshot().is_empty() {
        write_snapshot(output, ready.snapshot());
    }
    output.entries(ready.entries());
    write_messages(output, &work.messages);
    write_messages(output, &work.persisted_messages);
    output.entries(ready.committed_entries());
    output.count(work.read_states.len());
    for state in &work.read_states {
        output.integer(state.index);
        output.blob(&state.request_ctx);
    }
    write_asks(output, group);
}

fn write_asks(output: &mut Writer, group: &mut Group) {
    let asks = group.node.mut_store().asks.get_mut();
    let tokens = std::mem::take(&mut asks.fresh_fetches);
    let fetches: Vec<_> =
        tokens.iter().filter_map(|token| Some((token, asks.fetches.get(token)?))).collect();
    output.count(fetches.len());
    for (token, fetch) in fetches {
        output.integer(*token);
        output.integer(fetch.first);
        output.integer(fetch.last);
        // "No limit" is beyond what the other side can count to.
        output.integer(std::cmp::min(fetch.bytes_max, u64::from(u32::MAX)));
        output.flag(fetch.resume.is_none());
    }
    let mut nodes = std::mem::take(&mut asks.fresh_snapshots);
    nodes.sort_unstable();
    nodes.dedup();
    output.count(nodes.len());
    for node in nodes {
        output.integer(node);
        output.integer(asks.snapshots.get(&node).copied().unwrap_or(0));
    }
}

pub fn write_status(output: &mut Writer, group: &Group) {
    let raft = &group.node.raft;
    let log = &raft.raft_log;
    output.byte(role(raft.state));
    output.integer(raft.leader_id);
    output.integer(raft.term);
    output.integer(raft.vote);
    output.integer(log.committed);
    output.integer(log.applied);
    output.integer(log.persisted);
    output.integer(log.first_index());
    output.integer(log.last_index());
    output.conf_state(&raft.prs().conf().to_conf_state());
    output.flag(raft.state == StateRole::Leader && raft.commit_to_current_term());
    output.integer(raft.lead_transferee.unwrap_or(0));
    let leads = raft.state == StateRole::Leader;
    let mut peers: Vec<_> = raft.prs().iter().filter(|_| leads).collect();
    peers.sort_unstable_by_key(|(id, _)| **id);
    output.count(peers.len());
    for (id, progress) in peers {
        output.integer(*id);
        output.integer(progress.matched);
        output.integer(progress.next_idx);
        output.byte(match progress.state {
            ProgressState::Probe => 0,
            ProgressState::Replicate => 1,
            ProgressState::Snapshot => 2,
        });
        output.flag(progress.recent_active);
        output.flag(progress.is_paused());
        output.integer(progress.pending_snapshot);
    }
    output.integer(raft.uncommitted_size() as u64);
    let (entries, bytes) = log.store.held();
    output.count(entries);
    output.count(bytes);
}
