import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Connections } from './connections.ts';
import type { HttpAnswer } from './message.ts';

// How much of a refused body is read and dropped, and for how long. Closing the connection while
// bytes are on their way would destroy the answer before the client has read it.
const thrownAway = { bytes: 1_048_576, milliseconds: 1000 };

/** Sends answers on the connections of a server. */
export class Sender {
  readonly #connections: Connections;

  constructor(connections: Connections) {
    this.#connections = connections;
  }

  send(answer: HttpAnswer, response: ServerResponse): void {
    if (this.#connections.isLast(response)) this.#connections.announceClosing(response);
    response.writeHead(answer.status, answer.headers).end(answer.body, encodingOf(answer));
  }

  /** Sends an answer to a request whose body is refused, and drops the body as it comes. */
  sendUnread(answer: HttpAnswer, request: IncomingMessage, response: ServerResponse): void {
    let left = thrownAway.bytes;
    request.on('data', ({ length }: Buffer) => {
      left -= length;
      if (left < 0) request.socket.destroy();
    });
    // By then, the bytes that came together with the head have been read.
    setImmediate(() => {
      if (request.complete) this.send(answer, response);
      else this.#sendAndClose(answer, request, response);
    });
  }

  /** Sends an answer at once, and closes the connection when the rest of the request has come. */
  #sendAndClose(answer: HttpAnswer, request: IncomingMessage, response: ServerResponse): void {
    this.#connections.announceClosing(response);
    response.writeHead(answer.status, answer.headers).write(answer.body, encodingOf(answer));
    const end = () => response.end();
    const timer = setTimeout(end, thrownAway.milliseconds);
    request.on('end', end);
    response.on('close', () => clearTimeout(timer));
  }
}

/** Latin-1 if every character is ASCII: the bytes are those of UTF-8, written in less time. */
function encodingOf({ headers, body }: HttpAnswer): 'latin1' | 'utf8' {
  return Number(headers['Content-Length']) === body.length ? 'latin1' : 'utf8';
}
