import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { loadDriver } from '../../lib/store/postgres/driver.ts';

const password = 'not-to-be-seen';
const superuser = 'owner';

/** The folder of the newest PostgreSQL's programs, from 15 on. */
function findBinaries(): string | undefined {
  const folder = '/usr/lib/postgresql';
  const versions = existsSync(folder) ? readdirSync(folder).map(Number) : [];
  const [newest] = versions.filter((version) => version >= 15).sort((a, b) => b - a);
  const bin = `${folder}/${newest}/bin`;
  return newest !== undefined && existsSync(`${bin}/initdb`) ? bin : undefined;
}

function findPooler(): string | undefined {
  return ['/usr/sbin/pgbouncer', '/usr/bin/pgbouncer'].find((file) => existsSync(file));
}

const binaries = findBinaries();
const pooler = findPooler();

/** Whether tests of PostgreSQL can run here. In CI they must. */
export const hasPostgres = binaries !== undefined && pooler !== undefined;
if (!hasPostgres) {
  const sentence =
    'Tests of PostgreSQL are skipped: install it (apt-get install postgresql pgbouncer).';
  if (process.env.CI === 'true') throw new Error(sentence);
  console.warn(sentence);
}

// PostgreSQL and PgBouncer refuse to run as root.
const asUser = process.getuid?.() === 0 ? idsOf('postgres') : {};

function idsOf(user: string): { uid: number; gid: number } | Record<string, never> {
  if (!hasPostgres) return {};
  const id = (option: string) => Number(execFileSync('id', [option, user], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

function ownFolder(): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'pairmint-pg-'));
  chmodSync(folder, 0o755);
  if (asUser.uid !== undefined) chownSync(folder, asUser.uid, asUser.gid);
  return folder;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((done) => server.once('listening', done));
  const { port } = server.address() as { port: number };
  await new Promise((done) => server.close(done));
  return port;
}

async function clientOf(port: number, database: string) {
  const { Client } = await loadDriver();
  const client = new Client({
    host: '127.0.0.1',
    port,
    user: superuser,
    database,
    password: async () => password,
    ssl: false,
    application_name: 'test',
    connectionTimeoutMillis: 5000,
    keepAlive: true,
  });
  client.on('error', () => {});
  return client;
}

/** A PostgreSQL server of a test's own, on loopback. */
export class Cluster {
  readonly port: number;
  readonly #folder: string;
  #process: ChildProcess | undefined;

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.port = port;
  }

  static async start(): Promise<Cluster> {
    const folder = ownFolder();
    const secret = `${folder}/password`;
    writeFileSync(secret, password);
    chmodSync(secret, 0o644);
    const made = ['-D', `${folder}/data`, '-U', superuser, '--pwfile', secret, '-N'];
    const settings = ['-A', 'scram-sha-256', '-E', 'UTF8', '--locale=C'];
    execFileSync(`${binaries}/initdb`, [...made, ...settings], { ...asUser, stdio: 'pipe' });
    const cluster = new Cluster(folder, await freePort());
    await cluster.run();
    return cluster;
  }

  /** Starts the server, with settings of its own, and waits until it answers. */
  async run(settings: Readonly<Record<string, string>> = {}): Promise<void> {
    const all = { listen_addresses: '127.0.0.1', unix_socket_directories: '', ...settings };
    const options = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const place = ['-D', `${this.#folder}/data`, '-p', `${this.port}`];
    this.#process = spawn(`${binaries}/postgres`, [...place, ...options], {
      ...asUser,
      stdio: 'ignore',
    });
    await this.answers();
  }

  async answers(): Promise<void> {
    for (let tries = 0; ; tries++) {
      try {
        await this.query('select 1');
        return;
      } catch (error) {
        if (tries > 900) throw error;
        await new Promise((done) => setTimeout(done, 100));
      }
    }
  }

  /** Stops the server as a power failure would, but for the disk: SIGQUIT is an immediate shutdown. */
  async stop(signal: NodeJS.Signals = 'SIGQUIT'): Promise<void> {
    const running = this.#process;
    if (running === undefined || running.exitCode !== null) return;
    const ended = new Promise((done) => running.once('exit', done));
    running.kill(signal);
    await ended;
  }

  /**
   * Starts the server again with TLS: its certificate is for 127.0.0.1 alone, of a CA made for it.
   *
   * @returns the file of the CA's certificate, and that of another CA
   */
  async runWithTls(): Promise<{ ca: string; otherCa: string }> {
    const at = (name: string) => `${this.#folder}/${name}`;
    const openssl = (...args: string[]) =>
      execFileSync('openssl', args, { ...asUser, stdio: 'pipe', cwd: this.#folder });
    const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    for (const name of ['ca', 'other']) {
      const out = ['-keyout', at(`${name}.key`), '-out', at(`${name}.pem`)];
      openssl('req', '-x509', ...newKey, ...out, '-subj', `/CN=${name}`, '-days', '2');
    }
    writeFileSync(at('names'), 'subjectAltName=IP:127.0.0.1');
    const request = ['-keyout', at('server.key'), '-out', at('server.csr'), '-subj', '/CN=server'];
    openssl('req', ...newKey, ...request);
    const signing = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '2'];
    const files = ['-in', at('server.csr'), '-out', at('server.pem'), '-extfile', at('names')];
    openssl('x509', '-req', ...files, ...signing);
    await this.stop('SIGINT');
    await this.run({
      ssl: 'on',
      ssl_cert_file: at('server.pem'),
      ssl_key_file: at('server.key'),
    });
    return { ca: at('ca.pem'), otherCa: at('other.pem') };
  }

  /** A copy of the files of the server, which must not run, as of a disk; `putBack` has them again. */
  keep(): { putBack(): void } {
    const [data, kept] = [`${this.#folder}/data`, `${this.#folder}/kept`];
    const copy = (from: string, to: string) => {
      rmSync(to, { recursive: true, force: true });
      execFileSync('cp', ['-a', from, to], asUser);
    };
    copy(data, kept);
    return { putBack: () => copy(kept, data) };
  }

  /** A standby of this server, which follows it until it is promoted. */
  async standby(settings: Readonly<Record<string, string>> = {}): Promise<Cluster> {
    const folder = ownFolder();
    const from = `host=127.0.0.1 port=${this.port} user=${superuser} password=${password}`;
    const options = ['-D', `${folder}/data`, '-d', from, '-R', '-c', 'fast', '-X', 'stream'];
    execFileSync(`${binaries}/pg_basebackup`, options, { ...asUser, stdio: 'pipe' });
    const cluster = new Cluster(folder, await freePort());
    await cluster.run({ hot_standby: 'on', ...settings });
    return cluster;
  }

  /** Restores a dump of one database to another. */
  dump(from: string, to: string): void {
    const env = { ...process.env, PGPASSWORD: password };
    const place = ['-h', '127.0.0.1', '-p', `${this.port}`, '-U', superuser];
    const text = execFileSync(`${binaries}/pg_dump`, [...place, from], { env });
    const options = ['-q', '-v', 'ON_ERROR_STOP=1', '-d', to];
    execFileSync(`${binaries}/psql`, [...place, ...options], { env, input: text, stdio: 'pipe' });
  }

  async promote(): Promise<void> {
    await this.query('select pg_promote()');
  }

  async remove(): Promise<void> {
    await this.stop('SIGINT');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** The URL of a database, by way of another port if one is given. */
  url(database = 'postgres', { port = this.port, user = superuser, more = '' } = {}): string {
    return `postgres://${user}:${password}@127.0.0.1:${port}/${database}${more}`;
  }

  /** Runs SQL as the superuser. */
  async query(text: string, database = 'postgres'): Promise<Record<string, unknown>[]> {
    const client = await clientOf(this.port, database);
    await client.connect();
    try {
      const { rows } = await client.query({ text });
      return rows ?? [];
    } finally {
      await client.end().catch(() => {});
    }
  }

  /** Makes a database and returns its name. */
  async database(): Promise<string> {
    const name = `db_${Math.random().toString(36).slice(2, 10)}`;
    await this.query(`create database ${name}`);
    return name;
  }
}

export { password as secretPassword };

/** PgBouncer before a cluster, which gives a server connection to a client for one transaction. */
export class Pooler {
  readonly port: number;
  readonly #folder: string;
  readonly #process: ChildProcess;

  private constructor(folder: string, port: number, process: ChildProcess) {
    this.#folder = folder;
    this.port = port;
    this.#process = process;
  }

  /** @param settings its own settings, in which ports and files are replaced, and one more user */
  static async start(
    cluster: Cluster,
    settings?: { readonly ini: string; readonly user: string; readonly password: string },
  ): Promise<Pooler> {
    const folder = ownFolder();
    const port = await freePort();
    const more = settings && `"${settings.user}" "${settings.password}"\n`;
    writeFileSync(`${folder}/users.txt`, `"${superuser}" "${password}"\n${more ?? ''}`);
    const usual = [
      '[databases]',
      `* = host=127.0.0.1 port=${cluster.port}`,
      '[pgbouncer]',
      'listen_addr = 127.0.0.1',
      `listen_port = ${port}`,
      'unix_socket_dir =',
      'auth_type = scram-sha-256',
      `auth_file = ${folder}/users.txt`,
      'pool_mode = transaction',
      'default_pool_size = 4',
      'max_client_conn = 500',
    ].join('\n');
    const ini = settings?.ini
      .replace(/host=\S+ port=\d+/, `host=127.0.0.1 port=${cluster.port}`)
      .replace(/listen_addr = .*/, 'listen_addr = 127.0.0.1')
      .replace(/listen_port = .*/, `listen_port = ${port}`)
      .replace(/auth_file = .*/, `auth_file = ${folder}/users.txt`);
    // Its owner waits until it answers by asking for this database.
    const text = ini?.replace(
      '[databases]',
      `[databases]\npostgres = host=127.0.0.1 port=${cluster.port}`,
    );
    writeFileSync(`${folder}/pgbouncer.ini`, text ?? usual);
    const process = spawn(pooler as string, [`${folder}/pgbouncer.ini`], {
      ...asUser,
      stdio: 'ignore',
    });
    const started = new Pooler(folder, port, process);
    await started.#answers();
    return started;
  }

  async #answers(): Promise<void> {
    for (let tries = 0; ; tries++) {
      const client = await clientOf(this.port, 'postgres');
      try {
        await client.connect();
        await client.end();
        return;
      } catch (error) {
        if (tries > 100) throw error;
        await new Promise((done) => setTimeout(done, 100));
      }
    }
  }

  async stop(): Promise<void> {
    const ended = new Promise((done) => this.#process.once('exit', done));
    this.#process.kill('SIGKILL');
    await ended;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
