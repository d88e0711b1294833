import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Connections } from './connections.ts';
import type { HttpAnswer } from './message.ts';

// How much of a body that is not read is taken, and for how long, so that its sender gets to the
// answer: closing a connection with bytes on their way takes the answer back.
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

  /** Sends an answer to a request whose body is not read: it is thrown away as it comes. */
  sendUnread(answer: HttpAnswer, request: IncomingMessage, response: ServerResponse): void {
    let left = thrownAway.bytes;
    request.on('data', ({ length }: Buffer) => {
      left -= length;
      if (left < 0) request.socket.destroy();
    });
    // Whatever came with the head is read until then.
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

/** If every character is one byte, these are the bytes of UTF-8, in less time. */
function encodingOf({ headers, body }: HttpAnswer): 'latin1' | 'utf8' {
  return Number(headers['Content-Length']) === body.length ? 'latin1' : 'utf8';
}
