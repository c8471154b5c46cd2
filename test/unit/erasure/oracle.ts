// A second, slow Reed-Solomon coder that shares no code with the product: bitwise multiplication,
// inverses by search, Lagrange interpolation instead of matrices. Shard r of a chunk is the value
// at point r of the polynomial of degree below k that passes through the data at points 0..k-1;
// that is what a Vandermonde matrix made systematic computes.

function multiply(a: number, b: number): number {
  let product = 0;
  let shifted = a;
  for (let bits = b; bits > 0; bits >>= 1) {
    if ((bits & 1) === 1) product ^= shifted;
    shifted <<= 1;
    if (shifted > 0xff) shifted ^= 0x11d;
  }
  return product;
}

function inverse(value: number): number {
  for (let candidate = 1; candidate < 256; candidate += 1) {
    if (multiply(value, candidate) === 1) return candidate;
  }
  throw new RangeError(`no inverse of ${value}`);
}

/** The weight of the value at `points[index]` in the value at `target`. */
function weight(points: readonly number[], index: number, target: number): number {
  const own = points[index] ?? 0;
  return points.reduce((product, other, at) => {
    if (at === index) return product;
    return multiply(product, multiply(target ^ other, inverse(own ^ other)));
  }, 1);
}

/** Shard number `target` from k shards numbered `points`. */
export function interpolateShard(
  points: readonly number[],
  shards: readonly Uint8Array[],
  target: number,
): Uint8Array {
  const weights = points.map((_, index) => weight(points, index, target));
  const result = new Uint8Array(shards[0]?.length ?? 0);
  shards.forEach((shard, index) => {
    shard.forEach((byte, at) => {
      result[at] = (result[at] ?? 0) ^ multiply(weights[index] ?? 0, byte);
    });
  });
  return result;
}

export function encodeByOracle(data: readonly Uint8Array[], m: number): Uint8Array[] {
  const points = [...data.keys()];
  return Array.from({ length: m }, (_, index) =>
    interpolateShard(points, data, data.length + index),
  );
}
