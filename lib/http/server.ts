import { randomUUID } from 'node:crypto';
import http, { STATUS_CODES } from 'node:http';
import https from 'node:https';
import net, { type AddressInfo, isIPv6, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { ConfigurationError } from '../core/configuration-error.ts';
import { requireKnown } from '../core/known-options.ts';
import { keepCompany } from '../core/under-way.ts';
import { loadOperations } from '../service/operation-names.ts';
import { bodyTooLarge, plain, throttled, unroutable } from './answers.ts';
import { type BodyRefusal, BodyRoom, readBody } from './body.ts';
import { Connections } from './connections.ts';
import {
  createReception,
  type HandlerOptions,
  handlerOptions,
  type Reception,
  type RequestEvent,
} from './handler.ts';
import { hostName, isLoopback } from './loopback.ts';
import { fieldValue, type HttpAnswer, headerFields, readTarget } from './message.ts';
import type { Measured, Metrics } from './metrics.ts';
import { type OriginOf, originReader } from './origin.ts';
import { Sender } from './sending.ts';
import type { Service } from './service.ts';

/** A certificate chain and its private key, PEM. */
export interface TlsFiles {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
}

export interface ServerOptions extends HandlerOptions {
  /** Makes the server an HTTPS server: TLS 1.2 and 1.3. */
  readonly tls?: TlsFiles | undefined;
  readonly limits?: Partial<Limits> | undefined;
  /**
   * Proxies, by address or network (CIDR), whose X-Forwarded-For and X-Forwarded-Proto are
   * believed: policies then see the client's `aws:SourceIp` and `aws:SecureTransport`. None by
   * default.
   */
  readonly trustedProxies?: readonly string[] | undefined;
  /** Counts requests and connections; several servers may share it. */
  readonly metrics?: Metrics | undefined;
}

/** How long clients may take, in milliseconds, and how much memory they may use together. */
export interface Limits {
  readonly headersTimeout: number;
  /** For a whole request. */
  readonly requestTimeout: number;
  /** How often the two timeouts above are checked. */
  readonly connectionsCheckingInterval: number;
  /** For the next request on a connection. */
  readonly keepAliveTimeout: number;
  /** How many connections may be open at a time. */
  readonly connections: number;
  /** How many bytes of unfinished bodies may be held. */
  readonly bodyBytes: number;
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
  // Longer than load balancers keep an idle connection; otherwise they might use a closed one.
  keepAliveTimeout: 75_000,
  // Some 300 MiB, if each has a TLS session and the longest head.
  connections: 4096,
  bodyBytes: 67_108_864,
};
const fixedLimits = {
  // The URL counts as well; a session's token takes most of it.
  maxHeaderSize: 16_384,
  // Finds the peer of a half-open connection gone.
  keepAlive: true,
};
const properties = {
  // Unlimited: Node.js would silently drop fields above the limit. `refusalOf` counts them.
  maxHeadersCount: 0,
  // For idle sockets. A request may wait that long for its pair, behind many others.
  timeout: 300_000,
};
const handshakeTimeout = 10_000;
// Looking up one field searches them all.
const mostFields = 100;
// The most connections that may wait to be accepted, unless the system allows fewer.
const backlog = 511;
// How long a drain waits for requests that were sent before clients could know of it.
const grace = 2000;
// The statuses that Node.js answers to a request that it cannot read; all others are 400.
const unreadable: Readonly<Record<string, number>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  HPE_HEADER_OVERFLOW: 431,
};

const tlsOptions: Readonly<Record<keyof TlsFiles, true>> = { cert: true, key: true };
const listenOptions: Readonly<Record<keyof ListenOptions, true>> = { host: true, port: true };
const serverOptions: Readonly<Record<keyof ServerOptions, true>> = {
  ...handlerOptions,
  tls: true,
  limits: true,
  trustedProxies: true,
  metrics: true,
};

/**
 * Makes the HTTP server of a service; it listens once it is told to.
 *
 * @throws ConfigurationError if there is no such option, or a trusted proxy is not an address
 */
export function createServer(kms: Service, options: ServerOptions = {}): PairmintServer {
  requireKnown('createServer', options, serverOptions);
  const { tls, limits } = options;
  if (limits !== undefined) requireKnown('limits of createServer', limits, defaultLimits);
  if (tls !== undefined) requireKnown('tls of createServer', tls, tlsOptions);
  return new PairmintServer(kms, options);
}

/** Makes the `metrics` option of servers. Loads prom-client, which nothing else needs. */
export async function createMetrics(kms: Measured): Promise<Metrics> {
  const metrics = await import('./metrics.ts');
  return new metrics.Metrics(kms);
}

/** AWS's JSON protocol over HTTP/1.1. The service stays open when the server is closed. */
export class PairmintServer {
  readonly #receive: Reception;
  readonly #auth: boolean;
  readonly #originOf: OriginOf;
  readonly #observe: (event: RequestEvent) => void;
  readonly #server: http.Server | https.Server;
  readonly #connections = new Connections();
  readonly #sender = new Sender(this.#connections);
  readonly #room: BodyRoom;
  #drained: Promise<void> | undefined;

  constructor(
    kms: Service,
    { tls, limits, metrics, onRequest, trustedProxies, ...options }: ServerOptions,
  ) {
    this.#observe = (event) => {
      metrics?.count(event);
      onRequest?.(event);
    };
    const isObserved = metrics !== undefined || onRequest !== undefined;
    this.#receive = createReception(kms, {
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
    Object.assign(this.#server, properties, {
      maxConnections: settings.connections,
      // A client that has nothing more to send may wait for its answers. In TLS, the end of one side
      // is the end of both.
      httpAllowHalfOpen: tls === undefined,
    });
    this.#room = new BodyRoom(settings.bodyBytes);
    this.#server.on('request', (request, response) => this.#serve(request, response));
    // A client whose request is refused is not asked to send its body.
    this.#server.on('checkContinue', (request, response) => {
      this.#serve(request, response, () => response.writeContinue());
    });
    // At the limit of connections: closing idle ones makes room for the next client.
    this.#server.on('drop', () => this.#server.closeIdleConnections());
    this.#server.on('clientError', (error, socket) => this.#refuse(error, socket));
    // Its requests come one by one, each in an event of its own: only if none thinks that it is alone
    // do those of one turn enter native code together.
    this.#server.on('listening', () => this.#server.once('close', keepCompany()));
    metrics?.watch(this);
  }

  /** How many requests are being read or answered. */
  get requestsUnderWay(): number {
    return this.#connections.underWay;
  }

  /** How many connections are open. */
  connections(): Promise<number> {
    return new Promise((resolve) => {
      this.#server.getConnections((_error, count) => resolve(count ?? 0));
    });
  }

  /** Resolves to the URL. @throws ConfigurationError if the address cannot be listened on */
  async listen(options: ListenOptions = {}): Promise<string> {
    requireKnown('listen', options, listenOptions);
    const { host = '127.0.0.1', port = 4599 } = options;
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
      this.#server.listen({ host, port, backlog }, resolve);
    });
    // For example, a connection cannot be accepted for want of file descriptors: only that one is
    // lost.
    this.#server.removeAllListeners('error').on('error', () => {});
    const scheme = this.#server instanceof https.Server ? 'https' : 'http';
    const address = this.#server.address() as AddressInfo;
    return `${scheme}://${isIPv6(host) ? `[${host}]` : host}:${address.port}`;
  }

  /** Sets the certificate for new connections. @throws Error if it is not valid */
  setTls(tls: TlsFiles): void {
    if (this.#server instanceof https.Server) this.#server.setSecureContext(secureContext(tls));
  }

  /**
   * Takes no more connections, answers requests that were sent before clients could know of it,
   * lets the requests under way finish and closes all connections. After `milliseconds`, it closes
   * them even if requests are under way.
   */
  drain(milliseconds = 30_000): Promise<void> {
    this.#drained ??= this.#drain(milliseconds);
    return this.#drained;
  }

  async #drain(milliseconds: number): Promise<void> {
    const deadline = performance.now() + milliseconds;
    this.#connections.startDraining();
    await this.#acceptWaiting();
    const closed = new Promise<void>((resolve) => {
      // Not the HTTP server's own `close`: it closes connections that are still sending an answer,
      // and stops checking the timeouts of slow clients.
      net.Server.prototype.close.call(this.#server, () => resolve());
    });
    await settled(closed, Math.min(grace, milliseconds));
    // Requests that came while the process was busy must be read before the time is up.
    await nextTurn();
    this.#connections.takeNoMore();
    // closeAllConnections misses sockets that are still in the TLS handshake.
    this.#server.on('secureConnection', (socket: Socket) => socket.destroy());
    await settled(this.#connections.idle(), deadline - performance.now());
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  /** Accepts the connections that wait for it; closing the listener would reset them. */
  async #acceptWaiting(): Promise<void> {
    let accepted = 0;
    const count = () => {
      accepted++;
    };
    this.#server.on('connection', count);
    // The event loop accepts one connection per turn.
    for (let before = -1; before !== accepted && accepted < backlog; ) {
      before = accepted;
      await nextTurn();
    }
    this.#server.off('connection', count);
  }

  #serve(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    askForBody?: () => void,
  ): void {
    const connection = this.#connections.of(request.socket);
    // The system forgets the peer of a connection that was reset, and a Deny by its address would
    // not apply. Nobody waits for the answer.
    if (connection.peer.address === undefined) {
      request.socket.destroy();
      return;
    }
    // An earlier answer closes the connection: an answer to this request could not be sent.
    if (!this.#connections.begin(connection, response)) return;
    const { signal, peer } = connection;
    const { method = '', url = '', rawHeaders } = request;
    // Not `request.headers`, which drops the second of two fields of one name.
    const headers = headerFields(rawHeaders);
    const { path, authority } = readTarget(url);
    const refusal = this.#refusalOf(request, authority ?? fieldValue(headers, 'host') ?? '');
    if (refusal !== undefined) {
      this.#sender.sendUnread(refusal, request, response);
      return;
    }
    const goOn = (received: Awaited<ReturnType<Reception>>) => {
      if (typeof received !== 'function') {
        this.#sender.sendUnread(received, request, response);
        return;
      }
      askForBody?.();
      readBody(request, headers, this.#room, (body) => {
        if (typeof body === 'string') {
          this.#sender.sendUnread(this.#turnAwayBody(body), request, response);
          return;
        }
        // Rejects only if the client is gone and its request was abandoned.
        received(body).then(
          (answer) => this.#sender.send(answer, response),
          () => response.destroy(),
        );
      });
    };
    const origin = this.#originOf(peer, headers);
    const received = this.#receive({ method, path, headers, origin }, signal);
    if (received instanceof Promise) void received.then(goOn);
    else goOn(received);
  }

  /** The refusal of a request that the handler must not see. */
  #refusalOf(
    { httpVersionMajor, rawHeaders }: http.IncomingMessage,
    host: string,
  ): HttpAnswer | undefined {
    if (httpVersionMajor !== 1) return this.#turnAway((id) => plain(505, id), statusName(505));
    // `rawHeaders` has names and values in turn.
    if (rawHeaders.length > 2 * mostFields) {
      return this.#turnAway((id) => plain(431, id), statusName(431));
    }
    // A page in a browser can reach a loopback address under a host name of its own, but the Host
    // field then has that name.
    if (!this.#auth && !isLoopback(hostName(host))) {
      const refusal = 'AccessDeniedException';
      return this.#turnAway((id) => unroutable(refusal, id), refusal);
    }
    return undefined;
  }

  #turnAwayBody(refusal: BodyRefusal): HttpAnswer {
    return refusal === 'too-large'
      ? this.#turnAway(bodyTooLarge, 'RequestEntityTooLargeException')
      : this.#turnAway(throttled, 'ThrottlingException');
  }

  /** Refuses a request that the handler must not see. */
  #turnAway(answerWith: (requestId: string) => HttpAnswer, name: string): HttpAnswer {
    const requestId = randomUUID();
    const answer = answerWith(requestId);
    this.#tell({ requestId, status: answer.status, name });
    return answer;
  }

  /** Answers a request that cannot be read as Node.js would, but tells the observer. */
  #refuse({ code = '' }: NodeJS.ErrnoException, socket: Duplex): void {
    if (socket.writable && !this.#connections.answeringNow(socket)?.headersSent) {
      const status = unreadable[code] ?? 400;
      socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n\r\n`);
      this.#tell({ requestId: randomUUID(), status, name: statusName(status) });
    }
    socket.destroy();
  }

  #tell({ name, ...facts }: { requestId: string; status: number; name: string }): void {
    this.#observe({ ...facts, operation: undefined, error: { name }, milliseconds: 0 });
  }
}

/** The error name for a bare HTTP status, where AWS's exceptions have their own names. */
function statusName(status: number): string {
  return (STATUS_CODES[status] as string).replaceAll(' ', '');
}

/** Resolves when all data that has arrived by now was read. */
function nextTurn(): Promise<void> {
  // Between the two, the event loop polls all sockets.
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}

/** Resolves when `promise` does, or when the time is up. */
async function settled(promise: Promise<void>, milliseconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeUp = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  await Promise.race([promise, timeUp]);
  clearTimeout(timer);
}

function secureContext({ cert, key }: TlsFiles): https.ServerOptions {
  return { cert, key, minVersion: 'TLSv1.2' };
}
