import http from 'node:http';
import { type AddressInfo, isIPv6 } from 'node:net';
import { ConfigurationError } from '../configuration-error.ts';
import { metricsType } from './metrics.ts';

// Whoever scrapes takes milliseconds; nobody else has business here.
const limits = { headersTimeout: 5000, requestTimeout: 5000, keepAliveTimeout: 75_000 };

/** Serves `GET /metrics`, to whoever reaches the address: figures, and no secret. */
export class MetricsListener {
  readonly #read: () => Promise<string>;
  readonly #server: http.Server;

  /** @param read gives everything in Prometheus's text format */
  constructor(read: () => Promise<string>) {
    this.#read = read;
    this.#server = http.createServer(limits, (request, response) => {
      void this.#answer(request, response);
    });
  }

  /** Resolves to the URL. @throws ConfigurationError where the address cannot be listened on */
  async listen({ host, port }: { host: string; port: number }): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (cause) => {
        const where = `${host}, port ${port}, for metrics`;
        reject(new ConfigurationError(`cannot listen on ${where}: ${cause.message}`, { cause }));
      });
      this.#server.listen({ host, port }, resolve);
    });
    this.#server.removeAllListeners('error').on('error', () => {});
    const { port: bound } = this.#server.address() as AddressInfo;
    return `http://${isIPv6(host) ? `[${host}]` : host}:${bound}/metrics`;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    request.resume();
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (!isRead || request.url?.split('?')[0] !== '/metrics') {
      response.writeHead(404, { 'Content-Type': 'text/plain' }).end('see /metrics\n');
      return;
    }
    try {
      const text = await this.#read();
      response.writeHead(200, { 'Content-Type': metricsType }).end(text);
    } catch {
      response.writeHead(503, { 'Content-Type': 'text/plain' }).end('unavailable\n');
    }
  }
}
