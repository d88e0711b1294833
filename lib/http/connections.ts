import { setMaxListeners } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { Peer } from './origin.ts';

/** What the server knows of a connection. */
export interface Connection {
  /** Aborted when it is closed. */
  readonly signal: AbortSignal;
  /** The responses that are under way on it, in the order of their requests. */
  // No set: one that grows and shrinks leaves a chain of tables behind, each of which keeps the next
  // one, and what was in it, from being collected while it is young. That took a third of the time of
  // a request.
  readonly answering: ServerResponse[];
  readonly peer: Peer;
  /** Whether an answer says that it is closed. */
  closes: boolean;
}

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
        // Responses behind the one that has the connection are told nothing.
        this.#ended(answering.splice(0));
      });
      if (socket.destroyed) controller.abort();
      // Every pair that is minted for it listens.
      setMaxListeners(0, controller.signal);
      const peer = { address: socket.remoteAddress, secure: socket instanceof TLSSocket };
      connection = { signal: controller.signal, answering, peer, closes: false };
      this.#connections.set(socket, connection);
    }
    return connection;
  }

  /** The response that has the socket now; undefined if none does. */
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

  /** Has the answer say that the connection is closed. */
  announceClosing(response: ServerResponse): void {
    response.setHeader('Connection', 'close');
    this.of(response.req.socket).closes = true;
  }

  /** Whether an answer closes its connection: while draining, that to the last request does. */
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

function isComing({ headersSent }: ServerResponse): boolean {
  return !headersSent;
}
