// QR codes of text in byte mode with error correction level L, versions 1 to 40.
// Source: ISO/IEC 18004:2015; section numbers are named where a step follows it.
import { errorCorrection } from "./reed-solomon.ts";

/** Codewords of error correction in each block, by version, level L (table 9). */
const CORRECTION: readonly number[] = [
  7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28, 28, 28, 30, 30, 26,
  28, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30,
];
/** Blocks by version, level L (table 9). */
const BLOCKS: readonly number[] = [
  1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8, 8, 9, 9, 10, 12, 12, 12, 13, 14, 15,
  16, 17, 18, 19, 19, 20, 21, 22, 24, 25,
];
const VERSIONS = 40;
const LEVEL_L = 1;

type Mask = (x: number, y: number) => boolean;

const MASKS: readonly Mask[] = [
  (x, y) => (x + y) % 2 === 0,
  (_x, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];

/** Modules that carry codewords: all of them but the function patterns (section 7.1). */
function rawModules(version: number): number {
  let modules = (16 * version + 128) * version + 64;
  if (version >= 2) {
    const count = Math.floor(version / 7) + 2;
    modules -= (25 * count - 10) * count - 55;
    if (version >= 7) modules -= 36;
  }
  return modules;
}

function dataCodewords(version: number): number {
  const correction = (CORRECTION[version - 1] ?? 0) * (BLOCKS[version - 1] ?? 0);
  return Math.floor(rawModules(version) / 8) - correction;
}

/** Section 7.4: mode, length, bytes, terminator and padding. */
function codewordsOf(bytes: Uint8Array, version: number): Uint8Array {
  const capacity = dataCodewords(version);
  const bits: number[] = [];
  const push = (value: number, width: number): void => {
    for (let at = width - 1; at >= 0; at -= 1) bits.push((value >>> at) & 1);
  };
  push(0b0100, 4);
  push(bytes.byteLength, version <= 9 ? 8 : 16);
  for (const byte of bytes) push(byte, 8);
  push(0, Math.min(4, capacity * 8 - bits.length));
  while (bits.length % 8 !== 0) bits.push(0);
  const words = new Uint8Array(capacity);
  bits.forEach((bit, at) => {
    words[at >> 3] = ((words[at >> 3] ?? 0) << 1) | bit;
  });
  for (let at = bits.length / 8, pad = 0xec; at < capacity; at += 1, pad ^= 0xec ^ 0x11) {
    words[at] = pad;
  }
  return words;
}

/** Section 7.5 and 7.6: blocks with their correction, interleaved. */
function interleaved(words: Uint8Array, version: number): number[] {
  const blockCount = BLOCKS[version - 1] ?? 1;
  const correctionCount = CORRECTION[version - 1] ?? 0;
  const total = Math.floor(rawModules(version) / 8);
  const longBlocks = total % blockCount;
  const shortData = Math.floor(total / blockCount) - correctionCount;
  const data: Uint8Array[] = [];
  let offset = 0;
  for (let block = 0; block < blockCount; block += 1) {
    const size = shortData + (block >= blockCount - longBlocks ? 1 : 0);
    data.push(words.subarray(offset, offset + size));
    offset += size;
  }
  const correction = data.map((block) => errorCorrection(block, correctionCount));
  const result: number[] = [];
  const take = (blocks: readonly Uint8Array[], length: number): void => {
    for (let at = 0; at < length; at += 1) {
      for (const block of blocks) {
        const word = block[at];
        if (word !== undefined) result.push(word);
      }
    }
  };
  take(data, shortData + 1);
  take(correction, correctionCount);
  return result;
}

/** Centres of the alignment patterns on each axis (annex E). */
function alignmentCentres(version: number, size: number): number[] {
  if (version === 1) return [];
  const count = Math.floor(version / 7) + 2;
  const step = version === 32 ? 26 : Math.ceil((version * 4 + 4) / (count * 2 - 2)) * 2;
  const centres = Array.from({ length: count - 1 }, (_, at) => size - 7 - at * step);
  return [6, ...centres.reverse()];
}

function checkBits(value: number, width: number, generator: number): number {
  let rest = value;
  const top = 31 - Math.clz32(generator);
  for (let at = 0; at < width; at += 1) {
    rest = (rest << 1) ^ ((rest >>> (top - 1)) & 1 ? generator : 0);
  }
  return rest;
}

class Canvas {
  readonly size: number;
  readonly dark: boolean[][];
  readonly #fixed: boolean[][];

  constructor(size: number) {
    this.size = size;
    this.dark = Array.from({ length: size }, () => new Array<boolean>(size).fill(false));
    this.#fixed = Array.from({ length: size }, () => new Array<boolean>(size).fill(false));
  }

  isDark(x: number, y: number): boolean {
    return this.dark[y]?.[x] === true;
  }

  isFixed(x: number, y: number): boolean {
    return this.#fixed[y]?.[x] === true;
  }

  set(x: number, y: number, isDark: boolean): void {
    const row = this.dark[y];
    if (row !== undefined && x >= 0 && x < this.size) row[x] = isDark;
  }

  /** A module of a function pattern: not masked, no data. */
  fix(x: number, y: number, isDark: boolean): void {
    const row = this.#fixed[y];
    if (row === undefined || x < 0 || x >= this.size) return;
    row[x] = true;
    this.set(x, y, isDark);
  }
}

function drawFinder(canvas: Canvas, centreX: number, centreY: number): void {
  for (let dy = -4; dy <= 4; dy += 1) {
    for (let dx = -4; dx <= 4; dx += 1) {
      const distance = Math.max(Math.abs(dx), Math.abs(dy));
      canvas.fix(centreX + dx, centreY + dy, distance !== 2 && distance !== 4);
    }
  }
}

function drawAlignment(canvas: Canvas, version: number): void {
  const centres = alignmentCentres(version, canvas.size);
  const last = centres.length - 1;
  centres.forEach((centreX, i) => {
    centres.forEach((centreY, j) => {
      const isFinder = (i === 0 && (j === 0 || j === last)) || (i === last && j === 0);
      if (isFinder) return;
      for (let dy = -2; dy <= 2; dy += 1) {
        for (let dx = -2; dx <= 2; dx += 1) {
          canvas.fix(centreX + dx, centreY + dy, Math.max(Math.abs(dx), Math.abs(dy)) !== 1);
        }
      }
    });
  });
}

/** Section 7.9: level and mask, twice. */
function drawFormat(canvas: Canvas, mask: number): void {
  const data = (LEVEL_L << 3) | mask;
  const bits = ((data << 10) | checkBits(data, 10, 0x537)) ^ 0x5412;
  const bit = (at: number): boolean => ((bits >>> at) & 1) === 1;
  const { size } = canvas;
  for (let at = 0; at <= 5; at += 1) canvas.fix(8, at, bit(at));
  canvas.fix(8, 7, bit(6));
  canvas.fix(8, 8, bit(7));
  canvas.fix(7, 8, bit(8));
  for (let at = 9; at < 15; at += 1) canvas.fix(14 - at, 8, bit(at));
  for (let at = 0; at < 8; at += 1) canvas.fix(size - 1 - at, 8, bit(at));
  for (let at = 8; at < 15; at += 1) canvas.fix(8, size - 15 + at, bit(at));
  canvas.fix(8, size - 8, true);
}

/** Section 7.10, from version 7 on. */
function drawVersion(canvas: Canvas, version: number): void {
  if (version < 7) return;
  const bits = (version << 12) | checkBits(version, 12, 0x1f25);
  for (let at = 0; at < 18; at += 1) {
    const isDark = ((bits >>> at) & 1) === 1;
    const far = canvas.size - 11 + (at % 3);
    const near = Math.floor(at / 3);
    canvas.fix(far, near, isDark);
    canvas.fix(near, far, isDark);
  }
}

function drawPatterns(canvas: Canvas, version: number): void {
  const { size } = canvas;
  for (let at = 0; at < size; at += 1) {
    canvas.fix(6, at, at % 2 === 0);
    canvas.fix(at, 6, at % 2 === 0);
  }
  drawFinder(canvas, 3, 3);
  drawFinder(canvas, size - 4, 3);
  drawFinder(canvas, 3, size - 4);
  drawAlignment(canvas, version);
  drawFormat(canvas, 0);
  drawVersion(canvas, version);
}

/** Section 7.7.3: upwards and downwards in columns of two, from the right. */
function drawCodewords(canvas: Canvas, words: readonly number[]): void {
  const { size } = canvas;
  let at = 0;
  for (let right = size - 1; right >= 1; right -= 2) {
    if (right === 6) right = 5;
    for (let step = 0; step < size; step += 1) {
      for (const x of [right, right - 1]) {
        const isUpward = ((right + 1) & 2) === 0;
        const y = isUpward ? size - 1 - step : step;
        if (canvas.isFixed(x, y) || at >= words.length * 8) continue;
        canvas.set(x, y, (((words[at >> 3] ?? 0) >>> (7 - (at & 7))) & 1) === 1);
        at += 1;
      }
    }
  }
}

function applyMask(canvas: Canvas, mask: Mask): void {
  for (let y = 0; y < canvas.size; y += 1) {
    for (let x = 0; x < canvas.size; x += 1) {
      if (!canvas.isFixed(x, y) && mask(x, y)) canvas.set(x, y, !canvas.isDark(x, y));
    }
  }
}

/** Section 7.8.3.1, first, second and fourth feature: runs, squares, balance. */
function penalty(canvas: Canvas): number {
  const { size } = canvas;
  let points = 0;
  let darkCount = 0;
  const runs = (isDark: (along: number, line: number) => boolean): void => {
    for (let line = 0; line < size; line += 1) {
      let run = 0;
      for (let along = 0; along < size; along += 1) {
        const isSame = along > 0 && isDark(along, line) === isDark(along - 1, line);
        run = isSame ? run + 1 : 1;
        if (run === 5) points += 3;
        else if (run > 5) points += 1;
      }
    }
  };
  runs((along, line) => canvas.isDark(along, line));
  runs((along, line) => canvas.isDark(line, along));
  for (let y = 0; y < size; y += 1) {
    for (let x = 0; x < size; x += 1) {
      const isDark = canvas.isDark(x, y);
      if (isDark) darkCount += 1;
      if (x === 0 || y === 0) continue;
      const others = [
        canvas.isDark(x - 1, y),
        canvas.isDark(x, y - 1),
        canvas.isDark(x - 1, y - 1),
      ];
      if (others.every((other) => other === isDark)) points += 3;
    }
  }
  return points + Math.floor(Math.abs((darkCount * 20) / (size * size) - 10)) * 10;
}

/** Rows of modules, true where dark, without the quiet zone; undefined when `text` is too long. */
export function qrMatrix(text: string): readonly (readonly boolean[])[] | undefined {
  const bytes = new TextEncoder().encode(text);
  let version = 1;
  const headBits = (): number => 4 + (version <= 9 ? 8 : 16);
  while (version <= VERSIONS && dataCodewords(version) * 8 < headBits() + bytes.byteLength * 8) {
    version += 1;
  }
  if (version > VERSIONS) return undefined;
  const words = interleaved(codewordsOf(bytes, version), version);
  const canvas = new Canvas(version * 4 + 17);
  drawPatterns(canvas, version);
  drawCodewords(canvas, words);
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  MASKS.forEach((mask, at) => {
    applyMask(canvas, mask);
    drawFormat(canvas, at);
    const points = penalty(canvas);
    if (points < least) {
      least = points;
      best = at;
    }
    applyMask(canvas, mask);
  });
  const chosen = MASKS[best];
  if (chosen !== undefined) applyMask(canvas, chosen);
  drawFormat(canvas, best);
  return canvas.dark;
}
