import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import net, { type AddressInfo } from 'node:net';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { listeningAt, pairmint } from '../support/server-process.mjs';

const bin = fileURLToPath(new URL('../../dist/cli/bin.js', import.meta.url));

export interface Served {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts `pairmint serve` on a free port with the store of `home`. */
export async function startServe(home: string, ...args: string[]): Promise<Served> {
  const server = pairmint({ PAIRMINT_HOME: home }, 'serve', '--port', '0', ...args);
  return {
    url: await listeningAt(server),
    stop: async () => {
      server.child.kill('SIGTERM');
      await server.ended;
    },
  };
}

/** Makes an access key in the store of `home`; it is root's. */
export function createCredentials(home: string): NodeJS.ProcessEnv {
  const principal = 'arn:aws:iam::000000000000:root';
  const printed = execFileSync(
    process.execPath,
    [bin, 'credentials', 'create', '--principal', principal],
    { env: { ...process.env, PAIRMINT_HOME: home }, stdio: ['ignore', 'pipe', 'ignore'] },
  );
  const { AccessKeyId, SecretAccessKey } = JSON.parse(String(printed));
  return { AWS_ACCESS_KEY_ID: AccessKeyId, AWS_SECRET_ACCESS_KEY: SecretAccessKey };
}

/** Makes a certificate for 127.0.0.1 that vouches for itself, with its key, in `folder`. */
export function makeCertificate(folder: string): { cert: string; key: string } {
  const [cert, key] = [path.join(folder, 'cert.pem'), path.join(folder, 'key.pem')];
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const files = ['-keyout', key, '-out', cert, '-days', '2'];
  execFileSync('openssl', ['req', ...kind, ...files, ...subject], { stdio: 'pipe' });
  return { cert, key };
}

/** What one server answers, by the path that it is asked for. */
export const strangeAnswers: Readonly<Record<string, readonly [status: number, body: string]>> = {
  '/object': [200, '{}'],
  '/empty': [200, ''],
  '/text': [200, 'hello'],
  '/without-message': [400, '{"__type":"InvalidCiphertextException"}'],
  '/namespace': [400, '{"__type":"com.amazonaws.kms#NotFoundException","message":"no key"}'],
  '/Message': [400, '{"__type":"NotFoundException","Message":"no key"}'],
  '/unheard-of': [400, '{"__type":"StrangeException","message":"odd"}'],
  '/internal': [500, '{"__type":"KMSInternalException","message":"boom"}'],
  '/throttled': [400, '{"__type":"ThrottlingException","message":"slow down"}'],
  '/limited': [400, '{"__type":"LimitExceededException","message":"too many"}'],
  '/timed-out': [503, '{"__type":"DependencyTimeoutException","message":"late"}'],
  '/bad-gateway': [502, '<html>bad gateway</html>'],
  '/unavailable': [503, ''],
  '/page-not-found': [404, '<html>no such page</html>'],
  '/nameless': [400, ''],
  '/moved': [301, ''],
};

/** Of those, what the AWS CLI takes for an answer without members, and pairmint for none. */
export const unreadableAnswers: readonly string[] = ['/empty', '/text'];

export interface Seen {
  readonly path: string;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
}

/**
 * Starts a server that gives those answers, never any under `/hang`, closes the connection under
 * `/close`, from the second request on under `/internal-once`, too, and otherwise refuses with what it was sent as the message.
 */
export async function startStrangeServer(): Promise<Served & { readonly seen: Seen[] }> {
  const seen: Seen[] = [];
  const listener: RequestListener = async (request, response) => {
    const { url = '', headers } = request;
    const body = await text(request);
    seen.push({ path: url, headers, body });
    if (url === '/hang') return;
    if (url === '/close' || (url === '/internal-once' && seen.length > 1)) {
      request.socket.destroy();
      return;
    }
    const [status, answer] = strangeAnswers[url.replace(/-once$/, '')] ?? [400, echo(body)];
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(answer);
  };
  return { ...(await listen(createServer(listener))), seen };
}

/** As the message of a refusal. Spaces and the order of members, AWS's SDK's own, do not differ. */
function echo(body: string): string {
  const members = Object.entries(JSON.parse(body)).sort();
  const message = JSON.stringify(Object.fromEntries(members));
  return JSON.stringify({ __type: 'EchoException', message });
}

/** Starts a server that takes connections and never says anything. */
export async function startSilentServer(): Promise<Served> {
  return listen(net.createServer((socket) => socket.on('error', () => {})));
}

export async function startTlsServer(tls: { cert: Buffer; key: Buffer }): Promise<Served> {
  const listener: RequestListener = (_request, response) => void response.end('{}');
  const { url, stop } = await listen(createHttpsServer(tls, listener));
  return { url: url.replace('http:', 'https:'), stop };
}

async function listen(server: net.Server): Promise<Served> {
  const sockets = new Set<net.Socket>();
  server.on('connection', (socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** Stops a server when the test that started it is over. */
export async function during<T extends Served>(started: Promise<T>): Promise<T> {
  const server = await started;
  onTestFinished(() => server.stop());
  return server;
}
