import { createRequire } from 'node:module';
import { ConfigurationError } from '../../core/configuration-error.ts';

export type SqlValue = string | number | Uint8Array | null;
export type Row = Readonly<Record<string, SqlValue>>;

/** What the stores need of `StatementSync` in node:sqlite. */
export interface Statement {
  get(...values: SqlValue[]): Row | undefined;
  all(...values: SqlValue[]): Row[];
  run(...values: SqlValue[]): { readonly changes: number | bigint };
}

/** What the stores need of `DatabaseSync` in node:sqlite. */
export interface Database {
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
}

interface Engine {
  readonly DatabaseSync: new (
    place: string | URL,
    options?: { readOnly?: boolean; timeout?: number },
  ) => Database;
}

/** Whether this Node.js has SQLite built in, as since 22.13. */
export const isBuiltIn = builtIn() !== undefined;

/**
 * SQLite with the interface of node:sqlite: Node's own, otherwise a package's.
 *
 * @throws ConfigurationError if neither is available
 */
export function loadEngine(): Engine {
  return builtIn() ?? packaged();
}

function builtIn(): Engine | undefined {
  const { emitWarning } = process;
  // Node 22 warns on stderr that the module is experimental; users cannot do anything about it.
  process.emitWarning = () => {};
  try {
    // Node.js has it since 20.16, but the types for 20 do not.
    const { getBuiltinModule } = process as { getBuiltinModule?: (name: string) => unknown };
    return getBuiltinModule?.('node:sqlite') as Engine | undefined;
  } finally {
    process.emitWarning = emitWarning;
  }
}

function packaged(): Engine {
  try {
    return createRequire(import.meta.url)('@photostructure/sqlite') as Engine;
  } catch (cause) {
    throw new ConfigurationError(`SQLite is missing in Node.js ${process.versions.node}`, {
      hint: 'update to Node.js 22.13 or later, or: npm install @photostructure/sqlite',
      cause,
    });
  }
}
