import { indentedJson } from '../python/json-text.ts';
import { pythonText } from '../python/python-text.ts';
import { compareText } from '../python/text-order.ts';
import { Dictionary, type Value } from '../python/value.ts';
import { escaped, lineBreak, type ScalarStyle, scalarStyle } from './yaml-scalar.ts';

/** Text is folded at the first space behind this column. */
const foldColumn = 80;
const indentStep = 2;
/** In bytes. A longer key is announced by a question mark. */
const longestSimpleKey = 128;

type Collection = Value[] | Dictionary;

/**
 * YAML as the AWS CLI prints it, to the byte: it leaves that to libyaml, whose choice of quotes and
 * places to fold the writer of the yaml package does not share. A scalar alone is JSON there.
 */
export function formatYaml(value: Value): string {
  return isCollection(value) ? new YamlWriter(value).write() : `${indentedJson(value)}\n`;
}

class YamlWriter {
  readonly #root: Collection;
  readonly #anchors: ReadonlyMap<Collection, string>;
  readonly #written = new Set<Collection>();
  #text = '';
  #column = 0;
  #indent = -1;
  /** Whether the last character is a space, or none is needed. */
  #isSpaced = true;
  /** Whether the line holds nothing yet but spaces and the indicators of nested blocks. */
  #isAtStart = true;

  constructor(root: Collection) {
    this.#root = root;
    this.#anchors = nameRepeated(root);
  }

  write(): string {
    this.#node(this.#root, false);
    this.#startLine();
    return this.#text;
  }

  #node(value: Value, isMember: boolean): void {
    if (!isCollection(value)) {
      this.#indented(indentStep, () => this.#scalar(value, true));
      return;
    }
    const anchor = this.#anchors.get(value);
    if (anchor !== undefined && this.#written.has(value)) {
      this.#indicator(`*${anchor}`);
      return;
    }
    this.#written.add(value);
    if (anchor !== undefined) this.#indicator(`&${anchor}`);
    if (Array.isArray(value)) {
      this.#sequence(value, isMember);
    } else {
      this.#mapping(value);
    }
  }

  #sequence(items: readonly Value[], isMember: boolean): void {
    if (items.length === 0) {
      this.#indicator('[]');
      return;
    }
    // A list stands right below the name of its member, not further in.
    const step = isMember && !this.#isAtStart ? 0 : indentStep;
    this.#indented(step, () => {
      for (const item of items) {
        this.#startLine();
        this.#blockIndicator('-');
        this.#node(item, false);
      }
    });
  }

  #mapping(mapping: Dictionary): void {
    if (mapping.size === 0) {
      this.#indicator('{}');
      return;
    }
    this.#indented(indentStep, () => {
      for (const key of [...mapping.keys()].sort(compareText)) {
        this.#startLine();
        this.#key(key);
        this.#node(mapping.get(key) as Value, true);
      }
    });
  }

  #key(key: string): void {
    if (!lineBreak.test(key) && Buffer.byteLength(key) <= longestSimpleKey) {
      this.#scalar(key, false);
      this.#put(':');
      this.#isSpaced = false;
      return;
    }
    this.#blockIndicator('?');
    this.#node(key, true);
    this.#startLine();
    this.#blockIndicator(':');
  }

  #scalar(value: Value, canFold: boolean): void {
    const text = typeof value === 'string' ? value : scalarText(value);
    const style: ScalarStyle = typeof value === 'string' ? scalarStyle(text) : 'plain';
    if (!this.#isSpaced) this.#put(' ');
    if (style === 'plain') {
      this.#plain(text, canFold);
    } else if (style === 'single') {
      this.#singleQuoted(text, canFold);
    } else {
      this.#doubleQuoted(text, canFold);
    }
    this.#isSpaced = false;
    this.#isAtStart = false;
  }

  #plain(text: string, canFold: boolean): void {
    const characters = Array.from(text);
    for (const [i, character] of characters.entries()) {
      if (canFold && this.#isFold(characters, i) && characters[i + 1] !== ' ') {
        this.#startLine();
      } else {
        this.#putText(character);
      }
    }
  }

  #singleQuoted(text: string, canFold: boolean): void {
    const characters = Array.from(text);
    let isAfterBreak = false;
    this.#putText("'");
    for (const [i, character] of characters.entries()) {
      if (lineBreak.test(character)) {
        // Two line ends stand for one: a single one would be read as a space.
        this.#breakLine(!isAfterBreak && character === '\n' ? '\n\n' : character);
        isAfterBreak = true;
        continue;
      }
      if (isAfterBreak) this.#startLine();
      isAfterBreak = false;
      const isInside = i > 0 && i < characters.length - 1;
      if (canFold && isInside && this.#isFold(characters, i) && characters[i + 1] !== ' ') {
        this.#startLine();
      } else {
        this.#putText(character === "'" ? "''" : character);
      }
    }
    if (isAfterBreak) this.#startLine();
    this.#putText("'");
  }

  #doubleQuoted(text: string, canFold: boolean): void {
    const characters = Array.from(text);
    this.#putText('"');
    for (const [i, character] of characters.entries()) {
      const isInside = i > 0 && i < characters.length - 1;
      if (canFold && isInside && this.#isFold(characters, i)) {
        this.#startLine();
        if (characters[i + 1] === ' ') this.#putText('\\');
      } else {
        this.#putText(escaped(character));
      }
    }
    this.#putText('"');
  }

  /** Whether a line may end here: at the first of some spaces, behind the width. */
  #isFold(characters: readonly string[], i: number): boolean {
    return characters[i] === ' ' && characters[i - 1] !== ' ' && this.#column > foldColumn;
  }

  #indented(step: number, write: () => void): void {
    const before = this.#indent;
    this.#indent = before < 0 ? 0 : before + step;
    write();
    this.#indent = before;
  }

  /** Goes to the indentation, on a line of its own unless this one is as good as empty. */
  #startLine(): void {
    const indent = Math.max(this.#indent, 0);
    const isThere = this.#column < indent || (this.#column === indent && this.#isSpaced);
    if (!this.#isAtStart || !isThere) this.#breakLine('\n');
    this.#put(' '.repeat(indent - this.#column));
    this.#isSpaced = true;
    this.#isAtStart = true;
  }

  #breakLine(end: string): void {
    this.#text += end;
    this.#column = 0;
    this.#isAtStart = true;
  }

  #indicator(text: string): void {
    this.#put(this.#isSpaced ? text : ` ${text}`);
    this.#isSpaced = false;
    this.#isAtStart = false;
  }

  /** One that blocks may follow on the same line. */
  #blockIndicator(text: string): void {
    this.#put(this.#isSpaced ? text : ` ${text}`);
    this.#isSpaced = false;
  }

  #putText(text: string): void {
    this.#put(text);
    this.#isAtStart = false;
  }

  #put(text: string): void {
    this.#text += text;
    this.#column += Array.from(text).length;
  }
}

function isCollection(value: Value): value is Collection {
  return Array.isArray(value) || value instanceof Dictionary;
}

function scalarText(value: Value): string {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    return Number.isNaN(value) ? '.nan' : value > 0 ? '.inf' : '-.inf';
  }
  return typeof value === 'number' ? pythonText(value) : String(value);
}

/** Names what occurs more than once, in the order in which it is met again. */
function nameRepeated(root: Collection): ReadonlyMap<Collection, string> {
  const seen = new Set<Collection>();
  const names = new Map<Collection, string>();
  const visit = (value: Value) => {
    if (!isCollection(value)) return;
    if (!seen.has(value)) {
      seen.add(value);
      children(value).forEach(visit);
    } else if (!names.has(value)) {
      names.set(value, `id${String(names.size + 1).padStart(3, '0')}`);
    }
  };
  visit(root);
  return names;
}

function children(value: Collection): readonly Value[] {
  return Array.isArray(value)
    ? value
    : [...value.keys()].sort(compareText).map((key) => value.get(key) as Value);
}
