import { StoreError } from '../store-errors.ts';
import type { ConnectionFigures } from '../store-figures.ts';
import type { Client, Row, Statement } from './driver.ts';
import { isLost } from './faults.ts';

/** Opens a connection to a server that takes writes, within some milliseconds. */
export type Connect = (milliseconds: number) => Promise<Client>;

interface Waiting {
  readonly resolve: (client: Client | undefined) => void;
}

/**
 * Some connections that callers take turns on. One that failed is never used again: a client whose
 * statement was given up may still get the answer, and take it for the next one's.
 */
export class Connections {
  readonly #connect: Connect;
  readonly #most: number;
  readonly #onQuery: () => void;
  readonly #idle: Client[] = [];
  readonly #all = new Set<Client>();
  #opening = 0;
  readonly #waiting: Waiting[] = [];
  #isClosed = false;

  /** @param onQuery called for each statement that `run` sends */
  constructor(connect: Connect, most: number, onQuery: () => void = () => {}) {
    this.#connect = connect;
    this.#most = most;
    this.#onQuery = onQuery;
  }

  /**
   * Runs one statement by itself.
   *
   * @param end by performance.now(), waiting for a connection included
   * @param onSent called before the statement is sent
   * @throws what the driver throws; StoreError if nothing was sent
   */
  async run(statement: Statement, end: number, onSent: () => void = () => {}): Promise<Row[]> {
    return this.use(end, async (client) => {
      onSent();
      this.#onQuery();
      return query(client, statement, end);
    });
  }

  /** Lends a connection. What `work` throws ends it, unless the server answered and goes on. */
  async use<T>(end: number, work: (client: Client) => Promise<T>): Promise<T> {
    const client = await this.#take(end);
    try {
      const result = await work(client);
      this.#giveBack(client);
      return result;
    } catch (error) {
      if (isLost(error)) {
        // What cut this one off has cut off the others, most likely.
        this.#drop(client);
        this.renew();
      } else this.#giveBack(client);
      throw error;
    }
  }

  /** Ends the connections that are idle: the next callers get new ones. */
  renew(): void {
    for (const client of this.#idle.splice(0)) this.#drop(client);
  }

  figures(): ConnectionFigures {
    const open = this.#all.size;
    return { open, inUse: open - this.#idle.length, waiting: this.#waiting.length };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { resolve } of this.#waiting.splice(0)) resolve(undefined);
    const ending = [...this.#all].map((client) => end(client));
    this.#all.clear();
    this.#idle.length = 0;
    await Promise.all(ending);
  }

  async #take(end: number): Promise<Client> {
    for (;;) {
      if (this.#isClosed) throw new StoreError('failed', 'the store was closed');
      const idle = this.#idle.pop();
      if (idle !== undefined) return idle;
      if (this.#all.size + this.#opening < this.#most) return this.#open(end);
      const client = await this.#wait(end);
      if (client !== undefined) return client;
      if (performance.now() >= end) {
        throw new StoreError('busy', 'no connection to the database became free in time');
      }
    }
  }

  async #open(end: number): Promise<Client> {
    this.#opening++;
    try {
      const client = await this.#connect(Math.max(1, end - performance.now()));
      this.#all.add(client);
      for (const event of ['error', 'end'] as const) client.on(event, () => this.#drop(client));
      return client;
    } finally {
      this.#opening--;
      if (this.#all.size + this.#opening < this.#most) this.#wake(undefined);
    }
  }

  /** Resolves to a connection, or to undefined if it may be time for another look. */
  #wait(end: number): Promise<Client | undefined> {
    return new Promise((done) => {
      const timer = setTimeout(
        () => waiting.resolve(undefined),
        Math.max(0, end - performance.now()),
      );
      const waiting: Waiting = {
        resolve: (client) => {
          clearTimeout(timer);
          const at = this.#waiting.indexOf(waiting);
          if (at >= 0) this.#waiting.splice(at, 1);
          done(client);
        },
      };
      this.#waiting.push(waiting);
    });
  }

  #giveBack(client: Client): void {
    if (!this.#all.has(client)) return;
    if (!this.#wake(client)) this.#idle.push(client);
  }

  #wake(client: Client | undefined): boolean {
    const next = this.#waiting[0];
    next?.resolve(client);
    return next !== undefined;
  }

  #drop(client: Client): void {
    if (!this.#all.delete(client)) return;
    const at = this.#idle.indexOf(client);
    if (at >= 0) this.#idle.splice(at, 1);
    client.connection.stream.destroy();
    this.#wake(undefined);
  }
}

/** Runs a statement on a connection, unnamed, so that any server connection of a pooler will do. */
export async function query(client: Client, statement: Statement, end: number): Promise<Row[]> {
  const { rows } = await within(end - performance.now(), client.query(statement));
  return rows;
}

/** Gives up waiting, whatever the driver does: its own time limits do not cover all that can hang. */
export async function within<T>(milliseconds: number, waited: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const tooLate = () => reject(new Error('the database gave no answer in time'));
    timer = setTimeout(tooLate, Math.max(1, milliseconds));
  });
  try {
    return await Promise.race([waited, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Says goodbye, but not for long: the network may be cut. */
async function end(client: Client): Promise<void> {
  await within(500, client.end()).catch(() => {});
  client.connection.stream.destroy();
}
