import { KmsError } from './errors.ts';

const COUNT_BYTES = 4;
const LENGTH_BYTES = 4;

/**
 * The most an encoded context may take. AWS documents no limit; our envelope format sets this one.
 */
export const MAX_CONTEXT_BYTES = 8192;

/**
 * Encodes an encryption context as the bytes that are authenticated with a ciphertext.
 *
 *     u32(number of pairs), then per pair u32(length of key) key u32(length of value) value
 *
 * Integers are big-endian, text is UTF-8, pairs ascend by the key's bytes. The order of the
 * caller's object therefore does not matter, and lengths before each text mean that different
 * contexts never encode alike. No context and the empty context are the same. Nothing is
 * normalised.
 *
 * @param member the request member it came from, named in complaints
 * @throws KmsError ValidationException if text has a lone surrogate (UTF-8 encoders turn them all
 *   into U+FFFD, so different contexts would become equal) or the result exceeds 8,192 bytes
 */
export function encodeEncryptionContext(
  context: Readonly<Record<string, string>> | undefined,
  member = 'EncryptionContext',
): Uint8Array {
  const keys = context === undefined ? [] : Object.keys(context);
  if (context === undefined || keys.length === 0) return emptyContext;
  const pairs = keys.map((key) => [key, context[key] as string] as const);
  const length = measure(pairs, member);
  return write(pairs.length > 1 ? sortByUtf8(pairs) : pairs, length);
}

/** @throws KmsError ValidationException, as `encodeEncryptionContext` does */
export function checkEncryptionContext(
  context: Readonly<Record<string, string>>,
  member: string,
): void {
  const keys = Object.keys(context);
  if (keys.length > 0)
    measure(
      keys.map((key) => [key, context[key] as string] as const),
      member,
    );
}

// Shared and never mutated: for a fresh array, V8 would have to make a buffer for native code.
const emptyContext = new Uint8Array(COUNT_BYTES);

type Pair = readonly [key: string, value: string];

function measure(pairs: readonly Pair[], member: string): number {
  let length = COUNT_BYTES;
  for (const [key, value] of pairs) {
    if (!key.isWellFormed() || !value.isWellFormed()) throw loneSurrogate(key, member);
    length += 2 * LENGTH_BYTES + Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (length <= MAX_CONTEXT_BYTES) return length;
  throw new KmsError(
    'ValidationException',
    `${member} takes ${length} bytes when encoded; at most ${MAX_CONTEXT_BYTES} are allowed`,
  );
}

function loneSurrogate(key: string, member: string): KmsError {
  // JSON.stringify escapes lone surrogates, so the message itself stays well-formed.
  const part = key.isWellFormed() ? 'the value of' : 'the key';
  return new KmsError(
    'ValidationException',
    `${member} must be well-formed Unicode, but ${part} ${JSON.stringify(key)} has a lone surrogate`,
  );
}

// JavaScript compares UTF-16 units, which puts U+1F600 before U+FF5E; by UTF-8 bytes it comes
// after.
function sortByUtf8(pairs: readonly Pair[]): Pair[] {
  return pairs
    .map((pair) => ({ pair, bytes: Buffer.from(pair[0]) }))
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes))
    .map(({ pair }) => pair);
}

function write(pairs: readonly Pair[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const out = Buffer.from(bytes.buffer);
  let offset = out.writeUInt32BE(pairs.length);
  for (const pair of pairs) {
    for (const text of pair) {
      const written = out.write(text, offset + LENGTH_BYTES);
      offset = out.writeUInt32BE(written, offset) + written;
    }
  }
  return bytes;
}
