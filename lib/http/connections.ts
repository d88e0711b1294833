import { setMaxListeners } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { Peer } from './origin.ts';

/** The state of a connection. */
export interface Connection {
  /** Aborted when the connection is closed. */
  readonly signal: AbortSignal;
  /** The responses under way on the connection, in the order of their requests. */
  // An array: a Set that grows and shrinks leaves a chain of hash tables behind, each of which
  // keeps the next and its contents from being collected while young. That took a third of a
  // request's time.
  readonly answering: ServerResponse[];
  readonly peer: Peer;
  /** Whether an answer has announced that the connection is closed. */
  closes: boolean;
}

// Milliseconds between two checks whether a client that has ended its side is still there.
const askAfter = 300;

/** The connections of a server, and the requests under way on them. */
export class Connections {
  readonly #connections = new WeakMap<Duplex, Connection>();
  #underWay = 0;
  #onIdle: (() => void) | undefined;
  #isDraining = false;
  #takesNoMore = false;

  /** How many requests are being read or answered. */
  get underWay(): number {
    return this.#underWay;
  }

  of(socket: Socket): Connection {
    let connection = this.#connections.get(socket);
    if (connection === undefined) {
      const controller = new AbortController();
      const answering: ServerResponse[] = [];
      socket.once('close', () => {
        controller.abort();
        // Node.js tells only the first response that the connection is gone.
        this.#ended(answering.splice(0));
      });
      socket.once('end', () => askForClient(socket, answering));
      if (socket.destroyed) controller.abort();
      // Every pair minted for the connection adds a listener.
      setMaxListeners(0, controller.signal);
      const peer = { address: socket.remoteAddress, secure: socket instanceof TLSSocket };
      connection = { signal: controller.signal, answering, peer, closes: false };
      this.#connections.set(socket, connection);
    }
    return connection;
  }

  /** The response that owns the socket now, if any. */
  answeringNow(socket: Duplex): ServerResponse | undefined {
    const { answering = [] } = this.#connections.get(socket) ?? {};
    return answering.find((response) => response.socket === socket);
  }

  /** Begins a request; false if the answer before it closes the connection. */
  begin({ closes, answering }: Connection, response: ServerResponse): boolean {
    if (closes || (this.#takesNoMore && answering.some(isComing))) return false;
    answering.push(response);
    this.#underWay++;
    response.on('close', () => {
      const at = answering.indexOf(response);
      if (at !== -1) this.#ended(answering.splice(at, 1));
    });
    return true;
  }

  /** Makes the answer announce that the connection is closed. */
  announceClosing(response: ServerResponse): void {
    response.setHeader('Connection', 'close');
    this.of(response.req.socket).closes = true;
  }

  /**
   * Whether an answer closes its connection: while draining, the answer to the last request does.
   */
  isLast(response: ServerResponse): boolean {
    return this.#isDraining && this.of(response.req.socket).answering.at(-1) === response;
  }

  /** From now on, the last answer on each connection closes it. */
  startDraining(): void {
    this.#isDraining = true;
  }

  /** From now on, a client that has a request under way may not send another. */
  takeNoMore(): void {
    this.#takesNoMore = true;
  }

  /** Resolves when no request is under way. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#onIdle = resolve;
      if (this.#underWay === 0) resolve();
    });
  }

  #ended({ length }: readonly ServerResponse[]): void {
    this.#underWay -= length;
    if (this.#underWay === 0) this.#onIdle?.();
  }
}

/**
 * Finds out whether a client that has ended its side waits for its answers or is gone. Only the
 * client's system knows, and it says so when something is sent: an interim answer, which HTTP/1.0
 * does not have.
 */
function askForClient(socket: Socket, answering: readonly ServerResponse[]): void {
  const timer = setInterval(() => {
    const current = answering.find((response) => response.socket === socket);
    if (current === undefined || current.headersSent) return;
    if (current.req.httpVersionMinor > 0) current.writeProcessing();
  }, askAfter).unref();
  socket.once('close', () => clearInterval(timer));
}

function isComing({ headersSent }: ServerResponse): boolean {
  return !headersSent;
}
