import { readFileSync } from 'node:fs';
import os from 'node:os';
import { checkServerIdentity } from 'node:tls';
import { ConfigurationError } from '../../core/configuration-error.ts';
import { withoutPassword } from '../store-url.ts';

export interface Host {
  /** A name, an address, or the folder of a socket. */
  readonly host: string;
  readonly port: number;
}

/** Where a store is, as its URL says. */
export interface Address {
  /** Without a password. */
  readonly url: string;
  /** Tried in this order until one takes writes. */
  readonly hosts: readonly Host[];
  readonly user: string;
  readonly password: string | undefined;
  readonly database: string;
  readonly schema: string;
  /** How many connections a process has at most. */
  readonly connections: number;
  readonly applicationName: string;
  /** The options of TLS with a host; false: none. */
  ssl(host: Host): object | false;
}

const parameters = [
  'application_name',
  'connections',
  'schema',
  'sslcert',
  'sslkey',
  'sslmode',
  'sslrootcert',
  'target_session_attrs',
] as const;

const sslModes = ['disable', 'require', 'verify-ca', 'verify-full'];
const form = 'postgres://USER@HOST[:PORT][,HOST…]/DATABASE[?sslmode=verify-full]';
const defaultPort = 5432;
// One reads, one follows the changes of others, and the rest write.
const fewestConnections = 3;
const usualConnections = 4;
const mostConnections = 100;

/** Takes the URL of a store apart. The package pg cannot: it knows one host. @throws ConfigurationError */
export function parseAddress(text: string): Address {
  const url = withoutPassword(text);
  const match =
    /^postgres(?:ql)?:\/\/(?:([^@/?#]*)@)?([^@/?#]*)(?:\/([^?#@]*))?(?:\?([^#@]*))?$/i.exec(text);
  if (match === null) throw refused(url, `it has not the form ${form}`);
  const [, userInfo = '', hostList = '', path = '', query = ''] = match;
  const decode = (part: string) => decoded(url, part);
  const [user = '', ...secret] = userInfo.split(':');
  const given = parametersOf(url, query);
  const name = decode(user) || process.env.PGUSER || os.userInfo().username;
  const hosts = (hostList || process.env.PGHOST || 'localhost')
    .split(',')
    .map((part) => hostOf(url, decode, part));
  const schema = given.schema ?? 'pairmint';
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(schema)) {
    throw refused(url, `'${schema}' is not a name of a schema: small letters, digits and _`);
  }
  return {
    url,
    hosts,
    user: name,
    password: secret.length === 0 ? undefined : decode(secret.join(':')),
    database: decode(path) || process.env.PGDATABASE || name,
    schema,
    connections: connectionsOf(url, given.connections),
    applicationName: given.application_name ?? 'pairmint',
    ssl: tlsOf(url, given),
  };
}

type Parameters = Partial<Record<(typeof parameters)[number], string>>;

function parametersOf(url: string, query: string): Parameters {
  const given: Record<string, string> = {};
  for (const [name, value] of new URLSearchParams(query)) {
    if (/password/i.test(name)) {
      throw refused(url, 'a password stands before the host, in PGPASSFILE or in PGPASSWORD');
    }
    if (!(parameters as readonly string[]).includes(name)) {
      throw refused(url, `there is no parameter '${name}'; there are ${parameters.join(', ')}`);
    }
    given[name] = value;
  }
  const { target_session_attrs: target } = given;
  if (target !== undefined && !['read-write', 'primary'].includes(target)) {
    throw refused(url, 'target_session_attrs is read-write: a store is written to');
  }
  return given;
}

function hostOf(url: string, decode: (part: string) => string, part: string): Host {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:]*))(?::(\d+))?$/.exec(part) ?? [];
  const host = bracketed ?? decode(plain ?? '');
  const port = Number(digits ?? process.env.PGPORT ?? defaultPort);
  if (host !== '' && port >= 1 && port <= 65_535) return { host, port };
  // Not shown: where something was left out, it may be the password.
  throw refused(url, 'one of its hosts is not HOST or HOST:PORT');
}

function connectionsOf(url: string, text = `${usualConnections}`): number {
  const number = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (number >= fewestConnections && number <= mostConnections) return number;
  throw refused(url, `connections is a number from ${fewestConnections} to ${mostConnections}`);
}

/** Nothing is encrypted to this machine's own sockets unless it is asked for; all else is verified. */
function tlsOf(url: string, given: Parameters): Address['ssl'] {
  const { sslmode: mode, sslrootcert, sslcert, sslkey } = given;
  if (mode !== undefined && !sslModes.includes(mode)) {
    const why = ['prefer', 'allow'].includes(mode)
      ? ': it would go on without encryption unseen'
      : '';
    throw refused(url, `sslmode is one of ${sslModes.join(', ')}, not '${mode}'${why}`);
  }
  const read = (file: string | undefined, name: string) => {
    if (file === undefined) return undefined;
    try {
      return readFileSync(file, 'utf8');
    } catch (cause) {
      throw new ConfigurationError(`the file ${file} of ${name} cannot be read`, { cause });
    }
  };
  const files = {
    ca: read(sslrootcert, 'sslrootcert'),
    cert: read(sslcert, 'sslcert'),
    key: read(sslkey, 'sslkey'),
  };
  const present = Object.fromEntries(
    Object.entries(files).filter(([, text]) => text !== undefined),
  );
  return ({ host }) => {
    const chosen = mode ?? (isLocal(host) ? 'disable' : 'verify-full');
    if (chosen === 'disable' || host.startsWith('/')) return false;
    if (chosen === 'require') return { ...present, rejectUnauthorized: false };
    // With verify-ca the name in the certificate does not count.
    const check = chosen === 'verify-ca' ? () => undefined : checkServerIdentity;
    return { ...present, rejectUnauthorized: true, checkServerIdentity: check };
  };
}

function isLocal(host: string): boolean {
  return host.startsWith('/') || host === 'localhost' || host === '::1' || host.startsWith('127.');
}

function decoded(url: string, part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw refused(url, 'a % in it is not followed by two hexadecimal digits');
  }
}

function refused(url: string, reason: string): ConfigurationError {
  return new ConfigurationError(`the store ${url} cannot be used: ${reason}`, {
    hint: `a store on PostgreSQL is ${form}`,
  });
}
