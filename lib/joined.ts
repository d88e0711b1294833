import { setImmediate } from 'node:timers';

/**
 * What native code answers several requests with (RunAllHere in native/addon/job.h): for each of them
 * the lengths of three parts, then all the parts in a row; and the errors of those that failed.
 */
export type Packed = readonly [ArrayBuffer, ...Error[]];

/** The parts of one answer; those that are absent at the end are undefined. */
export type Parts = readonly [Uint8Array, Uint8Array | undefined, Uint8Array | undefined];

interface Waiting<Request, Answer> {
  readonly request: Request;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

const partsToAnAnswer = 3;
const failed = 0xffff_ffff;
// In one crossing: their secrets are in locked memory, of which there is little.
const most = 32;

/**
 * Makes a function of one request out of a native one of many: the requests of one turn of the event
 * loop enter native code together.
 */
export function joined<Request, Answer>(
  answerAll: (requests: readonly Request[]) => Packed,
  answerOf: (parts: Parts) => Answer,
): (request: Request) => Promise<Answer> {
  const waiting: Waiting<Request, Answer>[] = [];
  const enter = () => {
    const some = waiting.splice(0, most);
    if (waiting.length > 0) setImmediate(enter);
    try {
      const answers = unpack(answerAll(some.map(({ request }) => request)), some.length);
      for (const [i, answer] of answers.entries()) {
        const { resolve, reject } = some[i] as Waiting<Request, Answer>;
        if (answer instanceof Error) reject(answer);
        else resolve(answerOf(answer));
      }
    } catch (error) {
      for (const { reject } of some) reject(error);
    }
  };
  return (request) =>
    new Promise((resolve, reject) => {
      if (waiting.push({ request, resolve, reject }) === 1) setImmediate(enter);
    });
}

/** Copies the parts out, and wipes where they were. */
function unpack([buffer, ...errors]: Packed, count: number): (Parts | Error)[] {
  const lengths = new Uint32Array(buffer, 0, count * partsToAnAnswer);
  const bytes = new Uint8Array(buffer);
  let at = lengths.byteLength;
  const partOf = (length = 0) => {
    if (length === 0) return undefined;
    const start = at;
    at += length;
    return bytes.slice(start, at);
  };
  const answers: (Parts | Error)[] = [];
  for (let i = 0; i < lengths.length; i += partsToAnAnswer) {
    answers.push(
      lengths[i] === failed
        ? (errors.shift() as Error)
        : [partOf(lengths[i]) as Uint8Array, partOf(lengths[i + 1]), partOf(lengths[i + 2])],
    );
  }
  bytes.fill(0);
  return answers;
}
