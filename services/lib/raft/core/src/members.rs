// Whether a membership makes sense, checked before raft-rs sees it: it stops the process on one that
// it cannot restore exactly. The rules are those of its configuration changer.

use crate::failure::{invalid, Outcome};
use raft::eraftpb::ConfState;
use std::collections::BTreeSet;

fn set(what: &str, list: &[u64]) -> Outcome<BTreeSet<u64>> {
    let set: BTreeSet<u64> = list.iter().copied().collect();
    if set.len() != list.len() || set.contains(&0) {
        return invalid(format!("{} holds 0 or a node twice", what));
    }
    Ok(set)
}

pub fn check(state: &ConfState) -> Outcome<()> {
    let voters = set("voters", &state.voters)?;
    let learners = set("learners", &state.learners)?;
    let outgoing = set("votersOutgoing", &state.voters_outgoing)?;
    let next = set("learnersNext", &state.learners_next)?;
    if learners.iter().any(|id| voters.contains(id) || outgoing.contains(id)) {
        return invalid("a learner is a voter too".to_owned());
    }
    if next.iter().any(|id| voters.contains(id) || !outgoing.contains(id)) {
        return invalid("learnersNext must be voters that leave".to_owned());
    }
    if outgoing.is_empty() && state.auto_leave {
        return invalid("autoLeave outside a joint state".to_owned());
    }
    if voters.is_empty() && !(outgoing.is_empty() && learners.is_empty()) {
        return invalid("no voters".to_owned());
    }
    Ok(())
}

pub fn contains(state: &ConfState, node: u64) -> bool {
    [&state.voters, &state.learners, &state.voters_outgoing, &state.learners_next]
        .iter()
        .any(|list| list.contains(&node))
}
