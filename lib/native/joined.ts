import { setImmediate } from 'node:timers';
import { isAlone } from '../core/under-way.ts';

/**
 * Native code's answer to several requests (RunAllHere in native/addon/job.h): the lengths of three
 * parts for each request, then all parts in a row; and the errors of the requests that failed.
 */
export type Packed = readonly [ArrayBuffer, ...Error[]];

/** The parts of one answer; missing parts at the end are undefined. */
export type Parts = readonly [Uint8Array, Uint8Array | undefined, Uint8Array | undefined];

/** What became of a request. */
interface Outcome {
  readonly parts?: Parts;
  readonly error?: Error | undefined;
}

interface Waiting<Request, Answer> {
  readonly request: Request;
  /** Drops the request when its turn comes. */
  readonly signal: AbortSignal | undefined;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

const partsToAnAnswer = 3;
const failed = 0xffff_ffff;
// The secrets of all requests of a crossing are in locked memory at once, and some systems grant a
// process only 64 KB of it.
const mostTogether = 32;

/**
 * Turns a native function for many requests into a function for one. The requests of one turn of
 * the event loop enter native code together, up to 32 at a time. A request that is aborted before
 * that rejects with the signal's reason. If no other work is under way in the process, a request
 * enters at once: a turn of the event loop would cost it as much as its work.
 */
export function joined<Request, Answer>(
  answerAll: (requests: readonly Request[]) => Packed,
  answerOf: (parts: Parts) => Answer,
): (request: Request, signal?: AbortSignal) => Promise<Answer> {
  const crossings: Waiting<Request, Answer>[][] = [];
  const enter = () => {
    const together = (crossings.shift() ?? []).filter(isWanted);
    if (crossings.length > 0) setImmediate(enter);
    if (together.length === 0) return;
    try {
      const outcomes = unpack(answerAll(together.map(({ request }) => request)), together.length);
      for (const [i, { resolve, reject }] of together.entries()) {
        const { parts, error } = outcomes[i] as Outcome;
        if (parts === undefined) reject(error);
        else resolve(answerOf(parts));
      }
    } catch (error) {
      for (const { reject } of together) reject(error);
    }
  };
  const enterAlone = async (request: Request, signal: AbortSignal | undefined) => {
    signal?.throwIfAborted();
    const [{ parts, error }] = unpack(answerAll([request]), 1) as [Outcome];
    if (parts === undefined) throw error;
    return answerOf(parts);
  };
  return (request, signal) => {
    if (crossings.length === 0 && isAlone()) return enterAlone(request, signal);
    return new Promise((resolve, reject) => {
      const waiting = { request, signal, resolve, reject };
      const last = crossings.at(-1);
      if (last !== undefined && last.length < mostTogether) last.push(waiting);
      else if (crossings.push([waiting]) === 1) setImmediate(enter);
    });
  };
}

function isWanted<Request, Answer>({ signal, reject }: Waiting<Request, Answer>): boolean {
  if (!signal?.aborted) return true;
  reject(signal.reason);
  return false;
}

/** Copies the parts out, and wipes the buffer. */
function unpack([buffer, ...errors]: Packed, count: number): Outcome[] {
  const lengths = new Uint32Array(buffer, 0, count * partsToAnAnswer);
  const bytes = new Uint8Array(buffer);
  let at = lengths.byteLength;
  const partOf = (length = 0) => {
    if (length === 0) return undefined;
    const start = at;
    at += length;
    return bytes.slice(start, at);
  };
  const outcomes: Outcome[] = [];
  try {
    for (let i = 0; i < lengths.length; i += partsToAnAnswer) {
      if (lengths[i] === failed) {
        outcomes.push({ error: errors.shift() });
        continue;
      }
      const first = partOf(lengths[i]) as Uint8Array;
      outcomes.push({ parts: [first, partOf(lengths[i + 1]), partOf(lengths[i + 2])] });
    }
  } finally {
    bytes.fill(0);
  }
  return outcomes;
}
