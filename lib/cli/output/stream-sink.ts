import type { TextSink } from '../context.ts';

/**
 * Writes to a stream of the process. `flush` resolves when everything is out, with the failure if
 * there was one; a reader that went away (`| head`) is no failure.
 */
export class StreamSink implements TextSink {
  readonly #stream: NodeJS.WriteStream;
  #written: Promise<void> = Promise.resolve();
  #failure: NodeJS.ErrnoException | undefined;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
    // Without a listener, an error of the stream would end the process with a stack trace.
    stream.on('error', (error: NodeJS.ErrnoException) => {
      this.#failure ??= error;
    });
  }

  get isTerminal(): boolean {
    return this.#stream.isTTY === true;
  }

  get columns(): number | undefined {
    return this.#stream.columns;
  }

  write(text: string): void {
    if (text !== '') {
      this.#written = new Promise((resolve) => {
        this.#stream.write(text, () => resolve());
      });
    }
  }

  async drained(): Promise<boolean> {
    await this.#written;
    // The error event follows the callback of the write that failed.
    await new Promise(setImmediate);
    return this.#failure === undefined;
  }

  async flush(): Promise<Error | undefined> {
    await this.drained();
    return this.#failure?.code === 'EPIPE' ? undefined : this.#failure;
  }
}
