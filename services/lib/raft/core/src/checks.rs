// What a message must be before raft-rs sees it. raft-rs trusts its peers and panics on contradictions,
// which would kill every group of the instance; here a malformed message is refused, one that does not
// concern this replica is ignored, and one that proves lost acknowledged data is reported as damage.

use crate::codec::INTEGER_LIMIT;
use crate::failure::{corrupt, Outcome};
use crate::members;
use crate::tail::Tail;
use bytes::Bytes;
use protobuf::{CodedInputStream, Message as _};
use raft::eraftpb::{Message, MessageType};
use raft::{RawNode, StateRole};

pub enum Verdict {
    Take,
    Ignore,
    Damage(String),
}

/// Decodes; entry data are views of `bytes`.
pub fn decode(bytes: &Bytes) -> Outcome<Message> {
    let mut message = Message::default();
    let mut stream = CodedInputStream::from_carllerche_bytes(bytes);
    if let Err(error) = message.merge_from(&mut stream) {
        return corrupt(format!("message cannot be decoded: {}", error));
    }
    let numbers = [
        message.to,
        message.from,
        message.term,
        message.log_term,
        message.index,
        message.commit,
        message.commit_term,
        message.request_snapshot,
        message.get_snapshot().get_metadata().index,
        message.get_snapshot().get_metadata().term,
    ];
    if numbers.iter().any(|number| *number >= INTEGER_LIMIT) {
        return corrupt("message holds a number out of range".to_owned());
    }
    Ok(message)
}

/// Properties that hold of every message of a correct peer, whatever the state here.
pub fn well_formed(message: &Message) -> Outcome<()> {
    let kind = message.get_msg_type();
    if message.from == 0 || message.to == 0 {
        return corrupt("message without sender or receiver".to_owned());
    }
    // raft-rs takes term 0 for "made here".
    let bare = kind == MessageType::MsgPropose || kind == MessageType::MsgReadIndex;
    if bare != (message.term == 0) {
        return corrupt(format!("{:?} with term {}", kind, message.term));
    }
    if bare && message.entries.len() != 1 && kind == MessageType::MsgReadIndex {
        return corrupt("read index without its context".to_owned());
    }
    if kind == MessageType::MsgAppend {
        // raft-rs gives term 0 to what lies outside its log, and would find it equal.
        if (message.index == 0) != (message.log_term == 0) {
            return corrupt(format!("append after {} of term {}", message.index, message.log_term));
        }
        let mut term = message.log_term;
        for (offset, entry) in message.entries.iter().enumerate() {
            let index = message.index + 1 + offset as u64;
            if entry.index != index || entry.term < term || entry.term > message.term {
                return corrupt(format!("append breaks at index {}", index));
            }
            term = entry.term;
        }
    }
    if kind == MessageType::MsgSnapshot {
        let metadata = message.get_snapshot().get_metadata();
        if metadata.index == 0 || metadata.term == 0 || metadata.term > message.term {
            return corrupt("snapshot without index or term".to_owned());
        }
        if let Err(failure) = members::check(metadata.get_conf_state()) {
            return corrupt(format!("snapshot membership: {}", failure.reason));
        }
    }
    Ok(())
}

/// What to do with a well-formed message in the present state. `waits`: no election may start now.
pub fn judge(node: &RawNode<Tail>, message: &Message, waits: bool, reads_max: usize) -> Verdict {
    let raft = &node.raft;
    let leads = raft.state == StateRole::Leader;
    // A leader takes such messages only from a later term, as a follower of it.
    let follows = message.term > raft.term || (message.term == raft.term && !leads);
    if message.to != raft.id || message.from == raft.id {
        return Verdict::Ignore;
    }
    match message.get_msg_type() {
        // Proposals are made at the leader only; forwarding again is where raft-rs would panic.
        MessageType::MsgPropose | MessageType::MsgTransferLeader => Verdict::Ignore,
        MessageType::MsgReadIndex if !leads || raft.pending_read_count() >= reads_max => {
            Verdict::Ignore
        }
        MessageType::MsgTimeoutNow if waits => Verdict::Ignore,
        MessageType::MsgHeartbeat if follows => {
            let last = raft.raft_log.last_index();
            if message.commit > last {
                return Verdict::Damage(format!(
                    "node {} counts on entries up to {}, the log ends at {}",
                    message.from, message.commit, last
                ));
            }
            Verdict::Take
        }
        MessageType::MsgAppend if follows => judge_append(node, message),
        MessageType::MsgAppendResponse
            if leads
                && !message.reject
                && message.term == raft.term
                && message.index > raft.raft_log.last_index() =>
        {
            Verdict::Damage(format!(
                "node {} acknowledged entry {}, the log ends at {}",
                message.from,
                message.index,
                raft.raft_log.last_index()
            ))
        }
        _ => Verdict::Take,
    }
}

/// A leader's log holds every committed entry, so it can never contradict one of ours.
fn judge_append(node: &RawNode<Tail>, message: &Message) -> Verdict {
    let log = &node.raft.raft_log;
    let known = |index: u64| index >= log.first_index() && index <= log.committed;
    let differs = |index: u64, term: u64| known(index) && !log.match_term(index, term);
    let previous = (message.index, message.log_term);
    let pairs = message.entries.iter().map(|entry| (entry.index, entry.term));
    for (index, term) in std::iter::once(previous).chain(pairs) {
        if differs(index, term) {
            return Verdict::Damage(format!("node {} has another committed entry {}", message.from, index));
        }
    }
    Verdict::Take
}
