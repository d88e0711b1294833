import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { StoreError, unavailable } from '../store-errors.ts';
import type { StoreTally } from '../store-figures.ts';
import type { Connections } from './connections.ts';
import type { Row, SqlValue } from './driver.ts';
import { isConflict, isLost, storeError } from './faults.ts';

// Whatever the database does, a call is answered within five seconds.
const callLimit = 4700;
// A write leaves time to find out what became of it, a read to ask once more.
const firstLimit = 2900;
const mostConflicts = 8;
const longestPause = 50;
const reconnectPause = 100;

/** A call of one of the schema's functions, which takes the id of its attempt. */
export type Call = (attempt: string) => { text: string; values: readonly SqlValue[] };

/**
 * Sends statements. One connection reads, so that answers come in the order in which they were true:
 * a process that has seen a record is never shown an earlier one. Others write.
 */
export class Database {
  readonly #schema: string;
  readonly #reading: Connections;
  readonly #writing: Connections;
  readonly #tally: StoreTally;

  constructor(
    schema: string,
    lanes: { reading: Connections; writing: Connections },
    tally: StoreTally,
  ) {
    this.#schema = schema;
    this.#tally = tally;
    this.#reading = lanes.reading;
    this.#writing = lanes.writing;
  }

  /** Reads, once more if the connection was lost. @throws KmsError */
  async read(text: string, values: readonly SqlValue[]): Promise<Row[]> {
    return this.#twice(this.#reading, { text, values }, performance.now() + callLimit).catch(
      this.#refuse,
    );
  }

  /**
   * Calls a function whose result needs not be known if it is lost: pairs that were taken and did not
   * arrive are gone. @throws KmsError
   */
  async take(text: string, values: readonly SqlValue[]): Promise<Row[]> {
    return this.#twice(this.#writing, { text, values }, performance.now() + callLimit).catch(
      this.#refuse,
    );
  }

  /**
   * Calls a function that leaves the id of its attempt. If the answer is lost, finds out whether it
   * was done; if it was not, calls it once more.
   *
   * @param resultOf makes a result of the answer, or of the number that the attempt left
   * @throws KmsError whose cause is a StoreError 'outcome unknown' if that cannot be found out
   */
  async write<T>(call: Call, resultOf: { row(row: Row): T; left(number: number): T }): Promise<T> {
    const end = performance.now() + callLimit;
    try {
      const first = await this.#attempt(call, end);
      if ('row' in first) return resultOf.row(first.row);
      if (first.left !== null) return resultOf.left(first.left);
      const second = await this.#attempt(call, end);
      if ('row' in second) return resultOf.row(second.row);
      if (second.left !== null) return resultOf.left(second.left);
      throw new StoreError(
        'failed',
        'the connection to the database was lost: nothing was changed',
      );
    } catch (error) {
      return this.#refuse(error);
    }
  }

  /** Reads within a time limit, without a second try. @throws KmsError */
  async readWithin(milliseconds: number, text: string): Promise<Row[]> {
    return this.#reading.run({ text }, performance.now() + milliseconds).catch(this.#refuse);
  }

  /** Ends connections that may lead to a server that takes no writes any more. */
  renew(): void {
    this.#reading.renew();
    this.#writing.renew();
  }

  async close(): Promise<void> {
    await Promise.all([this.#reading.close(), this.#writing.close()]);
  }

  /** The answer; or what the attempt left, null if it was not done and never will be. */
  async #attempt(call: Call, end: number): Promise<{ row: Row } | { left: number | null }> {
    const attempt = randomUUID();
    for (let until = Math.min(end, performance.now() + firstLimit); ; until = end) {
      let isSent = false;
      const send = () => this.#writing.run(call(attempt), until, () => (isSent = true));
      try {
        const [row] = await this.#again(send, until);
        return { row: row as Row };
      } catch (error) {
        if (isSent && !isLost(error)) throw error;
        if (isSent) return { left: await this.#settle(attempt, end, error) };
        if (until === end) throw error;
      }
      await pause(reconnectPause);
    }
  }

  async #settle(attempt: string, end: number, lost: unknown): Promise<number | null> {
    const text = `select ${this.#schema}.settle($1) as result`;
    let reason = storeError(lost);
    while (performance.now() + reconnectPause < end) {
      try {
        const [row] = await this.#writing.run({ text, values: [attempt] }, end);
        const { result } = row as Row;
        return result === null ? null : Number(result);
      } catch (error) {
        reason = storeError(error);
        await pause(reconnectPause);
      }
    }
    throw new StoreError(
      'outcome unknown',
      `the connection to the database was lost in a change, which may be done or not: ${reason.message}`,
    );
  }

  async #twice(
    lane: Connections,
    statement: { text: string; values: readonly SqlValue[] },
    end: number,
  ): Promise<Row[]> {
    const until = Math.min(end, performance.now() + firstLimit);
    let isSent = false;
    try {
      return await this.#again(() => lane.run(statement, until, () => (isSent = true)), until);
    } catch (error) {
      if (isSent && !isLost(error)) throw error;
      if (performance.now() + reconnectPause >= end) throw error;
      if (!isSent) await pause(reconnectPause);
      return this.#again(() => lane.run(statement, end), end);
    }
  }

  readonly #refuse = (error: unknown): never => {
    const failure = storeError(error);
    this.#tally.failed(failure.fault);
    return unavailable(failure);
  };

  /** Repeats what met another transaction, with its connection given back in between. */
  async #again<T>(run: () => Promise<T>, end: number): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await run();
      } catch (error) {
        const isOver = tries >= mostConflicts || performance.now() >= end;
        if (!isConflict(error) || isOver) throw error;
        this.#tally.retries++;
        await pause(longestPause * Math.random());
      }
    }
  }
}
