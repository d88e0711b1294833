import { StoreError } from '../store-errors.ts';
import type { Address, Host } from './address.ts';
import { type Connect, query, within } from './connections.ts';
import type { Client, Driver, Row } from './driver.ts';
import { stateOf } from './faults.ts';
import { type Lineage, sightingColumns, sightingOf } from './lineage.ts';
import { passwordFor, type StorePassword } from './password.ts';

const oldestVersion = 150_000;

/** What a server says of itself. */
const questionOf = (schema: string) => ({
  text:
    "select current_setting('server_version') as version, " +
    "current_setting('server_version_num')::int as number, " +
    "pg_is_in_recovery() or current_setting('transaction_read_only')::bool as is_read_only, " +
    "current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit, " +
    sightingColumns(schema),
});

/** Opens connections to the first host of an address that takes writes. */
export function connectTo(
  driver: Driver,
  address: Address,
  password: StorePassword | undefined,
  lineage: Lineage,
): Connect {
  return async (milliseconds) => {
    const end = performance.now() + milliseconds;
    const { hosts } = address;
    const reasons: StoreError[] = [];
    for (const [i, host] of hosts.entries()) {
      // One that does not answer leaves time for those behind it.
      const left = end - performance.now();
      try {
        return await open(driver, address, {
          host,
          password,
          limit: left / (hosts.length - i),
          lineage,
        });
      } catch (error) {
        reasons.push(reasonOf(error, host));
      }
    }
    const [first] = reasons as [StoreError];
    if (reasons.length === 1) throw first;
    throw new StoreError(first.fault, reasons.map(({ message }) => message).join('; '));
  };
}

async function open(
  { Client }: Driver,
  address: Address,
  given: { host: Host; password: StorePassword | undefined; limit: number; lineage: Lineage },
): Promise<Client> {
  const { host, password, limit, lineage } = given;
  const end = performance.now() + limit;
  const client = new Client({
    ...host,
    user: address.user,
    database: address.database,
    password: () => passwordFor(address, host, password),
    ssl: address.ssl(host),
    application_name: address.applicationName,
    connectionTimeoutMillis: Math.max(1, Math.ceil(limit)),
    keepAlive: true,
  });
  // Without a listener the failure of an idle connection would end the process.
  client.on('error', () => {});
  try {
    await within(limit, client.connect());
    const since = lineage.last;
    const row = await requireFit(client, address.schema, end);
    lineage.observe(sightingOf(row), since);
    lineage.connected();
    return client;
  } catch (error) {
    client.connection.stream.destroy();
    throw error;
  }
}

/** @throws StoreError if what the server acknowledges may be lost, or it takes no writes */
async function requireFit(client: Client, schema: string, end: number): Promise<Row> {
  const [row = {}] = await query(client, questionOf(schema), end);
  const refuse = (reason: string) => {
    throw new StoreError('failed', reason);
  };
  if ((row.number as number) < oldestVersion) {
    refuse(`PostgreSQL ${row.version} is too old: a store needs 15 or later`);
  }
  if (row.is_read_only === true) {
    throw new StoreError('read-only', 'the server is read-only: a standby, or set so');
  }
  if (row.fsync !== 'on') {
    refuse('fsync is off there, so a crash would bring pairs back that were answered');
  }
  if (row.commit === 'off') {
    refuse('synchronous_commit is off there, so a crash would bring pairs back that were answered');
  }
  return row;
}

function reasonOf(error: unknown, { host, port }: Host): StoreError {
  const { message, code } = error as { message?: string; code?: string };
  const text = message === 'timeout expired' ? 'no answer in time' : message || code || `${error}`;
  const fault = error instanceof StoreError ? error.fault : 'failed';
  const state = stateOf(error);
  const suffix = state === undefined ? '' : ` (SQLSTATE ${state})`;
  return new StoreError(fault, `${host}:${port}: ${text}${suffix}`);
}
