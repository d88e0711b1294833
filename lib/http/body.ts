import type { IncomingMessage } from 'node:http';
import { fieldValue, type HeaderFields } from './message.ts';

// KMS's largest requests carry a key policy or imported key material, some 32 KiB each.
const largestBody = 131_072;
const smallestBuffer = 4096;

/** Limits the memory of all bodies that are being read. */
export class BodyRoom {
  readonly #bytes: number;
  #taken = 0;

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  get taken(): number {
    return this.#taken;
  }

  take(bytes: number): boolean {
    if (this.#taken + bytes > this.#bytes) return false;
    this.#taken += bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#taken -= bytes;
  }
}

/** Why a body was refused. */
export type BodyRefusal = 'too-large' | 'no-room';

/** The length of the body by its head; undefined if the body comes in chunks or is absent. */
export function declaredLength(headers: HeaderFields): number | undefined {
  const length = fieldValue(headers, 'content-length');
  return length === undefined ? undefined : Number(length);
}

/**
 * Reads a request's body and calls back with it, or with the reason why it was refused; never if
 * the client goes away. A callback, because a promise would take longer than most bodies do.
 */
export function readBody(
  request: IncomingMessage,
  headers: HeaderFields,
  room: BodyRoom,
  take: (body: Uint8Array | BodyRefusal) => void,
): void {
  const declared = declaredLength(headers);
  if (declared !== undefined && declared > largestBody) {
    take('too-large');
    return;
  }
  // Most bodies come in one piece, which needs no room: it does not wait for more bytes.
  let whole: Buffer | undefined;
  let gathered: Gathered | undefined;
  const onData = (chunk: Buffer) => {
    if (chunk.length === declared) {
      whole = chunk;
      return;
    }
    gathered ??= gatherFor(request, room);
    const refusal = gathered.add(chunk);
    if (refusal === undefined) return;
    gathered.release();
    request.off('data', onData).off('end', onEnd);
    take(refusal);
  };
  const onEnd = () => {
    const body = whole ?? gathered?.bytes() ?? Buffer.alloc(0);
    gathered?.release();
    take(body);
  };
  request.on('data', onData).on('end', onEnd);
}

function gatherFor(request: IncomingMessage, room: BodyRoom): Gathered {
  const gathered = new Gathered(room);
  request.once('close', () => gathered.release());
  return gathered;
}

/**
 * The beginning of a body whose rest has not come. One buffer, because a list of one-byte chunks
 * would take a hundred times the memory of their bytes.
 */
class Gathered {
  readonly #room: BodyRoom;
  #buffer = Buffer.alloc(0);
  #length = 0;

  constructor(room: BodyRoom) {
    this.#room = room;
  }

  add(chunk: Buffer): BodyRefusal | undefined {
    const length = this.#length + chunk.length;
    if (length > largestBody) return 'too-large';
    if (length > this.#buffer.length && !this.#grow(length)) return 'no-room';
    this.#buffer.set(chunk, this.#length);
    this.#length = length;
    return undefined;
  }

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Gives the room back; a body that was handed over no longer counts. */
  release(): void {
    this.#room.giveBack(this.#buffer.length);
    this.#buffer = Buffer.alloc(0);
  }

  #grow(length: number): boolean {
    const wanted = Math.max(smallestBuffer, length, 2 * this.#buffer.length);
    const capacity = Math.min(wanted, largestBody);
    if (!this.#room.take(capacity - this.#buffer.length)) return false;
    const buffer = Buffer.allocUnsafeSlow(capacity);
    buffer.set(this.bytes());
    this.#buffer = buffer;
    return true;
  }
}
