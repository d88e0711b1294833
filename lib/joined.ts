import { setImmediate } from 'node:timers';

interface Waiting<Request, Answer> {
  readonly request: Request;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Makes a function of one request out of one that answers many, each with an answer or an error. The
 * requests of one turn of the event loop are answered together, at most `most` at a time: where the
 * work on one takes microseconds, half of them go by until its code is in the processor's caches.
 */
export function joined<Request, Answer extends object>(
  answerAll: (requests: readonly Request[]) => readonly (Answer | Error)[],
  most: number,
): (request: Request) => Promise<Answer> {
  let waiting: Waiting<Request, Answer>[] = [];
  const answer = (some: readonly Waiting<Request, Answer>[]) => {
    try {
      const answers = answerAll(some.map(({ request }) => request));
      for (const [i, { resolve, reject }] of some.entries()) {
        const answer = answers[i] as Answer | Error;
        if (answer instanceof Error) reject(answer);
        else resolve(answer);
      }
    } catch (error) {
      for (const { reject } of some) reject(error);
    }
  };
  const answerThose = () => {
    const all = waiting;
    waiting = [];
    for (let at = 0; at < all.length; at += most) answer(all.slice(at, at + most));
  };
  return (request) =>
    new Promise((resolve, reject) => {
      if (waiting.push({ request, resolve, reject }) === 1) setImmediate(answerThose);
    });
}
