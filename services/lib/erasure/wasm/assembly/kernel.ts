// Product of a coefficient matrix over GF(2^8) with rows of bytes, 32 bytes a step. Compiled by
// AssemblyScript (see ../build.ts); it is not TypeScript for Node. All addresses are given by the
// caller; nothing is allocated here. Each coefficient comes as 32 bytes: its products with 0..15,
// then its products with 0x00, 0x10 .. 0xf0 (Plank, Greenan, Miller, "Screaming Fast Galois Field
// Arithmetic Using Intel SIMD Instructions", FAST 2013).

const TABLE: usize = 32;

/**
 * out[r] = sum over c of matrix[r][c] * in[c], for r < outputs, c < inputs, `length` bytes a row
 * (a multiple of 32). Row c of the inputs begins at `input + c * stride`, row r of the outputs at
 * `output + r * stride`; `tables` holds outputs * inputs coefficients, row by row.
 */
export function multiply(
  tables: usize,
  input: usize,
  inputs: usize,
  output: usize,
  outputs: usize,
  stride: usize,
  length: usize,
): void {
  const rowTables = inputs * TABLE;
  let left = outputs;
  while (left >= 4) {
    four(tables, rowTables, input, output, stride, length);
    tables += 4 * rowTables;
    output += 4 * stride;
    left -= 4;
  }
  if (left == 3) three(tables, rowTables, input, output, stride, length);
  else if (left == 2) two(tables, rowTables, input, output, stride, length);
  else if (left == 1) one(tables, rowTables, input, output, stride, length);
}

// @ts-ignore: decorator
@inline
function product(table: usize, low: v128, high: v128): v128 {
  return v128.xor(
    i8x16.swizzle(v128.load(table), low),
    i8x16.swizzle(v128.load(table, 16), high),
  );
}

function one(
  tables: usize,
  rowTables: usize,
  input: usize,
  output: usize,
  stride: usize,
  length: usize,
): void {
  const nibble = i8x16.splat(0x0f);
  for (let at: usize = 0; at < length; at += 32) {
    let a0 = i8x16.splat(0);
    let a1 = i8x16.splat(0);
    let row = input + at;
    for (let t: usize = tables, end = tables + rowTables; t < end; t += TABLE, row += stride) {
      const x = v128.load(row);
      const y = v128.load(row, 16);
      a0 = v128.xor(a0, product(t, v128.and(x, nibble), i8x16.shr_u(x, 4)));
      a1 = v128.xor(a1, product(t, v128.and(y, nibble), i8x16.shr_u(y, 4)));
    }
    v128.store(output + at, a0);
    v128.store(output + at, a1, 16);
  }
}

function two(
  tables: usize,
  rowTables: usize,
  input: usize,
  output: usize,
  stride: usize,
  length: usize,
): void {
  const nibble = i8x16.splat(0x0f);
  for (let at: usize = 0; at < length; at += 32) {
    let a0 = i8x16.splat(0);
    let a1 = i8x16.splat(0);
    let b0 = i8x16.splat(0);
    let b1 = i8x16.splat(0);
    let row = input + at;
    for (let t: usize = tables, end = tables + rowTables; t < end; t += TABLE, row += stride) {
      const x = v128.load(row);
      const y = v128.load(row, 16);
      const xl = v128.and(x, nibble);
      const xh = i8x16.shr_u(x, 4);
      const yl = v128.and(y, nibble);
      const yh = i8x16.shr_u(y, 4);
      a0 = v128.xor(a0, product(t, xl, xh));
      a1 = v128.xor(a1, product(t, yl, yh));
      const u = t + rowTables;
      b0 = v128.xor(b0, product(u, xl, xh));
      b1 = v128.xor(b1, product(u, yl, yh));
    }
    const to = output + at;
    v128.store(to, a0);
    v128.store(to, a1, 16);
    v128.store(to + stride, b0);
    v128.store(to + stride, b1, 16);
  }
}

function three(
  tables: usize,
  rowTables: usize,
  input: usize,
  output: usize,
  stride: usize,
  length: usize,
): void {
  const nibble = i8x16.splat(0x0f);
  for (let at: usize = 0; at < length; at += 32) {
    let a0 = i8x16.splat(0);
    let a1 = i8x16.splat(0);
    let b0 = i8x16.splat(0);
    let b1 = i8x16.splat(0);
    let c0 = i8x16.splat(0);
    let c1 = i8x16.splat(0);
    let row = input + at;
    for (let t: usize = tables, end = tables + rowTables; t < end; t += TABLE, row += stride) {
      const x = v128.load(row);
      const y = v128.load(row, 16);
      const xl = v128.and(x, nibble);
      const xh = i8x16.shr_u(x, 4);
      const yl = v128.and(y, nibble);
      const yh = i8x16.shr_u(y, 4);
      a0 = v128.xor(a0, product(t, xl, xh));
      a1 = v128.xor(a1, product(t, yl, yh));
      let u = t + rowTables;
      b0 = v128.xor(b0, product(u, xl, xh));
      b1 = v128.xor(b1, product(u, yl, yh));
      u += rowTables;
      c0 = v128.xor(c0, product(u, xl, xh));
      c1 = v128.xor(c1, product(u, yl, yh));
    }
    let to = output + at;
    v128.store(to, a0);
    v128.store(to, a1, 16);
    to += stride;
    v128.store(to, b0);
    v128.store(to, b1, 16);
    to += stride;
    v128.store(to, c0);
    v128.store(to, c1, 16);
  }
}

function four(
  tables: usize,
  rowTables: usize,
  input: usize,
  output: usize,
  stride: usize,
  length: usize,
): void {
  const nibble = i8x16.splat(0x0f);
  for (let at: usize = 0; at < length; at += 32) {
    let a0 = i8x16.splat(0);
    let a1 = i8x16.splat(0);
    let b0 = i8x16.splat(0);
    let b1 = i8x16.splat(0);
    let c0 = i8x16.splat(0);
    let c1 = i8x16.splat(0);
    let d0 = i8x16.splat(0);
    let d1 = i8x16.splat(0);
    let row = input + at;
    for (let t: usize = tables, end = tables + rowTables; t < end; t += TABLE, row += stride) {
      const x = v128.load(row);
      const y = v128.load(row, 16);
      const xl = v128.and(x, nibble);
      const xh = i8x16.shr_u(x, 4);
      const yl = v128.and(y, nibble);
      const yh = i8x16.shr_u(y, 4);
      a0 = v128.xor(a0, product(t, xl, xh));
      a1 = v128.xor(a1, product(t, yl, yh));
      let u = t + rowTables;
      b0 = v128.xor(b0, product(u, xl, xh));
      b1 = v128.xor(b1, product(u, yl, yh));
      u += rowTables;
      c0 = v128.xor(c0, product(u, xl, xh));
      c1 = v128.xor(c1, product(u, yl, yh));
      u += rowTables;
      d0 = v128.xor(d0, product(u, xl, xh));
      d1 = v128.xor(d1, product(u, yl, yh));
    }
    let to = output + at;
    v128.store(to, a0);
    v128.store(to, a1, 16);
    to += stride;
    v128.store(to, b0);
    v128.store(to, b1, 16);
    to += stride;
    v128.store(to, c0);
    v128.store(to, c1, 16);
    to += stride;
    v128.store(to, d0);
    v128.store(to, d1, 16);
  }
}
