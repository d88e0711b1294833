import { readFileSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { StoreError } from '../store-errors.ts';
import type { Address, Host } from './address.ts';

/** Gives the password of a connection that is about to be made, as a token of a cloud's IAM. */
export type StorePassword = () => string | Promise<string>;

/**
 * The password for a host: of the URL, of a function, PGPASSWORD, or a line of PGPASSFILE.
 *
 * @throws StoreError if the server asks for one and there is none
 */
export async function passwordFor(
  { user, database, password }: Address,
  host: Host,
  given: StorePassword | undefined,
): Promise<string> {
  const found =
    (await given?.()) ??
    password ??
    process.env.PGPASSWORD ??
    fromFile({ ...host, user, database });
  if (typeof found === 'string') return found;
  throw new StoreError(
    'failed',
    `the server asks for a password of ${user}: it can stand in PGPASSFILE, PGPASSWORD or the URL`,
  );
}

interface Wanted extends Host {
  readonly user: string;
  readonly database: string;
}

/** The first line that fits, as libpq reads the file (host:port:database:user:password). */
function fromFile({ host, port, database, user }: Wanted): string | undefined {
  const file = process.env.PGPASSFILE || path.join(os.homedir(), '.pgpass');
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  if (!found.isFile() || (process.platform !== 'win32' && (found.mode & 0o077) !== 0)) {
    throw new StoreError('failed', `the file ${file} can be read by others: chmod 600 '${file}'`);
  }
  const wanted = [host.startsWith('/') ? 'localhost' : host, `${port}`, database, user];
  for (const line of readFileSync(file, 'utf8').split(/\r?\n/)) {
    if (line.startsWith('#')) continue;
    const fields = fieldsOf(line);
    const fits = wanted.every((text, i) => fields[i] === '*' || fields[i] === text);
    if (fits && fields.length > wanted.length) return fields[wanted.length];
  }
  return undefined;
}

/** Fields stand between colons; a backslash takes away what the next character means. */
function fieldsOf(line: string): string[] {
  return (line.match(/(?:\\.|[^:\\])*(?::|$)/g) ?? [])
    .map((field) => field.replace(/:$/, '').replace(/\\(.)/g, '$1'))
    .slice(0, 5);
}
