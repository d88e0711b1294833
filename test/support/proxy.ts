import { connect, createServer, type Server, type Socket } from 'node:net';

// PostgreSQL's ReadyForQuery, with which the answer to a statement ends.
const readyForQuery = Buffer.from('Z\0\0\0\x05I', 'latin1');

/** A TCP proxy before a server, which loses what a test tells it to lose. */
export class LossyProxy {
  readonly port: number;
  /** Whether it takes bytes and passes none on, as a network that drops packets. */
  isCut = false;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #lost: { text: string; what: 'answer' | 'request'; left: number } | undefined;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  static async start(target: number, address = '127.0.0.1'): Promise<LossyProxy> {
    const server = createServer().listen(0, address);
    await new Promise((done) => server.once('listening', done));
    const proxy = new LossyProxy(server, (server.address() as { port: number }).port);
    server.on('connection', (client) => proxy.#serve(client, target));
    return proxy;
  }

  /**
   * Ends the connection of the next statement that has a text in it: before the server gets it, or when
   * the server has answered it, and the answer is lost.
   */
  loseNext(text: string, what: 'answer' | 'request', times = 1): void {
    this.#lost = { text, what, left: times };
  }

  /** Whether everything that was to be lost was. */
  get hasLost(): boolean {
    return this.#lost?.left === 0;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((done) => this.#server.close(done));
  }

  #serve(client: Socket, target: number): void {
    const server = connect(target, '127.0.0.1');
    let isLosingAnswer = false;
    let answer = Buffer.alloc(0);
    const end = () => {
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on('error', end);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        if (!this.isCut) end();
      });
    }
    client.on('data', (bytes) => {
      if (this.isCut) return;
      const lost = this.#lost;
      if (lost !== undefined && lost.left > 0 && bytes.includes(lost.text)) {
        lost.left--;
        if (lost.what === 'request') return end();
        isLosingAnswer = true;
      }
      server.write(bytes);
    });
    server.on('data', (bytes) => {
      if (this.isCut) return;
      if (!isLosingAnswer) {
        client.write(bytes);
        return;
      }
      answer = Buffer.concat([answer, bytes]);
      if (answer.includes(readyForQuery)) end();
    });
  }
}
