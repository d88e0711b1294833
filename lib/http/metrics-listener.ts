import http from 'node:http';
import { type AddressInfo, isIP, isIPv6 } from 'node:net';
import { ConfigurationError } from '../core/configuration-error.ts';
import { hostName, isLoopback } from './loopback.ts';
import { fieldValue, headerFields, readTarget } from './message.ts';
import { metricsType } from './metrics.ts';

// Short: a scraper takes milliseconds, and no other client should come here.
const limits = { headersTimeout: 5000, requestTimeout: 5000, keepAliveTimeout: 75_000 };

export interface MetricsAddress {
  readonly host: string;
  readonly port: number;
  /** Further host names that requests may use. */
  readonly names?: readonly string[] | undefined;
}

/**
 * Serves `GET /metrics` to every client that reaches the address: figures, and no secret. Only
 * known host names are answered: a page in a browser could reach the address under a name of its
 * own.
 */
export class MetricsListener {
  readonly #read: () => Promise<string>;
  readonly #server: http.Server;
  #isOwn: (host: string) => boolean = isLoopback;

  /** @param read returns all metrics in Prometheus's text format */
  constructor(read: () => Promise<string>) {
    this.#read = read;
    this.#server = http.createServer(limits, (request, response) => {
      void this.#answer(request, response);
    });
  }

  /** Resolves to the URL. @throws ConfigurationError if the address cannot be listened on */
  async listen({ host, port, names = [] }: MetricsAddress): Promise<string> {
    const own = new Set([host, ...names].map((name) => name.toLowerCase()));
    this.#isOwn = (name) =>
      isLoopback(name) || own.has(name) || (!isLoopback(host) && isIP(name) !== 0);
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
    if (request.httpVersionMajor !== 1) {
      response.writeHead(505, { 'Content-Type': 'text/plain' }).end('speak HTTP/1.1\n');
      return;
    }
    if (!this.#isOwn(hostOf(request))) {
      response
        .writeHead(403, { 'Content-Type': 'text/plain' })
        .end('this name is not known here: ask by the address, or name it in --metrics-names\n');
      return;
    }
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (!isRead || readTarget(request.url ?? '').path.split('?')[0] !== '/metrics') {
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

function hostOf({ url = '', rawHeaders }: http.IncomingMessage): string {
  const { authority } = readTarget(url);
  return hostName(authority ?? fieldValue(headerFields(rawHeaders), 'host') ?? '');
}
