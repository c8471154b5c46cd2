// Randomness for election timeouts, drawn from the seed the host gave: raft-rs asks `rand`, which asks
// `getrandom`, which is answered here. The same seed and the same calls give the same timeouts.
// Not for secrets.

static mut STATE: u64 = 0;

pub fn seed(value: u64) {
    unsafe { STATE = value }
}

/// The next number of SplitMix64 (Steele, Lea, Flood 2014).
pub fn next() -> u64 {
    let state = unsafe {
        STATE = STATE.wrapping_add(0x9e37_79b9_7f4a_7c15);
        STATE
    };
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn fill(target: &mut [u8]) -> Result<(), getrandom::Error> {
    for chunk in target.chunks_mut(8) {
        chunk.copy_from_slice(&next().to_le_bytes()[..chunk.len()]);
    }
    Ok(())
}

getrandom::register_custom_getrandom!(fill);
