// The exported functions. Each takes a group id, one more number and `length` bytes of arguments in
// the buffer that `reserve` gave, and returns 0 or a failure code; results (or the failure's
// sentence) lie at `output_pointer` until the next call. One call carries a batch.
// There are no imports: nothing outside can be called from here, nor fail here. A panic leaves its
// sentence at `panic_pointer` and traps; the instance must not be used after that.

mod checks;
mod codec;
mod failure;
mod group;
mod members;
mod random;
mod report;
mod tail;

use bytes::Bytes;
use codec::{integer, Reader, Writer};
use failure::{refuse, Code, Outcome};
use group::{Asked, Bounds, Group, Opening, Proposed};
use raft::eraftpb::{
    ConfChangeSingle, ConfChangeTransition, ConfChangeType, ConfChangeV2, HardState,
};
use std::collections::{BTreeMap, BTreeSet};
use tail::{Log, Offer};

/// Buffers beyond this are given back after a call.
const BUFFER_KEPT_BYTES: usize = 1 << 20;

#[derive(Default)]
struct Core {
    groups: BTreeMap<u64, Group>,
    /// Groups touched since their last Ready.
    touched: BTreeSet<u64>,
    input: Vec<u8>,
    output: Writer,
}

static mut CORE: Option<Core> = None;
static mut PANIC: String = String::new();

fn core() -> &'static mut Core {
    unsafe { CORE.get_or_insert_with(Core::default) }
}

impl Core {
    fn group(&mut self, id: f64) -> Outcome<&mut Group> {
        let id = integer(id);
        match self.groups.get_mut(&id) {
            Some(group) => {
                self.touched.insert(id);
                Ok(group)
            }
            None => refuse(Code::NotFound, format!("raft group {} is not open", id)),
        }
    }
}

/// Runs one call: hands it its arguments, leaves its result or its failure in the output.
fn call(length: u32, body: impl FnOnce(&mut Core, Reader, &mut Writer) -> Outcome<()>) -> u32 {
    let core = core();
    let mut input = std::mem::take(&mut core.input);
    input.truncate(length as usize);
    let mut output = std::mem::take(&mut core.output);
    output.bytes.clear();
    if output.bytes.capacity() > BUFFER_KEPT_BYTES {
        output = Writer::default();
    }
    let result = body(core, Reader::new(Bytes::from(input)), &mut output);
    let status = match result {
        Ok(()) => 0,
        Err(failure) => {
            output.bytes.clear();
            output.bytes.extend_from_slice(failure.reason.as_bytes());
            failure.code as u32
        }
    };
    core.output = output;
    status
}

#[no_mangle]
pub extern "C" fn start(seed_high: u32, seed_low: u32) {
    std::panic::set_hook(Box::new(|info| unsafe { PANIC = info.to_string() }));
    random::seed((u64::from(seed_high) << 32) | u64::from(seed_low));
}

#[no_mangle]
pub extern "C" fn reserve(length: u32) -> *mut u8 {
    let input = &mut core().input;
    input.resize(length as usize, 0);
    input.as_mut_ptr()
}

#[no_mangle]
pub extern "C" fn output_pointer() -> *const u8 {
    core().output.bytes.as_ptr()
}

#[no_mangle]
pub extern "C" fn output_length() -> u32 {
    core().output.bytes.len() as u32
}

#[no_mangle]
pub extern "C" fn panic_pointer() -> *const u8 {
    unsafe { PANIC.as_ptr() }
}

#[no_mangle]
pub extern "C" fn panic_length() -> u32 {
    unsafe { PANIC.len() as u32 }
}

fn read_opening(reader: &mut Reader) -> Opening {
    Opening {
        node_id: reader.integer(),
        election_ticks: reader.count(),
        heartbeat_ticks: reader.count(),
        pre_vote: reader.flag(),
        check_quorum: reader.flag(),
        priority: reader.float() as i64,
        hard_state: {
            let mut state = HardState::default();
            state.term = reader.integer();
            state.vote = reader.integer();
            state.commit = reader.integer();
            state
        },
        conf_state: reader.conf_state(),
        applied: reader.integer(),
        log: Log {
            snapshot: (reader.integer(), reader.integer()),
            last_index: reader.integer(),
            runs: {
                let count = reader.count();
                (0..count).map(|_| (reader.integer(), reader.integer())).collect()
            },
            members: reader.integers(),
            entries: reader.entries(),
        },
        bounds: Bounds {
            message_bytes: reader.integer(),
            inflight_messages: reader.count(),
            uncommitted_bytes: reader.integer(),
            committed_bytes: reader.integer(),
            tail_entries: reader.count(),
            tail_bytes: reader.count(),
        },
    }
}

#[no_mangle]
pub extern "C" fn open_group(group: f64, _: f64, length: u32) -> u32 {
    call(length, |core, mut reader, _| {
        let id = integer(group);
        if core.groups.contains_key(&id) {
            return refuse(Code::Exists, format!("raft group {} is open already", id));
        }
        let opened = Group::open(read_opening(&mut reader))?;
        core.groups.insert(id, opened);
        core.touched.insert(id);
        Ok(())
    })
}

#[no_mangle]
pub extern "C" fn close_group(group: f64, _: f64, length: u32) -> u32 {
    call(length, |core, _, _| {
        core.group(group)?;
        core.groups.remove(&integer(group));
        core.touched.remove(&integer(group));
        Ok(())
    })
}

#[no_mangle]
pub extern "C" fn groups(_: f64, _: f64, length: u32) -> u32 {
    call(length, |core, _, output| {
        output.integers(&core.groups.keys().copied().collect::<Vec<_>>());
        Ok(())
    })
}

fn write_proposed(output: &mut Writer, proposed: Proposed) {
    match proposed {
        Proposed::Appended { first, term } => {
            output.byte(0);
            output.integer(first);
            output.integer(term);
        }
        Proposed::NotLeader(leader) => {
            output.byte(1);
            output.integer(leader);
        }
        Proposed::Transferring(to) => {
            output.byte(2);
            output.integer(to);
        }
        Proposed::Exhausted => output.byte(3),
        Proposed::Pending => output.byte(4),
        Proposed::Invalid(reason) => {
            output.byte(5);
            output.blob(reason.as_bytes());
        }
    }
}

#[no_mangle]
pub extern "C" fn propose(group: f64, _: f64, length: u32) -> u32 {
    call(length, |core, mut reader, output| {
        let count = reader.count();
        let datas = (0..count).map(|_| reader.copy()).collect();
        write_proposed(output, core.group(group)?.propose(datas));
        Ok(())
    })
}

#[no_mangle]
pub extern "C" fn propose_members(group: f64, _: f64, length: u32) -> u32 {
    call(length, |core, mut reader, output| {
        let mut change = ConfChangeV2::default();
        change.set_transition(match reader.byte() {
            0 => ConfChangeTransition::Auto,
            1 => ConfChangeTransition::Implicit,
            _ => ConfChangeTransition::Explicit,
        });
        for _ in 0..reader.count() {
            let mut single = ConfChangeSingle::default();
            single.set_change_type(match reader.byte() {
                0 => ConfChangeType::AddNode,
                1 => ConfChangeType::AddLearnerNode,
                _ => ConfChangeType::RemoveNode,
            });
            single.node_id = reader.integer();
            change.mut_changes().push(single);
        }
        change.context = reader.copy();
        write_proposed(output, core.group(group)?.propose_members(&change));
        Ok(())
    })
}

#[no_mangle]
pub extern "C" fn apply_members(group: f64, _: f64, length: u32) -> u32 {
    call(length, |core, mut reader, output| {
        let data = reader.view();
        let (state, change) = core.group(group)?.apply_members(&data)?;
        output.conf_state(&state);
        report::write_change(output, &change);
        Ok(())
    })
}

#[no_mangle]
pub extern "C" fn read_index(group: f64, _: f64, length: u32) -> u32 {
    call(length, |core, mut reader, output| {
        let context = reader.view();
        output.byte(match core.group(group)?.read_index(&context) {
            Asked::Asked => 0,
            Asked::NoLeader => 1,
            Asked::NotReady => 2,
            Asked::Exhausted => 3,
        });
        Ok(())
    })
}

#[no_mangle]
pub extern "C" fn step(group: f64, _: f64, length: u32) -> u32 {
    call(length, |core, mut reader, output| {
        let group = core.group(group)?;
        let mut messages = Vec::new();
        for _ in 0..reader.count() {
            // A buffer of its own for each: its entries stay views of it.
            let message = checks::decode(&reader.copy())?;
            checks::well_formed(&message)?;
            messages.push(message);
        }
        let stepped = group.step(messages);
        output.count(stepped.stepped);
        output.count(stepped.ignored);
        output.flag(stepped.damage.is_some());
        output.blob(stepped.damage.unwrap_or_default().as_bytes());
        Ok(())
    })
}

#[no_mangle]
pub extern "C" fn tick(group: f64, _: f64, length: u32) -> u32 {
    call(length, |core, _, _| {
        core.group(group)?.tick();
        Ok(())
    })
}

#[no_mangle]
pub extern "C" fn tick_all(_: f64, _: f64, length: u32) -> u32 {
    call(length, |core, _, _| {
        for (id, group) in core.groups.iter_mut() {
            if group.tick() {
                core.touched.insert(*id);
            }
        }
        Ok(())
    })
}

#[no_mangle]
pub extern "C" fn ready_groups(_: f64, _: f64, length: u32) -> u32 {
    call(length, |core, _, output| {
        let groups = &core.groups;
        core.touched.retain(|id| groups.get(id).map_or(false, Group::has_work));
        output.integers(&core.touched.iter().copied().collect::<Vec<_>>());
        Ok(())
    })
}

#[no_mangle]
pub extern "C" fn ready(group: f64, _: f64, length: u32) -> u32 {
    call(length, |core, _, output| {
        let group = core.group(group)?;
        if let Some(work) = group.work() {
            report::write_work(output, group, &work);
            group.finish(work.ready);
        }
        Ok(())
    })
}

#[no_mangle]
pub extern "C" fn on_persisted(group: f64, number: f64, length: u32) -> u32 {
    call(length, |core, _, _| core.group(group)?.on_persisted(integer(number)))
}

#[no_mangle]
pub extern "C" fn on_applied(group: f64, index: f64, length: u32) -> u32 {
    call(length, |core, _, _| core.group(group)?.on_applied(integer(index)))
}

#[no_mangle]
pub extern "C" fn compact_to(group: f64, index: f64, length: u32) -> u32 {
    call(length, |core, _, _| core.group(group)?.compact(integer(index)))
}

#[no_mangle]
pub extern "C" fn provide_entries(group: f64, token: f64, length: u32) -> u32 {
    call(length, |core, mut reader, _| {
        let entries = reader.entries();
        core.group(group)?.provide(integer(token), entries)
    })
}

#[no_mangle]
pub extern "C" fn offer_snapshot(group: f64, _: f64, length: u32) -> u32 {
    call(length, |core, mut reader, _| {
        let offer = if reader.flag() {
            let index = reader.integer();
            let conf_state = reader.conf_state();
            Some(Offer { index, conf_state, context: reader.copy() })
        } else {
            None
        };
        core.group(group)?.offer(offer)
    })
}

#[no_mangle]
pub extern "C" fn campaign(group: f64, _: f64, length: u32) -> u32 {
    call(length, |core, _, _| core.group(group)?.campaign())
}

#[no_mangle]
pub extern "C" fn transfer_leader(group: f64, to: f64, length: u32) -> u32 {
    call(length, |core, _, output| {
        output.flag(core.group(group)?.transfer(integer(to)));
        Ok(())
    })
}

#[no_mangle]
pub extern "C" fn report_unreachable(group: f64, node: f64, length: u32) -> u32 {
    call(length, |core, _, _| {
        core.group(group)?.node.report_unreachable(integer(node));
        Ok(())
    })
}

#[no_mangle]
pub extern "C" fn report_snapshot(group: f64, node: f64, length: u32) -> u32 {
    call(length, |core, mut reader, _| {
        let delivered = reader.flag();
        core.group(group)?.report_snapshot(integer(node), delivered);
        Ok(())
    })
}

#[no_mangle]
pub extern "C" fn request_snapshot(group: f64, _: f64, length: u32) -> u32 {
    call(length, |core, _, output| {
        output.flag(core.group(group)?.request_snapshot());
        Ok(())
    })
}

#[no_mangle]
pub extern "C" fn set_priority(group: f64, priority: f64, length: u32) -> u32 {
    call(length, |core, _, _| {
        core.group(group)?.node.set_priority(priority as i64);
        Ok(())
    })
}

#[no_mangle]
pub extern "C" fn status(group: f64, _: f64, length: u32) -> u32 {
    call(length, |core, _, output| {
        report::write_status(output, core.group(group)?);
        Ok(())
    })
}

#[no_mangle]
pub extern "C" fn inspect(_: f64, _: f64, length: u32) -> u32 {
    call(length, |_, mut reader, output| {
        let message = checks::decode(&reader.view())?;
        report::write_head(output, &message);
        Ok(())
    })
}
