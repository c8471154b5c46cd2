// Patterns of policies: `*` stands for any run of characters, `?` for one. Two pointers and one place
// to go back to, so that no pattern costs more than its length times the text's; user text never
// becomes a regular expression. Source: AWS IAM user guide, "IAM JSON policy elements: Resource".

export interface PatternOptions {
  /** Letters A to Z match without regard to case. */
  readonly ignoreCase?: boolean;
  /** Places in `pattern` where `*` and `?` stand for themselves. */
  readonly literal?: ReadonlySet<number>;
}

const STAR = 0x2a;
const QUESTION = 0x3f;

/** Whether `text` is what `pattern` stands for. `?` takes one code point, `*` any number. */
export function matchesPattern(
  pattern: string,
  text: string,
  { ignoreCase = false, literal }: PatternOptions = {},
): boolean {
  const patternLength = pattern.length;
  const textLength = text.length;
  let at = 0;
  let index = 0;
  let afterStar = -1;
  let retry = 0;
  while (index < textLength) {
    const wanted = at < patternLength ? pattern.charCodeAt(at) : -1;
    const isWild = (wanted === STAR || wanted === QUESTION) && literal?.has(at) !== true;
    if (isWild && wanted === STAR) {
      at += 1;
      afterStar = at;
      retry = index;
    } else if (isWild) {
      at += 1;
      index += unitsAt(text, index);
    } else if (wanted >= 0 && isSame(wanted, text.charCodeAt(index), ignoreCase)) {
      at += 1;
      index += 1;
    } else if (afterStar >= 0) {
      at = afterStar;
      retry += unitsAt(text, retry);
      index = retry;
    } else {
      return false;
    }
  }
  while (pattern.charCodeAt(at) === STAR && literal?.has(at) !== true) at += 1;
  return at === patternLength;
}

/** UTF-16 units of the code point at `index`. */
function unitsAt(text: string, index: number): number {
  return (text.codePointAt(index) ?? 0) > 0xffff ? 2 : 1;
}

function isSame(wanted: number, found: number, ignoreCase: boolean): boolean {
  return wanted === found || (ignoreCase && lower(wanted) === lower(found));
}

function lower(unit: number): number {
  return unit >= 0x41 && unit <= 0x5a ? unit + 0x20 : unit;
}
