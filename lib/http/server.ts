import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import http, { STATUS_CODES } from 'node:http';
import https from 'node:https';
import net, { type AddressInfo, isIPv6, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { ConfigurationError } from '../configuration-error.ts';
import { loadOperations } from '../operations/index.ts';
import { tooLarge, unroutable } from './answers.ts';
import { readBody } from './body.ts';
import { createHandler, type Handler, type HandlerOptions, type RequestEvent } from './handler.ts';
import { hostName, isLoopback } from './loopback.ts';
import { fieldValue, type HttpAnswer, headerFields, readTarget } from './message.ts';
import type { Measured, Metrics } from './metrics.ts';
import { type OriginOf, originReader, type Peer } from './origin.ts';
import type { Service } from './service.ts';

/** A certificate chain and its private key, PEM. */
export interface TlsFiles {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
}

export interface ServerOptions extends HandlerOptions {
  /** Makes it an HTTPS server: TLS 1.2 and 1.3. */
  readonly tls?: TlsFiles | undefined;
  readonly limits?: Partial<Limits> | undefined;
  /**
   * Proxies, by address or network (CIDR), whose X-Forwarded-For and X-Forwarded-Proto are believed:
   * `aws:SourceIp` and `aws:SecureTransport` of policies are the client's then. None by default.
   */
  readonly trustedProxies?: readonly string[] | undefined;
  /** Counts requests and connections, of several servers if they share it. */
  readonly metrics?: Metrics | undefined;
}

/** How long clients may take, in milliseconds. */
export interface Limits {
  readonly headersTimeout: number;
  /** For a whole request. */
  readonly requestTimeout: number;
  /** How often the two are looked after. */
  readonly connectionsCheckingInterval: number;
  /** For the next request on a connection. */
  readonly keepAliveTimeout: number;
}

export interface ListenOptions {
  /** 127.0.0.1 by default. */
  readonly host?: string | undefined;
  /** 4599 by default; 0 picks a free one. */
  readonly port?: number | undefined;
}

const defaultLimits: Limits = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 5_000,
  // Longer than load balancers keep an idle connection, or they would use one that just closed.
  keepAliveTimeout: 75_000,
};
const fixedLimits = {
  // The URL counts as well; a session's token takes most of it.
  maxHeaderSize: 16_384,
  // Finds the peer of a half-open connection gone.
  keepAlive: true,
};
const properties = {
  maxHeadersCount: 100,
  // For connections on which nothing moves. A pair may be minted for that long, behind many others.
  timeout: 300_000,
};
const handshakeTimeout = 10_000;
// What Node.js answers where a request cannot be read; everything else is a 400.
const unreadable: Readonly<Record<string, number>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  HPE_HEADER_OVERFLOW: 431,
};

/** Makes the HTTP server of a service; it listens once it is told to. */
export function createServer(kms: Service, options: ServerOptions = {}): PairmintServer {
  return new PairmintServer(kms, options);
}

/** Makes what measures servers, for their options; with prom-client, which is loaded for it. */
export async function createMetrics(kms: Measured): Promise<Metrics> {
  const metrics = await import('./metrics.ts');
  return new metrics.Metrics(kms);
}

/** AWS's JSON protocol over HTTP/1.1. The service stays open when the server is closed. */
export class PairmintServer {
  readonly #handle: Handler;
  readonly #auth: boolean;
  readonly #originOf: OriginOf;
  readonly #observe: (event: RequestEvent) => void;
  readonly #server: http.Server | https.Server;
  readonly #connections = new WeakMap<Duplex, Connection>();
  #underWay = 0;
  #drained: Promise<void> | undefined;
  #onIdle: (() => void) | undefined;

  constructor(
    kms: Service,
    { tls, limits, metrics, onRequest, trustedProxies, ...options }: ServerOptions,
  ) {
    this.#observe = (event) => {
      metrics?.count(event);
      onRequest?.(event);
    };
    const isObserved = metrics !== undefined || onRequest !== undefined;
    this.#handle = createHandler(kms, {
      ...options,
      onRequest: isObserved ? this.#observe : undefined,
    });
    this.#auth = options.auth ?? true;
    this.#originOf = originReader(trustedProxies);
    const settings = { ...defaultLimits, ...fixedLimits, ...limits };
    this.#server =
      tls === undefined
        ? http.createServer(settings)
        : https.createServer({ ...settings, ...secureContext(tls), handshakeTimeout });
    Object.assign(this.#server, properties);
    this.#server.on('request', (request, response) => this.#serve(request, response));
    this.#server.on('clientError', (error, socket) => this.#refuse(error, socket));
    metrics?.watch(this);
  }

  /** How many requests are being read or answered. */
  get requestsUnderWay(): number {
    return this.#underWay;
  }

  /** How many connections are open. */
  connections(): Promise<number> {
    return new Promise((resolve) => {
      this.#server.getConnections((_error, count) => resolve(count ?? 0));
    });
  }

  /** Resolves to the URL. @throws ConfigurationError where the address cannot be listened on */
  async listen({ host = '127.0.0.1', port = 4599 }: ListenOptions = {}): Promise<string> {
    if (!this.#auth && !isLoopback(host)) {
      throw new ConfigurationError(`without authentication everyone could use keys at ${host}`, {
        hint: 'listen on 127.0.0.1, or let clients sign: pairmint credentials create',
      });
    }
    await loadOperations();
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (cause) => {
        const where = `${host}, port ${port}`;
        reject(new ConfigurationError(`cannot listen on ${where}: ${cause.message}`, { cause }));
      });
      this.#server.listen({ host, port }, resolve);
    });
    // Such as a connection that could not be accepted for want of file descriptors: one is lost.
    this.#server.removeAllListeners('error').on('error', () => {});
    const scheme = this.#server instanceof https.Server ? 'https' : 'http';
    const address = this.#server.address() as AddressInfo;
    return `${scheme}://${isIPv6(host) ? `[${host}]` : host}:${address.port}`;
  }

  /** Takes another certificate for the connections to come. @throws Error where it is none */
  setTls(tls: TlsFiles): void {
    if (this.#server instanceof https.Server) this.#server.setSecureContext(secureContext(tls));
  }

  /**
   * Takes no more connections, lets the requests under way finish and closes all connections; those
   * that take longer than `milliseconds`, too.
   */
  drain(milliseconds = 30_000): Promise<void> {
    this.#drained ??= this.#drain(milliseconds);
    return this.#drained;
  }

  async #drain(milliseconds: number): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      // Not the HTTP server's own, which closes connections while they send the end of an answer, and
      // looks after slow clients no more.
      net.Server.prototype.close.call(this.#server, () => resolve());
    });
    // One that has not shaken hands yet is none that could be closed below.
    this.#server.on('secureConnection', (socket: Socket) => socket.destroy());
    let deadline: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      deadline = setTimeout(resolve, milliseconds);
      this.#onIdle = resolve;
      if (this.#underWay === 0) resolve();
    });
    clearTimeout(deadline);
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  #serve(request: http.IncomingMessage, response: http.ServerResponse): void {
    const { socket } = request;
    const connection = this.#connectionOf(socket);
    const { answering, signal, peer } = connection;
    if (this.#drained !== undefined && isClosing(connection)) return;
    answering.push(response);
    this.#underWay++;
    response.on('close', () => {
      const at = answering.indexOf(response);
      if (at !== -1) this.#ended(answering.splice(at, 1));
    });
    const send = (answer: HttpAnswer) => this.#send(answer, request, response);
    const { method = '', url = '', rawHeaders } = request;
    // Not `request.headers`, which tells of one of two fields of a name.
    const headers = headerFields(rawHeaders);
    const { path, authority } = readTarget(url);
    // A page in a browser reaches a loopback address under a name of its own that leads there, but
    // then it names itself here.
    if (!this.#auth && !isLoopback(hostName(authority ?? fieldValue(headers, 'host') ?? ''))) {
      const refusal = 'AccessDeniedException';
      send(this.#turnAway((requestId) => unroutable(refusal, requestId), refusal));
      return;
    }
    readBody(request, headers, (body) => {
      if (body === undefined) {
        send(this.#turnAway(tooLarge, 'RequestEntityTooLargeException'));
        return;
      }
      // It rejects where the client is gone and the request was abandoned with it.
      const abandon = () => response.destroy();
      const origin = this.#originOf(peer, headers);
      this.#handle({ method, path, headers, body, origin }, signal).then(send).catch(abandon);
    });
  }

  #send(
    { status, headers, body }: HttpAnswer,
    request: http.IncomingMessage,
    response: http.ServerResponse,
  ): void {
    // What was not read to its end cannot be followed by another request.
    if (!request.complete || this.#isLast(response)) {
      response.setHeader('Connection', 'close');
      this.#connectionOf(request.socket).closes = true;
    }
    // Where every character is one byte, these are the bytes of UTF-8, in less time.
    const isAscii = Number(headers['Content-Length']) === body.length;
    response.writeHead(status, headers).end(body, isAscii ? 'latin1' : 'utf8');
  }

  /** While draining, the answer to the request that came last on a connection closes it. */
  #isLast(response: http.ServerResponse): boolean {
    if (this.#drained === undefined) return false;
    return this.#connectionOf(response.req.socket).answering.at(-1) === response;
  }

  #connectionOf(socket: Socket): Connection {
    let connection = this.#connections.get(socket);
    if (connection === undefined) {
      const controller = new AbortController();
      const answering: http.ServerResponse[] = [];
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

  #ended({ length }: readonly http.ServerResponse[]): void {
    this.#underWay -= length;
    if (this.#underWay === 0) this.#onIdle?.();
  }

  /** Answers what the handler is not asked. */
  #turnAway(answerWith: (requestId: string) => HttpAnswer, name: string): HttpAnswer {
    const requestId = randomUUID();
    const answer = answerWith(requestId);
    this.#tell({ requestId, status: answer.status, name });
    return answer;
  }

  /** Answers what cannot be read, as Node.js would, but not unseen. */
  #refuse({ code = '' }: NodeJS.ErrnoException, socket: Duplex): void {
    const { answering = [] } = this.#connections.get(socket) ?? {};
    // Of several, one has the socket.
    const current = answering.find((response) => response.socket === socket);
    if (socket.writable && !current?.headersSent) {
      const status = unreadable[code] ?? 400;
      const text = STATUS_CODES[status] as string;
      socket.write(`HTTP/1.1 ${status} ${text}\r\nConnection: close\r\n\r\n`);
      this.#tell({ requestId: randomUUID(), status, name: text.replaceAll(' ', '') });
    }
    socket.destroy();
  }

  #tell({ name, ...facts }: { requestId: string; status: number; name: string }): void {
    this.#observe({ ...facts, operation: undefined, error: { name }, milliseconds: 0 });
  }
}

function secureContext({ cert, key }: TlsFiles): https.ServerOptions {
  return { cert, key, minVersion: 'TLSv1.2' };
}

/** What the server knows of a connection. */
interface Connection {
  /** Aborted when it is closed. */
  readonly signal: AbortSignal;
  /** The responses that are under way on it, in the order of their requests. */
  // No set: one that grows and shrinks leaves a chain of tables behind, each of which keeps the next
  // one, and what was in it, from being collected while it is young. That took a third of the time of
  // a request.
  readonly answering: http.ServerResponse[];
  readonly peer: Peer;
  /** Whether one of them says that it is closed. */
  closes: boolean;
}

/** Whether an answer to come closes the connection, so that another would not be sent. */
function isClosing({ closes, answering }: Connection): boolean {
  return closes || answering.some(({ headersSent }) => !headersSent);
}
